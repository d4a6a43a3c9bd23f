/**
 * The service worker: keeps the page's own files, so that it opens without a network.
 *
 * The page itself is asked for first, and what was kept of it is for when nobody answers. What it loads has its content
 * in its name and is asked for once. Data is none of this one's business: the sync client keeps that.
 */

export {};

declare const self: ServiceWorkerGlobalScope;
/** Put in by the build: what to keep, and a name for this set of files. */
declare const KEPT: readonly string[];
declare const VERSION: string;

const CACHE = `todo-${VERSION}`;
/** How long a network that does not answer may hold up the page. */
const PATIENCE_MS = 3_000;

self.addEventListener("install", (event) => event.waitUntil(keep()));
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.mode === "navigate") event.respondWith(openPage(request));
  else if (KEPT.includes(new URL(request.url).pathname)) event.respondWith(kept(request));
});

async function keep(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(KEPT.map((path) => new Request(path, { cache: "reload" })));
  await self.skipWaiting();
}

async function takeOver(): Promise<void> {
  const older = (await caches.keys()).filter((name) => name !== CACHE);
  await Promise.all(older.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function openPage(request: Request): Promise<Response> {
  try {
    return await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    return kept(new Request("/"));
  }
}

async function kept(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}
