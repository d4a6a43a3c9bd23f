import { euros } from "../functions/shop/pricing.ts";
import { AddToCart } from "./AddToCart.tsx";
import { db } from "./database.ts";
import { Icon } from "./icons.tsx";
import { NotFound } from "./NotFound.tsx";
import { Picture } from "./Picture.tsx";
import { ProductCard } from "./ProductCard.tsx";
import { catalogueHref, EVERYTHING } from "./route.ts";
import { useGoesWith } from "./useGoesWith.ts";

export function ProductPage({ id }: { id: string }) {
  const { data: product, loading } = db.useQueryOne("Product", id);
  const companions = useGoesWith([id], 4);
  if (product === null) return loading ? null : <NotFound what="product" />;

  const { name, description, category, colour, maker, priceCents, stock } = product;
  return (
    <div className="product-page">
      <a className="back" href={catalogueHref({ ...EVERYTHING, facets: { category } })}>
        <Icon name="back" />
        {category}
      </a>
      <article className="product-large">
        <Picture of={product} />
        <div>
          <p className="muted">{maker}</p>
          <h1>{name}</h1>
          <p className="price">{euros(priceCents)}</p>
          <p>{description}</p>
          <p className="colour"><i className="swatch" data-colour={colour} /> {colour}</p>
          <AddToCart product={product} isLarge />
          <p className="muted" role="status">{stock === 0 ? "None left" : `${stock} in stock`}</p>
        </div>
      </article>
      {companions.length > 0 && (
        <section aria-label="Goes well with it">
          <h2>Goes well with it</h2>
          <ul className="products">
            {companions.map((other) => <li key={other.id}><ProductCard product={other} /></li>)}
          </ul>
        </section>
      )}
    </div>
  );
}
