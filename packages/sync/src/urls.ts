/** Where the live channels of a base URL are when the app does not say (contract 05 §1). */

const SSE_BASE_PORT = 4321;

/**
 * An explicit port means a server with its socket listener one port up; without one there is a proxy, or a
 * single-port server, that takes the upgrade at `/` on the same host. The base's path is dropped.
 */
export function webSocketUrl(baseUrl: string): string {
  const base = new URL(baseUrl);
  const scheme = base.protocol === "https:" ? "wss" : "ws";
  // The URL parser drops a port equal to the scheme's default, which is what "explicit" means here.
  return base.port === ""
    ? `${scheme}://${base.hostname}`
    : `${scheme}://${base.hostname}:${Number(base.port) + 1}`;
}

export function eventStreamUrl(baseUrl: string): string {
  const base = new URL(baseUrl);
  const port = base.port === "" ? SSE_BASE_PORT : Number(base.port);
  return `http://${base.hostname}:${port + 2}/events`;
}
