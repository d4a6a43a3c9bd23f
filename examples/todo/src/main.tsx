/** The entry: the service worker, and the app on the page. */

import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App.tsx";

// Not everywhere: browsers have none in private windows, nor on a plain-http address other than this machine's.
navigator.serviceWorker?.register("/worker.js").catch((error: unknown) => console.warn("Offline only until reload", error));

// Not at once, because it is large; but notes written before a reload are sent without being opened again.
void import("@pylonsync/loro").then(({ startLoro }) => startLoro());

const root = document.getElementById("app");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
