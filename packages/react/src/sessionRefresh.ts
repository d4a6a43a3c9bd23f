/**
 * Renews a session before it expires, again and again, until stopped.
 *
 *     waiting ──due──▶ refreshing ──new token──▶ waiting
 *                        │    └──nobody answered──▶ waiting, until the session has expired
 *                        └──refused──▶ expired
 */

import { type FreshSession, refreshSession } from "./sessions.ts";

/** The longest that `setTimeout` can wait. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const RETRY_MS = 30_000;

export interface SessionAutoRefreshOptions {
  onRefresh: (session: FreshSession) => void;
  onExpired?: (() => void) | undefined;
  /** How long before it expires a session is renewed. */
  marginSecs?: number | undefined;
}

/** Returns the way to stop. A session that never expires (`expires_at` 0) is left alone. */
export function startSessionAutoRefresh(
  session: { token: string; expires_at: number },
  options: SessionAutoRefreshOptions,
): () => void {
  const { onRefresh, onExpired, marginSecs = 3600 } = options;
  let stopped = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let { token, expires_at: expiresAt } = session;

  function renewAt(dueMs: number): void {
    if (expiresAt === 0) return;
    const delayMs = Math.max(0, dueMs - Date.now());
    timer = delayMs > TIMEOUT_MS_MAX
      ? setTimeout(() => renewAt(dueMs), TIMEOUT_MS_MAX)
      : setTimeout(() => void renew(), delayMs);
  }

  async function renew(): Promise<void> {
    const outcome = await refreshSession(token).catch(() => "unanswered" as const);
    if (stopped) return;
    if (outcome === "unanswered" && Date.now() < expiresAt * 1000) {
      renewAt(Date.now() + RETRY_MS);
    } else if (outcome === "unanswered" || outcome === null) {
      stopped = true;
      onExpired?.();
    } else {
      ({ token, expires_at: expiresAt } = outcome);
      renewAt((expiresAt - marginSecs) * 1000);
      onRefresh(outcome);
    }
  }

  renewAt((expiresAt - marginSecs) * 1000);
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
