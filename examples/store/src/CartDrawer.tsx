/** The cart, beside the page. A modal dialog of the browser's own: it holds the focus, and Escape closes it. */

import { useEffect, useRef } from "react";
import { euros, FREE_SHIPPING_FROM_CENTS, QUANTITY_MAX } from "../functions/shop/pricing.ts";
import { AddToCart } from "./AddToCart.tsx";
import { type CartLine, setQuantity, useCart } from "./cart.ts";
import { Icon } from "./icons.tsx";
import { NoticeArea } from "./Notices.tsx";
import { Picture } from "./Picture.tsx";
import { Sums } from "./Sums.tsx";
import { useGoesWith } from "./useGoesWith.ts";

export function CartDrawer({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const cart = useCart();
  const companions = useGoesWith(cart.lines.map(({ product }) => product.id), 2);
  const close = () => dialog.current?.close(); // gives the focus back to where it was
  useEffect(() => dialog.current?.showModal(), []);

  return (
    <dialog
      ref={dialog}
      className="drawer"
      aria-labelledby="cart-title"
      onClose={onClose}
      onClick={({ target }) => target === dialog.current && close()}
    >
      <div className="drawer-inside">
        <div className="drawer-head">
          <h2 id="cart-title">Your cart</h2>
          <button type="button" className="icon-button" aria-label="Close the cart" onClick={close}>
            <Icon name="close" />
          </button>
        </div>
        {cart.lines.length === 0 ? (
          <p className="muted empty">{cart.loading ? "Looking…" : "Nothing in it yet."}</p>
        ) : (
          <>
            <ul className="cart-lines">
              {cart.lines.map((line) => <CartRow key={line.item.id} line={line} />)}
            </ul>
            {companions.length > 0 && (
              <section className="companions" aria-label="Goes well with these">
                <h3>Goes well with these</h3>
                {companions.map((product) => (
                  <div key={product.id} className="companion">
                    <Picture of={product} />
                    <a href={`#/product/${product.id}`}>{product.name}</a>
                    <span className="price">{euros(product.priceCents)}</span>
                    <AddToCart product={product} />
                  </div>
                ))}
              </section>
            )}
            <div className="drawer-foot">
              <ToFreeShipping goodsCents={cart.goodsCents} />
              <Sums totals={cart} />
              <a className="primary large" href="#/checkout">Check out</a>
            </div>
          </>
        )}
      </div>
      <NoticeArea />
    </dialog>
  );
}

function CartRow({ line: { item, product } }: { line: CartLine }) {
  const most = Math.min(product.stock, QUANTITY_MAX);
  return (
    <li className="cart-line">
      <Picture of={product} />
      <div>
        <a href={`#/product/${product.id}`}>{product.name}</a>
        {item.quantity > product.stock && (
          <p className="problem">{product.stock === 0 ? "Sold out meanwhile" : `Only ${product.stock} left`}</p>
        )}
        <div className="quantity" role="group" aria-label={`How many of ${product.name}`}>
          <button type="button" aria-label="One less" onClick={() => void setQuantity(item, item.quantity - 1)}>
            <Icon name="minus" />
          </button>
          <output aria-label="Quantity">{item.quantity}</output>
          <button
            type="button"
            aria-label="One more"
            disabled={item.quantity >= most}
            onClick={() => void setQuantity(item, item.quantity + 1)}
          >
            <Icon name="plus" />
          </button>
        </div>
      </div>
      <span className="price">{euros(product.priceCents * item.quantity)}</span>
    </li>
  );
}

function ToFreeShipping({ goodsCents }: { goodsCents: number }) {
  const missing = FREE_SHIPPING_FROM_CENTS - goodsCents;
  if (missing <= 0) return null;
  return (
    <p className="to-free muted">
      <progress max={FREE_SHIPPING_FROM_CENTS} value={goodsCents} aria-label="Towards free shipping" />
      {euros(missing)} more, and shipping is free
    </p>
  );
}
