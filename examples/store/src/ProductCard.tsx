import { euros } from "../functions/shop/pricing.ts";
import { AddToCart } from "./AddToCart.tsx";
import type { Product } from "./database.ts";
import { Picture } from "./Picture.tsx";

const FEW = 3;

export function ProductCard({ product }: { product: Product }) {
  const { id, name, maker, priceCents, available } = product;
  return (
    <article className="product" data-available={available}>
      <a href={`#/product/${id}`}>
        <Picture of={product} />
        <Scarcity product={product} />
        <h3>{name}</h3>
        <p className="muted">{maker}</p>
        <p className="price">{euros(priceCents)}</p>
      </a>
      <AddToCart product={product} />
    </article>
  );
}

function Scarcity({ product: { stock } }: { product: Product }) {
  if (stock > FEW) return null;
  if (stock === 0) return <p className="tag">Sold out</p>;
  return <p className="tag scarce">{stock === 1 ? "Last one" : `Only ${stock} left`}</p>;
}
