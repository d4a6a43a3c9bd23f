/** Where the live channels of a base URL are when the app does not say (contract 05 §1). */

/**
 * An explicit port means a server with its socket listener one port up; without one there is a proxy, or a
 * single-port server, that takes the upgrade at `/` on the same host. The base's path is dropped.
 */
export function webSocketUrl(baseUrl: string): string {
  const base = new URL(baseUrl);
  const scheme = base.protocol === "https:" ? "wss" : "ws";
  return `${scheme}://${listener(base, 1)}`;
}

/** As for the socket, two ports up; the scheme stays, because a token may be sent. */
export function eventStreamUrl(baseUrl: string): string {
  const base = new URL(baseUrl);
  return `${base.protocol}//${listener(base, 2)}/events`;
}

function listener({ hostname, port }: URL, portsUp: number): string {
  // The URL parser drops a port equal to the scheme's default, which is what "explicit" means here.
  return port === "" ? hostname : `${hostname}:${Number(port) + portsUp}`;
}
