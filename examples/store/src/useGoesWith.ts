/** Products that go with others, as `functions/goes_with.py` sees it. */

import { useEffect, useMemo, useState } from "react";
import { db, type Product } from "./database.ts";

/** None while it is not known. The rows are live: what sells out meanwhile says so. */
export function useGoesWith(ids: readonly string[], limit: number): Product[] {
  const [found, setFound] = useState<readonly string[]>([]);
  const { data: products } = db.useQuery("Product");
  const key = ids.toSorted().join();

  useEffect(() => {
    if (key === "") return setFound([]);
    let isCurrent = true;
    db.fn("goesWith", { products: key.split(","), limit }).then(
      (answer) => isCurrent && setFound(answer as string[]),
      () => isCurrent && setFound([]), // the shop works without advice
    );
    return () => void (isCurrent = false);
  }, [key, limit]);

  return useMemo(() => {
    const byId = new Map(products.map((product) => [product.id, product]));
    return found.flatMap((id) => byId.get(id) ?? []);
  }, [found, products]);
}
