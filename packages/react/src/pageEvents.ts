/** Events of the page. On a server there is none, and React Native has a window without events. */

/** Returns the way to stop. */
export function onPageEvent<K extends keyof WindowEventMap>(
  type: K,
  listener: (event: WindowEventMap[K]) => void,
): () => void {
  if (typeof window === "undefined" || typeof window.addEventListener !== "function") return () => undefined;
  window.addEventListener(type, listener);
  return () => window.removeEventListener(type, listener);
}
