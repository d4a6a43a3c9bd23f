/** A page for components to be rendered in. Network, sockets and time stay those of the test's own process. */

import { Window } from "happy-dom";

const page = new Window({ url: "http://localhost/" });

/** What React and the testing library look for; everything else is reached through `window`. */
const names = [
  "document", "navigator", "location", "localStorage", "Node", "Element", "HTMLElement", "HTMLIFrameElement",
  "HTMLInputElement", "SVGElement", "DocumentFragment", "MutationObserver", "getComputedStyle",
] as const;

if (globalThis.window === undefined) {
  Object.defineProperty(globalThis, "window", { value: page, configurable: true });
  for (const name of names) {
    Object.defineProperty(globalThis, name, { value: page[name], configurable: true, writable: true });
  }
}

/** Go to another address, as if the page had been served from there. */
export function visit(url: string): void {
  page.happyDOM.setURL(url);
}
