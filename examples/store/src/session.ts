/** Everybody who comes in is a guest with a session of their own, which the browser keeps. */

import { getAuthContext, getReactStorage, init, request, storageKey } from "@pylonsync/react";

const { origin } = location;
init({ baseUrl: origin, appName: "store", wsUrl: `${origin.replace("http", "ws")}/api/sync/ws` });

/** Resolves when this browser has a session. Rejects when the server cannot be reached. */
export async function comeIn(): Promise<void> {
  const storage = getReactStorage();
  const token = storage.get(storageKey("token"));
  if (token !== null && (await isGood(token))) return;
  const response = await request("/api/auth/guest", { method: "POST", token: null });
  const guest = (await response.json()) as { token: string };
  storage.set(storageKey("token"), guest.token);
}

/** Not when it expired, nor when the database was begun anew. */
async function isGood(token: string): Promise<boolean> {
  const { user_id } = await getAuthContext(token).catch(() => ({ user_id: null }));
  return user_id !== null;
}
