/** The page's photos: what waits on this phone, and sending it while the page is open. */
import { shallowRef } from "vue";
import { alone } from "../phone/alone";
import { PhotoError, shrink } from "../phone/photo";
import type { Picture } from "../phone/picture";
import { newKey } from "../phone/random";
import { storage } from "../phone/storage";
import * as server from "./server";
import { type Shot, type Store, type World, keep, send } from "./shots";

/** As the hub takes it. */
const PHOTO_BYTES_MAX = 5 * 1024 * 1024;

const { read, change } = storage<"shots" | "bytes">("jiming-work", (made) => {
  made.createObjectStore("shots", { keyPath: "id" });
  made.createObjectStore("bytes");
});

export const shots = shallowRef<Shot[]>([]);
/** Names of photos that verbs wait with. */
let inVerbs: () => string[] = () => [];

const store: Store = {
  all: () => read("shots", (held) => held.getAll() as IDBRequest<Shot[]>),
  add: (shot, bytes) =>
    change(["shots", "bytes"], (held) => {
      held("shots").put(shot);
      held("bytes").put(bytes, shot.photo.hash);
    }),
  put: (shot) =>
    change(["shots"], (held) => {
      // one that was removed meanwhile stays so
      const known = held("shots").get(shot.id);
      known.onsuccess = () => known.result !== undefined && held("shots").put(shot);
    }),
  remove: (id) => change(["shots"], (held) => held("shots").delete(id)),
  bytes: bytesOf,
};

const world: World = {
  store,
  server: { putPhoto: server.putPhoto, version: server.version, note: server.note },
  now: () => Date.now(),
  random: () => Math.random(),
  newKey,
};

export function bytesOf(hash: string): Promise<Blob | undefined> {
  return read("bytes", (held) => held.get(hash) as IDBRequest<Blob | undefined>);
}

async function show(): Promise<void> {
  shots.value = (await store.all()).sort((a, b) => a.taken_at - b.taken_at);
}

/** Bytes that nothing waits with any more go. */
async function tidy(): Promise<void> {
  const used = new Set([...(await store.all()).map(({ photo }) => photo.hash), ...inVerbs()]);
  const held = (await read("bytes", (kept) => kept.getAllKeys())).map(String);
  const over = held.filter((hash) => !used.has(hash));
  if (over.length > 0) await change(["bytes"], (kept) => over.forEach((hash) => kept("bytes").delete(hash)));
}

export function make(file: Blob): Promise<Picture> {
  return shrink(file, PHOTO_BYTES_MAX);
}

export type Trouble = "bad" | "big" | "full" | "storage";

/** Takes a photo for the record of an incident. Null when it is kept. */
export async function take(of: Pick<Shot, "login" | "incident" | "number" | "note">, file: Blob): Promise<Trouble | null> {
  try {
    const picture = await make(file);
    if (!(await keep(world, of, picture))) return "full";
    await show();
    void navigator.storage?.persist?.().catch(() => undefined);
    void sendNow(of.login);
    return null;
  } catch (e) {
    return e instanceof PhotoError ? e.why : "storage";
  }
}

/** Keeps photos that a verb names, before it goes out. */
export async function keepForVerb(pictures: readonly Picture[]): Promise<void> {
  if (pictures.length > 0) await change(["bytes"], (kept) => pictures.forEach(({ photo, bytes }) => kept("bytes").put(bytes, photo.hash)));
}

let isWorking = false;
/** Sends what is due; a storage that fails shows nothing, and nothing is lost by it. */
export async function sendNow(login: string, hurry = true): Promise<void> {
  if (isWorking) return;
  isWorking = true;
  try {
    await alone("jiming-work", "skip", () => send(world, login, hurry));
    await tidy();
    await show();
  } catch {
    // no storage here: there was nothing to keep it in either
  } finally {
    isWorking = false;
  }
}

export function isDue(login: string): boolean {
  return shots.value.some((shot) => shot.login === login && shot.refused === undefined && shot.next_at <= Date.now());
}

export async function remove(shot: Shot): Promise<void> {
  await store.remove(shot.id);
  await tidy();
  await show();
}

/** Nothing of anybody stays on the phone. */
export async function forget(): Promise<void> {
  shots.value = [];
  await change(["shots", "bytes"], (held) => {
    held("shots").clear();
    held("bytes").clear();
  }).catch(() => undefined);
}

export async function begin(names: () => string[]): Promise<void> {
  inVerbs = names;
  await show().catch(() => undefined);
}
