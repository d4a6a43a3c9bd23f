import { euros } from "../functions/shop/pricing.ts";
import { Picture } from "./Picture.tsx";

interface Line {
  readonly id: string;
  readonly name: string;
  readonly shape: string;
  readonly colour: string;
  readonly priceCents: number;
  readonly quantity: number;
}

/** What is bought, as it cannot be changed any more. */
export function Lines({ lines }: { lines: readonly Line[] }) {
  return (
    <ul className="lines">
      {lines.map((line) => (
        <li key={line.id}>
          <Picture of={line} />
          <span>{line.name}{line.quantity > 1 && <span className="muted"> × {line.quantity}</span>}</span>
          <span className="price">{euros(line.priceCents * line.quantity)}</span>
        </li>
      ))}
    </ul>
  );
}
