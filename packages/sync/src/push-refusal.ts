/**
 * What it means for the changes in it that a push request failed as a whole.
 *
 * Only a server that names its reason has looked at the request: an error page of a proxy or of a network's login
 * says nothing about what was sent, and must not cost the user a write. Too long a request is the exception; proxies
 * say that in their own words.
 */

import { HttpError } from "./http.ts";

export type Refusal =
  /** Nobody looked at the changes, or the server is busy: the same request may do better. */
  | "later"
  /** We may not push as who we are, whatever the changes: they wait for the user to sign in. */
  | "not-as-us"
  /** Something in the request will never be taken. */
  | "changes";

export function refusalOf(error: unknown, signedIn: boolean): Refusal {
  if (!(error instanceof HttpError)) return "later";
  const { status, code } = error;
  if (status === 401) return "not-as-us";
  if (status === 413) return "changes";
  if (code === undefined) return "later";
  if (status === 403) return signedIn && code !== "CSRF_REJECTED" ? "changes" : "not-as-us";
  return status === 400 || status === 422 ? "changes" : "later";
}
