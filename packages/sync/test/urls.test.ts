import { expect, test } from "bun:test";

import { eventStreamUrl, webSocketUrl } from "../src/urls.ts";

test.each([
  ["http://localhost:4321", "ws://localhost:4322"],
  ["https://app.example:8443/base", "wss://app.example:8444"],
  ["https://app.example", "wss://app.example"],
  ["https://app.example:443", "wss://app.example"],
  ["http://app.example:80/x", "ws://app.example"],
  ["http://[::1]:4321", "ws://[::1]:4322"],
])("the socket of %s is at %s", (base, socket) => {
  expect(webSocketUrl(base)).toBe(socket);
});

test.each([
  ["http://localhost:4321", "http://localhost:4323/events"],
  ["http://localhost:9000/base", "http://localhost:9002/events"],
  ["https://app.example:8443", "https://app.example:8445/events"],
  ["https://app.example/base", "https://app.example/events"],
  ["http://app.example:80", "http://app.example/events"],
  ["http://[::1]:4321", "http://[::1]:4323/events"],
])("the event stream of %s is at %s", (base, stream) => {
  expect(eventStreamUrl(base)).toBe(stream);
});
