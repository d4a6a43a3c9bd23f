/** Filters with live counts: how many one would find by choosing each. One value a facet; chosen again it goes. */

import type { FacetCounts } from "@pylonsync/react";
import { FACETS, type Facet, type Selection } from "./route.ts";

const TITLES: Record<Facet, string> = { category: "For", colour: "Colour", maker: "Made by" };

interface Props {
  readonly id: string;
  readonly isOpen: boolean;
  readonly selection: Selection;
  readonly counts: FacetCounts;
  readonly onChoose: (change: Partial<Selection>) => void;
}

export function Facets({ id, isOpen, selection, counts, onChoose }: Props) {
  const { facets, inStock } = selection;
  const choose = (facet: Facet, value: string) => {
    const { [facet]: before, ...others } = facets;
    onChoose({ facets: before === value ? others : { ...others, [facet]: value } });
  };
  return (
    <aside id={id} className="facets" data-open={isOpen} aria-label="Filters">
      {FACETS.map((facet) => (
        <FacetValues
          key={facet}
          facet={facet}
          chosen={facets[facet]}
          counts={counts[facet]}
          onChoose={(value) => choose(facet, value)}
        />
      ))}
      <label className="facet">
        <input type="checkbox" checked={inStock} onChange={() => onChoose({ inStock: !inStock })} />
        <span>In stock</span> <small>{counts["available"]?.["true"] ?? 0}</small>
      </label>
    </aside>
  );
}

interface ValuesProps {
  readonly facet: Facet;
  readonly chosen: string | undefined;
  readonly counts: Record<string, number> | undefined;
  readonly onChoose: (value: string) => void;
}

function FacetValues({ facet, chosen, counts, onChoose }: ValuesProps) {
  const values = valuesOf(counts, chosen);
  if (values.length === 0) return null;
  return (
    <section aria-label={TITLES[facet]}>
      <h2>{TITLES[facet]}</h2>
      <ul>
        {values.map(([value, count]) => (
          <li key={value}>
            <button type="button" className="facet" aria-pressed={value === chosen} onClick={() => onChoose(value)}>
              {facet === "colour" && <i className="swatch" data-colour={value} />}
              <span>{value}</span> <small>{count}</small>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** In the order of the alphabet, so that nothing moves while counts change. The chosen one stays, even without hits. */
function valuesOf(counts: Record<string, number> = {}, chosen: string | undefined): [value: string, count: number][] {
  const all = chosen === undefined || Object.hasOwn(counts, chosen) ? counts : { ...counts, [chosen]: 0 };
  return Object.entries(all).toSorted(([one], [other]) => one.localeCompare(other));
}
