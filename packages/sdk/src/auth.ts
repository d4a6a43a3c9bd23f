/** Sessions, and the entity whose rows are the users. */

import type { ManifestAuth } from "./manifest";

export interface AuthOptions {
  readonly user?: {
    readonly entity?: string;
    /** If not empty: the only fields, beside `id`, that a session shows of its user. */
    readonly expose?: readonly string[];
    /** Secret fields beside `passwordHash` and those whose names begin with `_`. */
    readonly hide?: readonly string[];
  };
  readonly session?: {
    /** Seconds; 0: a session does not end. */
    readonly expiresIn?: number;
    readonly cookieCache?: {
      readonly enabled?: boolean;
      /** Seconds. */
      readonly maxAge?: number;
      /** Instead of the default ones, not beside them. */
      readonly claims?: readonly string[];
    };
  };
  /** Beside those of `PYLON_TRUSTED_ORIGINS`. */
  readonly trustedOrigins?: readonly string[];
}

const THIRTY_DAYS = 2_592_000;

export function auth({ user = {}, session = {}, trustedOrigins = [] }: AuthOptions = {}): ManifestAuth {
  const { cookieCache = {} } = session;
  return {
    user: {
      entity: user.entity ?? "User",
      expose: [...(user.expose ?? [])],
      hide: [...(user.hide ?? [])],
    },
    session: {
      expires_in: session.expiresIn ?? THIRTY_DAYS,
      cookie_cache: {
        enabled: cookieCache.enabled ?? false,
        max_age: cookieCache.maxAge ?? 300,
        claims: [...(cookieCache.claims ?? ["is_admin", "tenant_id"])],
      },
    },
    trusted_origins: [...trustedOrigins],
  };
}
