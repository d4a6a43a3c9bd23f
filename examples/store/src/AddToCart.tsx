import { db, type Product } from "./database.ts";
import { Icon } from "./icons.tsx";
import { useNotices } from "./Notices.tsx";

/** Not shown at once like changes of the cart: whether there is enough only the server knows. */
export function AddToCart({ product, isLarge = false }: { product: Product; isLarge?: boolean }) {
  const { mutate, loading } = db.useMutation("addToCart");
  const { tell, complain } = useNotices();
  const add = () =>
    mutate({ productId: product.id }).then(
      ({ quantity }) => tell(quantity === 1 ? `${product.name} is in your cart` : `${quantity} × ${product.name}`),
      complain,
    );

  return (
    <button
      type="button"
      className={isLarge ? "primary large" : "add"}
      aria-label={`Add ${product.name} to cart`}
      disabled={loading || !product.available}
      onClick={add}
    >
      {isLarge ? (product.available ? "Add to cart" : "Sold out") : <Icon name="plus" />}
    </button>
  );
}
