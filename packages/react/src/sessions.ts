/** Sessions over HTTP. None of these reads or writes the stored token: what to do with one is the app's decision. */

import { HttpError } from "@pylonsync/sync";
import { requestJson } from "./request.ts";

/** A fresh session. `expires_at` is in seconds since 1970; 0 is never. */
export interface FreshSession {
  token: string;
  user_id: string;
  expires_at: number;
}

/** Sign in as anyone; for development and the administrator. */
export function createSession(userId: string): Promise<{ token: string; user_id: string }> {
  return requestJson("/api/auth/session", { method: "POST", json: { user_id: userId } });
}

/** Whom the server takes the bearer of `token` for; without one, nobody. */
export function getAuthContext(token?: string): Promise<{ user_id: string | null }> {
  return requestJson("/api/auth/me", { token: token ?? null });
}

/** A new token for an old one, which ends; null when the server refuses. Rejects when nobody answers. */
export async function refreshSession(token: string): Promise<FreshSession | null> {
  try {
    return await requestJson<FreshSession>("/api/auth/refresh", { method: "POST", token });
  } catch (error) {
    if (error instanceof HttpError) return null;
    throw error;
  }
}
