import { useCart } from "./cart.ts";
import { Icon, Logo } from "./icons.tsx";
import { catalogueHref, go, type Selection } from "./route.ts";

interface Props {
  readonly selection: Selection;
  readonly onCart: () => void;
}

export function Header({ selection, onCart }: Props) {
  const { count } = useCart();
  const search = (words: string) => go(catalogueHref({ ...selection, words }), { replace: true });

  return (
    <header className="header">
      <a className="brand" href="#/">
        <Logo />
        <span>Nook</span>
      </a>
      <search className="search">
        <Icon name="search" />
        <input
          type="search"
          aria-label="Search products"
          placeholder="Search, such as “mustard lamp”"
          value={selection.words}
          onChange={({ target }) => search(target.value)}
        />
      </search>
      <nav aria-label="Yours">
        <a className="icon-button" href="#/orders">
          <Icon name="box" />
          <span>Orders</span>
        </a>
        <button type="button" className="icon-button" onClick={onCart} aria-haspopup="dialog">
          <Icon name="bag" />
          <span>Cart</span>
          {count > 0 && <b className="badge" key={count}>{count}<span className="unseen"> in it</span></b>}
        </button>
      </nav>
    </header>
  );
}
