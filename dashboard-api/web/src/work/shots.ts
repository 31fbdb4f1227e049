/**
 * Photos taken at a task: kept on the phone first, and sent when the line allows, each with a note of its own.
 *
 * A photo adds to the record and decides nothing, so it may go out late and by itself; verbs may not (`ask.ts`). It is a note once: what goes out
 * under a key is written down before, and a new key is made only when the hub has said that nothing came of the last one. Storage, network,
 * time and chance are arguments.
 */
import type { Photo, Picture } from "../phone/picture";

/** Photos that wait on one phone. */
export const SHOTS_MAX = 20;
const BACKOFF_FIRST_MS = 3000;
const BACKOFF_MAX_MS = 5 * 60_000;
/** How often a version is made up for within one try. */
const VERSIONS_MAX = 3;

export interface Shot {
  id: string;
  /** Whose: nobody else sends it. */
  login: string;
  incident: string;
  number: number;
  photo: Photo;
  note: string;
  taken_at: number;
  /** The hub has its bytes. */
  isThere: boolean;
  /** The note's key, and the version with which it goes out; null before it has gone out. */
  key: string;
  version: number | null;
  tries: number;
  next_at: number;
  /** Why it was not taken, by a word of the hub's. */
  refused?: string;
}

export interface Store {
  all(): Promise<Shot[]>;
  add(shot: Shot, bytes: Blob): Promise<void>;
  put(shot: Shot): Promise<void>;
  remove(id: string): Promise<void>;
  bytes(hash: string): Promise<Blob | undefined>;
}

/** `lost`: no answer, or not now. */
export type Reply<T> = { is: "ok"; value: T } | { is: "lost" } | { is: "refused"; code: string; status: number; version: number | null };

export interface Server {
  putPhoto(incident: string, hash: string, bytes: Blob): Promise<Reply<unknown>>;
  version(incident: string): Promise<Reply<number>>;
  note(shot: Shot, version: number): Promise<Reply<unknown>>;
}

export interface World {
  store: Store;
  server: Server;
  now(): number;
  /** In [0, 1). */
  random(): number;
  newKey(): string;
}

/** Keeps a photo. False: as many wait as may. */
export async function keep(world: World, of: Pick<Shot, "login" | "incident" | "number" | "note">, { photo, bytes }: Picture): Promise<boolean> {
  if ((await world.store.all()).length >= SHOTS_MAX) return false;
  const id = world.newKey();
  await world.store.add({ ...of, id, photo, taken_at: world.now(), isThere: false, key: world.newKey(), version: null, tries: 0, next_at: 0 }, bytes);
  return true;
}

function postponed(world: World, shot: Shot): Shot {
  const step = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(shot.tries, 10));
  return { ...shot, tries: shot.tries + 1, next_at: world.now() + step * (0.5 + world.random() / 2) };
}

/** Not now: no answer, or nobody is logged in. */
function isLater<T>(reply: Reply<T>): boolean {
  return reply.is === "lost" || (reply.is === "refused" && reply.status === 401);
}

async function sendOne(world: World, shot: Shot): Promise<void> {
  const { store, server } = world;
  const later = () => store.put(postponed(world, shot));
  const refused = (code: string) => store.put({ ...shot, refused: code });
  if (!shot.isThere) {
    const bytes = await store.bytes(shot.photo.hash);
    if (bytes === undefined) return refused("photo_lost");
    const reply = await server.putPhoto(shot.incident, shot.photo.hash, bytes);
    if (isLater(reply) || (reply.is === "refused" && reply.code === "no_room")) return later();
    if (reply.is === "refused") return refused(reply.code);
    shot = { ...shot, isThere: true };
    await store.put(shot);
  }
  if (shot.version === null) {
    const reply = await server.version(shot.incident);
    if (isLater(reply)) return later();
    if (reply.is === "refused") return refused(reply.code);
    if (reply.is === "ok") shot = { ...shot, version: reply.value };
    await store.put(shot);
  }
  for (let n = 0; n < VERSIONS_MAX && shot.version !== null; n += 1) {
    const reply = await server.note(shot, shot.version);
    if (reply.is === "ok") return store.remove(shot.id);
    if (isLater(reply) || reply.is === "lost") return later();
    // the hub keeps no photo for ever that nothing names
    if (reply.status === 422 && reply.code !== "key_reused") return store.put({ ...postponed(world, shot), isThere: false });
    if (reply.code !== "version_conflict" || reply.version === null) return refused(reply.code);
    // nothing came of it: it goes out anew, as something else
    shot = { ...shot, key: world.newKey(), version: reply.version };
    await store.put(shot);
  }
  return later();
}

/** Sends what is due of a user's, oldest first. `hurry`: the line is back, so nothing is too early. */
export async function send(world: World, login: string, hurry = false): Promise<void> {
  const all = (await world.store.all()).sort((a, b) => a.taken_at - b.taken_at);
  for (const shot of all) {
    if (shot.login === login && shot.refused === undefined && (hurry || shot.next_at <= world.now())) await sendOne(world, shot);
  }
}
