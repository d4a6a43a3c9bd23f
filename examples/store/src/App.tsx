/** The frame of the shop: the header, the page of the address, the cart beside it. */

import { useEffect, useState } from "react";
import { CartDrawer } from "./CartDrawer.tsx";
import { Catalogue } from "./Catalogue.tsx";
import { Checkout } from "./Checkout.tsx";
import { Header } from "./Header.tsx";
import { NoticeArea, useNotices } from "./Notices.tsx";
import { OrderList } from "./OrderList.tsx";
import { OrderPage } from "./OrderPage.tsx";
import { PaymentStandIn } from "./PaymentStandIn.tsx";
import { ProductPage } from "./ProductPage.tsx";
import { EVERYTHING, type Route, useRoute } from "./route.ts";

export function App() {
  const route = useRoute();
  const [isCartOpen, setCartOpen] = useState(false);
  const { dismiss } = useNotices();
  const place = route.page === "catalogue" ? route.page : JSON.stringify(route);

  useEffect(() => {
    setCartOpen(false);
    window.scrollTo(0, 0);
  }, [place]);
  useEffect(dismiss, [dismiss, place, isCartOpen]);

  return (
    <>
      <a className="skip" href="#main" onClick={skipToMain}>Skip to the content</a>
      <Header
        selection={route.page === "catalogue" ? route.selection : EVERYTHING}
        onCart={() => setCartOpen(true)}
      />
      <main id="main" tabIndex={-1}>
        <Page key={place} route={route} />
      </main>
      <footer>
        <p>Nook is an example of pylon: a shop with nothing real in it, and no money either.</p>
      </footer>
      {isCartOpen ? <CartDrawer onClose={() => setCartOpen(false)} /> : <NoticeArea />}
    </>
  );
}

function Page({ route }: { route: Route }) {
  switch (route.page) {
    case "catalogue":
      return <Catalogue selection={route.selection} />;
    case "product":
      return <ProductPage id={route.id} />;
    case "checkout":
      return <Checkout />;
    case "pay":
      return <PaymentStandIn id={route.id} />;
    case "order":
      return <OrderPage id={route.id} />;
    case "orders":
      return <OrderList />;
  }
}

/** By hand, because what is behind the `#` of an address says which page it is. */
function skipToMain(event: React.MouseEvent): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
