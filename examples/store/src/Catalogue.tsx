/** The catalogue: what the server finds for words and facets, counted and sorted there, and kept up to date. */

import { useEffect, useState } from "react";
import { db, type Product } from "./database.ts";
import { Facets } from "./Facets.tsx";
import { Icon } from "./icons.tsx";
import { ProductCard } from "./ProductCard.tsx";
import { catalogueHref, EVERYTHING, go, type Selection, SORTS, type Sort } from "./route.ts";

const PAGE_SIZE = 24;
const PAGE_SIZE_MAX = 96;

export function Catalogue({ selection }: { selection: Selection }) {
  const { words, facets, inStock, sort } = selection;
  const [pageSize, setPageSize] = useState(PAGE_SIZE);
  const [areFacetsOpen, setFacetsOpen] = useState(false);
  const [, field, direction] = SORTS[sort ?? "popular"];
  const { hits, facetCounts, total, loading, error } = db.untyped.useSearch<Product>("Product", {
    query: words,
    filters: { ...facets, ...(inStock ? { available: true } : {}) },
    sort: sort === null && words !== "" ? undefined : [field, direction],
    pageSize,
  });
  const isEverything = catalogueHref({ ...selection, sort: null }) === "#/";
  const chosen = Object.keys(facets).length + (inStock ? 1 : 0);

  useEffect(() => {
    // The first visitor of a new shop has its shelves filled.
    if (!loading && error === null && total === 0 && isEverything) void db.fn("seed", {}).catch(console.warn);
  }, [loading, error, total, isEverything]);

  const choose = (change: Partial<Selection>) => {
    setPageSize(PAGE_SIZE);
    go(catalogueHref({ ...selection, ...change }));
  };

  return (
    <div className="catalogue">
      <div className="catalogue-head">
        <h1>{words === "" ? (facets.category ?? "Small things for good rooms") : `“${words}”`}</h1>
        <div className="tools">
          <p className="muted" role="status">{loading && total === 0 ? "Looking…" : counted(total)}</p>
          <button
            type="button"
            className="quiet only-narrow"
            aria-expanded={areFacetsOpen}
            aria-controls="facets"
            onClick={() => setFacetsOpen(!areFacetsOpen)}
          >
            <Icon name="filter" />
            Filter{chosen > 0 && ` (${chosen})`}
          </button>
          <SortChoice sort={sort} hasWords={words !== ""} onChange={(sort) => choose({ sort })} />
        </div>
      </div>
      <Facets id="facets" isOpen={areFacetsOpen} selection={selection} counts={facetCounts} onChoose={choose} />
      <div className="found" aria-busy={loading}>
        {error !== null && <p className="problem" role="alert">{error.message}</p>}
        {total === 0 && !loading && !isEverything && <NothingFound />}
        <ul className="products" aria-label="Products">
          {hits.map((product) => <li key={product.id}><ProductCard product={product} /></li>)}
        </ul>
        {hits.length < total && pageSize < PAGE_SIZE_MAX && (
          <button type="button" className="quiet more" onClick={() => setPageSize(pageSize + PAGE_SIZE)}>
            Show more
          </button>
        )}
      </div>
    </div>
  );
}

function SortChoice(props: { sort: Sort | null; hasWords: boolean; onChange: (sort: Sort | null) => void }) {
  const { sort, hasWords, onChange } = props;
  return (
    <select
      aria-label="Sort by"
      value={sort ?? (hasWords ? "" : "popular")}
      onChange={({ target }) => onChange(target.value === "" ? null : (target.value as Sort))}
    >
      {hasWords && <option value="">Best match</option>}
      {Object.entries(SORTS).map(([name, [label]]) => <option key={name} value={name}>{label}</option>)}
    </select>
  );
}

function NothingFound() {
  return (
    <div className="nothing">
      <h2>Nothing like that here</h2>
      <p className="muted">Try fewer words, or leave a filter out.</p>
      <a className="quiet" href={catalogueHref(EVERYTHING)}>Show everything</a>
    </div>
  );
}

function counted(total: number): string {
  return `${total} ${total === 1 ? "thing" : "things"}`;
}
