/** The report page's service worker: serves the page without a line, and sends what waits when the browser calls. */
import { alone } from "../alone";
import { send, waiting } from "../../report/queue";
import { world } from "../../report/world";
import { serveFiles } from "./files";

declare const self: ServiceWorkerGlobalScope;

interface SyncEvent extends ExtendableEvent {
  readonly tag: string;
  readonly lastChance: boolean;
}

/** An error makes the browser call again later. */
async function sendWaiting(): Promise<void> {
  await alone("jiming-report", "wait", () => send(world, true));
  const channel = new BroadcastChannel("jiming-report");
  channel.postMessage("changed");
  channel.close();
  const held = await world.store.all();
  if (waiting(held).some(({ stage }) => stage === "kept") || held.some(({ answer }) => answer !== undefined)) {
    throw new Error("something still waits");
  }
}

serveFiles();
self.addEventListener("sync", (event) => (event as SyncEvent).waitUntil(sendWaiting()));
