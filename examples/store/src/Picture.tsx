/** A product's picture, drawn from its shape and colour: there are no image files in this shop. */

import { SHAPES } from "./shapes.tsx";

interface Depicted {
  readonly shape: string;
  readonly colour: string;
}

/** Decoration: the product's name stands beside it. */
export function Picture({ of: { shape, colour } }: { of: Depicted }) {
  return (
    <div className="picture" data-colour={colour}>
      <svg viewBox="0 0 200 200" aria-hidden="true">
        {shape !== "pendant" && <ellipse className="shadow" cx="100" cy="168" rx="64" ry="7" />}
        {SHAPES[shape]}
      </svg>
    </div>
  );
}
