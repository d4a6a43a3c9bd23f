/**
 * Where in the app the page is: `#/<list>` or `#/<list>/<todo>`.
 *
 * In the fragment, because whoever knows a list's id may join it: a fragment is never sent to a server, nor to the
 * next site as where one came from.
 */

import { useSyncExternalStore } from "react";

export interface Route {
  readonly listId: string | null;
  readonly todoId: string | null;
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  const [listId, todoId] = hash.replace(/^#\/?/, "").split("/");
  return { listId: listId || null, todoId: todoId || null };
}

export function hrefOf(listId: string, todoId?: string): string {
  return todoId === undefined ? `#/${listId}` : `#/${listId}/${todoId}`;
}

/** What to send to somebody who is to join. */
export function linkTo(listId: string): string {
  return `${location.origin}/${hrefOf(listId)}`;
}

export function go(href: string): void {
  location.hash = href;
}

function subscribe(listener: () => void): () => void {
  addEventListener("hashchange", listener);
  return () => removeEventListener("hashchange", listener);
}
