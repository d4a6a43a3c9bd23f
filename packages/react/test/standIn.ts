/** A small server in the test's process that says what the test has it say: routes and sockets that are really there. */

import type { Server, ServerWebSocket } from "bun";

export interface SocketSeen {
  url: URL;
  protocol: string;
}

type Handler = (body: unknown, request: Request) => unknown;

export class StandIn {
  readonly asked: string[] = [];
  readonly sockets: ServerWebSocket<SocketSeen>[] = [];
  readonly received: unknown[] = [];
  readonly routes = new Map<string, Handler>();
  /** Called with each socket that opened. */
  opened: (socket: ServerWebSocket<SocketSeen>) => void = () => undefined;
  /** Called with each text that came. */
  message: (value: unknown, socket: ServerWebSocket<SocketSeen>) => void = () => undefined;
  readonly #server: Server<SocketSeen>;

  constructor() {
    this.#server = Bun.serve<SocketSeen>({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request, server) => this.#answer(request, server),
      websocket: {
        open: (socket) => {
          this.sockets.push(socket);
          this.opened(socket);
        },
        message: (socket, text) => {
          const value: unknown = JSON.parse(String(text));
          this.received.push(value);
          this.message(value, socket);
        },
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    const { port } = this.#server;
    if (port === undefined) throw new Error("the server does not listen");
    return port;
  }

  stop(): Promise<void> {
    return this.#server.stop(true);
  }

  async #answer(request: Request, server: Server<SocketSeen>): Promise<Response | undefined> {
    const url = new URL(request.url);
    if (request.headers.get("Upgrade") === "websocket") {
      const protocol = request.headers.get("Sec-WebSocket-Protocol") ?? "";
      const headers: Record<string, string> = protocol === "" ? {} : { "Sec-WebSocket-Protocol": protocol };
      return server.upgrade(request, { data: { url, protocol }, headers }) ? undefined : new Response(null, { status: 400 });
    }
    const name = `${request.method} ${url.pathname}`;
    this.asked.push(name);
    const handler = this.routes.get(name);
    if (handler === undefined) return Response.json({ error: { code: "NOT_FOUND", message: "no such route" } }, { status: 404 });
    const text = await request.text();
    const answer = await handler(text === "" ? undefined : JSON.parse(text), request);
    return answer instanceof Response ? answer : Response.json(answer ?? {});
  }
}
