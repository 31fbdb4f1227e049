/**
 * What the service workers of the phone pages share: they serve their page's own files without a line.
 *
 * They answer for nothing else: no call of the API, no file of another page. A worker's text changes with every file of its page, so a
 * browser that looks at it notices a new page; the files come into a cache of their own and the last cache goes.
 */

declare const self: ServiceWorkerGlobalScope;
/** Put in by vite.config.ts: the page's path, its files, and what changes with any of them. */
declare const __PAGE__: string;
declare const __PAGE_FILES__: string[];
declare const __PAGE_VERSION__: string;

const CACHE_PREFIX = `jiming-${__PAGE__.slice(1)}-`;
const CACHE = CACHE_PREFIX + __PAGE_VERSION__;
const FILES = new Set(__PAGE_FILES__);

/** All or nothing; and a page that names other files than these comes from another version of the server. */
async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll([__PAGE__, ...FILES].map((path) => new Request(path, { cache: "reload" })));
  const text = await (await cache.match(__PAGE__))?.text();
  const named = [...(text ?? "").matchAll(/"(\/assets\/[^"]+)"/g)].map((match) => match[1] ?? "");
  if (named.length === 0 || !named.every((path) => FILES.has(path))) {
    await caches.delete(CACHE);
    throw new Error("the page and its worker are of different versions");
  }
  await self.skipWaiting();
}

async function activate(): Promise<void> {
  const old = (await caches.keys()).filter((name) => name.startsWith(CACHE_PREFIX) && name !== CACHE);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function answer(request: Request, path: string): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(request);
}

export function serveFiles(): void {
  self.addEventListener("install", (event) => event.waitUntil(install()));
  self.addEventListener("activate", (event) => event.waitUntil(activate()));
  self.addEventListener("fetch", (event) => {
    const { request } = event;
    const url = new URL(request.url);
    if (request.method !== "GET" || url.origin !== self.location.origin) return;
    // "/reports" begins with "/report" too and is none of ours
    const isPage = request.mode === "navigate" && (url.pathname === __PAGE__ || url.pathname === `${__PAGE__}/`);
    if (isPage) event.respondWith(answer(request, __PAGE__));
    else if (FILES.has(url.pathname)) event.respondWith(answer(request, url.pathname));
  });
}
