/** Where in the shop one is: the part of the address behind the `#`, so back, reload and links work. */

import { useMemo, useSyncExternalStore } from "react";

export const FACETS = ["category", "colour", "maker"] as const;
export type Facet = (typeof FACETS)[number];

export const SORTS = {
  popular: ["Most loved", "sold", "desc"],
  newest: ["Newest", "addedAt", "desc"],
  cheapest: ["Price, low to high", "priceCents", "asc"],
  dearest: ["Price, high to low", "priceCents", "desc"],
} as const;
export type Sort = keyof typeof SORTS;

/** What of the catalogue is to be seen. */
export interface Selection {
  readonly words: string;
  readonly facets: Readonly<Partial<Record<Facet, string>>>;
  readonly inStock: boolean;
  /** Null is by relevance where there are words, else by popularity. */
  readonly sort: Sort | null;
}

export type Route =
  | { readonly page: "catalogue"; readonly selection: Selection }
  | { readonly page: "product" | "order" | "pay"; readonly id: string }
  | { readonly page: "checkout" | "orders" };

export const EVERYTHING: Selection = { words: "", facets: {}, inStock: false, sort: null };

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return useMemo(() => parse(hash), [hash]);
}

/** `replace` when it is not worth a step back, such as each letter typed. */
export function go(href: string, { replace = false } = {}): void {
  if (!replace) {
    location.hash = href;
    return;
  }
  history.replaceState(null, "", href);
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

export function catalogueHref({ words, facets, inStock, sort }: Selection): string {
  const params = new URLSearchParams();
  if (words !== "") params.set("q", words);
  for (const facet of FACETS) if (facets[facet] !== undefined) params.set(facet, facets[facet]);
  if (inStock) params.set("stock", "1");
  if (sort !== null) params.set("sort", sort);
  return params.size === 0 ? "#/" : `#/?${params}`;
}

export function parse(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page, id = ""] = path.split("/", 2);
  switch (page) {
    case "product":
    case "order":
    case "pay":
      return { page, id };
    case "checkout":
    case "orders":
      return { page };
    default:
      return { page: "catalogue", selection: selectionOf(new URLSearchParams(query)) };
  }
}

function selectionOf(params: URLSearchParams): Selection {
  const sort = params.get("sort");
  const facets: Partial<Record<Facet, string>> = {};
  for (const facet of FACETS) {
    const value = params.get(facet);
    if (value !== null) facets[facet] = value;
  }
  return {
    words: params.get("q") ?? "",
    facets,
    inStock: params.get("stock") === "1",
    sort: sort !== null && Object.hasOwn(SORTS, sort) ? (sort as Sort) : null,
  };
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}
