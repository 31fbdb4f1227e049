/**
 * The phone page's service worker: serves the page's own files without a line, and sends what waits when the browser calls.
 *
 * It answers for nothing else: no call of the API, no file of the dashboard. Its text changes with every file of the page, so a browser
 * that looks at it notices a new page; the files come into a cache of their own and the last cache goes.
 */
import { alone } from "../alone";
import { send, waiting } from "../queue";
import { world } from "../world";

declare const self: ServiceWorkerGlobalScope;
/** Put in by vite.config.ts. */
declare const __PAGE_FILES__: string[];
declare const __PAGE_VERSION__: string;

interface SyncEvent extends ExtendableEvent {
  readonly tag: string;
  readonly lastChance: boolean;
}

const PAGE = "/report";
const CACHE_PREFIX = "jiming-report-";
const CACHE = CACHE_PREFIX + __PAGE_VERSION__;
const FILES = new Set(__PAGE_FILES__);

/** All or nothing; and a page that names other files than these comes from another version of the server. */
async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll([PAGE, ...FILES].map((path) => new Request(path, { cache: "reload" })));
  const text = await (await cache.match(PAGE))?.text();
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

/** An error makes the browser call again later. */
async function sendWaiting(): Promise<void> {
  await alone("wait", () => send(world, true));
  const channel = new BroadcastChannel("jiming-report");
  channel.postMessage("changed");
  channel.close();
  const held = await world.store.all();
  if (waiting(held).some(({ stage }) => stage === "kept") || held.some(({ answer }) => answer !== undefined)) {
    throw new Error("something still waits");
  }
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  // "/reports" begins with "/report" too and is none of ours
  const isPage = request.mode === "navigate" && (url.pathname === PAGE || url.pathname === `${PAGE}/`);
  if (isPage) event.respondWith(answer(request, PAGE));
  else if (FILES.has(url.pathname)) event.respondWith(answer(request, url.pathname));
});
self.addEventListener("sync", (event) => (event as SyncEvent).waitUntil(sendWaiting()));
