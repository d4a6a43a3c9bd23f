/** Who uses this browser: a guest with a name, in all tabs, until they sign out. */

import { getReactStorage, init, request, storageKey } from "@pylonsync/react";
import { useSyncExternalStore } from "react";

export interface Me {
  readonly userId: string;
  readonly name: string;
}

const listeners = new Set<() => void>();

connect();
let me = saved();

window.addEventListener("storage", ({ key }) => {
  if (key === storageKey("me")) become(saved());
});

export function useMe(): Me | null {
  return useSyncExternalStore(subscribe, () => me);
}

/** Rejects when the server cannot be reached. */
export async function signIn(name: string): Promise<void> {
  const response = await request("/api/auth/guest", { method: "POST", token: null });
  const guest = (await response.json()) as { token: string; user_id: string };
  const storage = getReactStorage();
  storage.set(storageKey("token"), guest.token);
  storage.set(storageKey("me"), JSON.stringify({ userId: guest.user_id, name }));
  become(saved());
}

/** For good: nobody can sign in as this guest again. */
export async function signOut(): Promise<void> {
  const leaving = me;
  // Without an answer the session stays on the server until it expires; this browser forgets it all the same.
  await request("/api/auth/session", { method: "DELETE" }).catch(() => undefined);
  if (me !== leaving) return; // by then somebody else may have come
  const storage = getReactStorage();
  storage.remove(storageKey("token"));
  storage.remove(storageKey("me"));
  become(null);
}

/** An engine takes the token it finds when it is made, so each person gets one of their own. */
function become(next: Me | null): void {
  me = next;
  connect();
  for (const listener of listeners) listener();
}

function connect(): void {
  const { origin } = location;
  init({ baseUrl: origin, appName: "todo", wsUrl: `${origin.replace("http", "ws")}/api/sync/ws` });
}

function saved(): Me | null {
  const text = getReactStorage().get(storageKey("me"));
  return text === null ? null : (JSON.parse(text) as Me);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
