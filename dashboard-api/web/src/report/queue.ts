/**
 * Reports that wait on the phone: kept first, sent when the line allows, followed until they are settled.
 *
 * A report is never dropped unsent, unless its writer removes it. It leaves twice when an answer was lost, under the same key, and is one
 * report on the server. Storage, network, time and chance are arguments; page and service worker run the same code, one at a time.
 */
import type { Photo } from "../phone/picture";
import type { Answer, Kept, NewReport, Refusal, Status, Taken } from "./types";

/** Reports that have not arrived yet. */
export const WAITING_MAX = 20;
/** Reports on the phone in all; the longest settled go first. */
export const HELD_MAX = 200;
/** A settled report stays on the phone so long. */
const SETTLED_MS = 90 * 24 * 3600_000;
const BACKOFF_FIRST_MS = 3000;
const BACKOFF_MAX_MS = 10 * 60_000;
/** The station lead may open a closed one again within a week; until then it is looked at now and then. */
const REOPENED_MS = 8 * 24 * 3600_000;
const LOOK_AGAIN_MS = 3600_000;
/** Reports asked for in one go: those that were not asked for the longest. */
const ASKED_MAX = 20;

export interface Store {
  all(): Promise<Kept[]>;
  /** One transaction: the report and the bytes of its photos. */
  add(report: Kept, photos: Map<string, Blob>): Promise<void>;
  /** Changes what is held now, in one transaction; nothing when it was removed meanwhile. */
  update(key: string, change: (held: Kept) => Kept): Promise<void>;
  /** Also removes photos that no other report has. */
  remove(key: string): Promise<void>;
  /** The photos of an arrived report need not stay. */
  removePhotos(report: Kept): Promise<void>;
  photo(hash: string): Promise<Blob | undefined>;
}

/** `again`: not now, perhaps later. `refused`: not like this. */
export type Reply<T> = { is: "ok"; value: T } | { is: "again"; after_ms?: number } | { is: "refused"; refusal: Refusal };

export interface Server {
  putPhoto(hash: string, bytes: Blob): Promise<Reply<void>>;
  post(key: string, report: NewReport): Promise<Reply<Taken>>;
  status(id: string, secret: string): Promise<Reply<Status>>;
  answer(id: string, key: string, secret: string, answer: Answer): Promise<Reply<void>>;
}

export interface World {
  store: Store;
  server: Server;
  now(): number;
  /** In [0, 1). */
  random(): number;
  /** A new UUID. */
  newKey(): string;
  newSecret(): string;
}

export type Sent = Omit<NewReport, "photos" | "secret">;

/** Closed, and nobody is asked. */
export function isSettled(report: Kept): boolean {
  return report.stage === "sent" && report.status?.state === "closed" && !report.status.asks && report.answer === undefined;
}

export function waiting(reports: Kept[]): Kept[] {
  return reports.filter((report) => report.stage !== "sent");
}

/** Keeps a report. Null: the phone holds as many unsent reports as it may; nothing was kept. */
export async function keep(world: World, body: Sent, photos: { photo: Photo; bytes: Blob }[]): Promise<Kept | null> {
  const held = await world.store.all();
  if (waiting(held).length >= WAITING_MAX) return null;
  if (held.length >= HELD_MAX) {
    const oldest = held.filter(isSettled).sort((a, b) => settledAt(a) - settledAt(b))[0];
    if (oldest === undefined) return null;
    await world.store.remove(oldest.key);
  }
  const report: Kept = {
    key: world.newKey(),
    secret: world.newSecret(),
    stage: "kept",
    body,
    photos: photos.map(({ photo }) => photo),
    kept_at: world.now(),
    tries: 0,
    next_at: 0,
  };
  await world.store.add(report, new Map(photos.map(({ photo, bytes }) => [photo.hash, bytes])));
  return report;
}

/** What a try that failed for now means for the next one. */
function postpone(world: World, tries: number, after_ms = 0): { tries: number; next_at: number } {
  const step = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(tries, 16));
  // jitter: phones that lost the same line do not come back at the same moment
  const wait = Math.max(step * (0.5 + world.random() / 2), Math.min(after_ms, BACKOFF_MAX_MS));
  return { tries: tries + 1, next_at: world.now() + wait };
}

/** The hub's disk is nearly full: it takes reports and no photos (RFC 4918, 11.5). */
export const NO_ROOM = 507;

/** Photos before the report, so that a report that arrived is whole. A hub without room for photos gets the report all the same. */
async function sendOne(world: World, report: Kept): Promise<void> {
  const { key, secret, body } = report;
  const left_out = new Set(report.left_out);
  const passed = new Set(report.passed);
  let reply: Reply<Taken | void> = { is: "ok", value: undefined };
  for (const { hash } of report.photos) {
    if (passed.has(hash) || left_out.has(hash) || reply.is !== "ok") continue;
    const bytes = await world.store.photo(hash);
    // what the phone itself has lost cannot be waited for: the server says that it is missing
    if (bytes !== undefined) reply = await world.server.putPhoto(hash, bytes);
    if (reply.is === "refused" && reply.refusal.status === NO_ROOM) {
      left_out.add(hash);
      reply = { is: "ok", value: undefined };
    } else if (reply.is === "ok") passed.add(hash);
  }
  const hashes = report.photos.map(({ hash }) => hash).filter((hash) => !left_out.has(hash));
  // under one key always the same report: what is left out now stays out
  if (left_out.size > 0) await world.store.update(key, (held) => ({ ...held, left_out: [...left_out] }));
  if (reply.is === "ok") reply = await world.server.post(key, { ...body, photos: hashes, secret });
  const outcome = reply;
  // a server does not keep photos without a report for ever: before the refusal is believed they go once more
  const isStale = outcome.is === "refused" && report.passed !== undefined && report.passed.length > 0;
  await world.store.update(key, (held) => {
    if (isStale) return { ...held, ...postpone(world, held.tries), passed: [] };
    if (outcome.is === "again") return { ...held, ...postpone(world, held.tries, outcome.after_ms), passed: [...passed] };
    if (outcome.is === "refused") return { ...held, stage: "refused", refusal: outcome.refusal };
    const { id, number } = outcome.value as Taken;
    return { ...held, stage: "sent", id, number, tries: 0, next_at: 0 };
  });
  if (outcome.is === "ok") await world.store.removePhotos(report);
}

async function sendAnswer(world: World, report: Kept): Promise<void> {
  if (report.answer === undefined || report.id === undefined) return;
  const { key, tries: _tries, next_at: _next, ...said } = report.answer;
  const reply = await world.server.answer(report.id, key, report.secret, said);
  await world.store.update(report.key, (held) => {
    if (held.answer === undefined) return held;
    if (reply.is === "again") return { ...held, answer: { ...held.answer, ...postpone(world, held.answer.tries, reply.after_ms) } };
    const { answer: _, ...rest } = held;
    return reply.is === "ok" ? rest : { ...rest, answer_refused: reply.refusal };
  });
}

/** Sends what is due, oldest first. `hurry`: the line is back or somebody asks, so nothing is too early. */
export async function send(world: World, hurry = false): Promise<void> {
  const isDue = (next_at: number) => hurry || next_at <= world.now();
  const held = (await world.store.all()).sort((a, b) => a.kept_at - b.kept_at);
  for (const report of held) {
    if (report.stage === "kept" && isDue(report.next_at)) await sendOne(world, report);
    else if (report.answer !== undefined && isDue(report.answer.next_at)) await sendAnswer(world, report);
  }
}

/** When the next try is due; null when nothing waits. */
export function nextAt(reports: Kept[]): number | null {
  const times = reports.flatMap((report) => [
    ...(report.stage === "kept" ? [report.next_at] : []),
    ...(report.answer === undefined ? [] : [report.answer.next_at]),
  ]);
  return times.length === 0 ? null : Math.min(...times);
}

function isWorthAsking(report: Kept, now: number): boolean {
  if (!isSettled(report)) return true;
  return now - settledAt(report) < REOPENED_MS && now - (report.status_at ?? 0) >= LOOK_AGAIN_MS;
}

/** Asks how those stand that go on. Stops at the first that is not answered: the line is away. */
export async function refresh(world: World): Promise<void> {
  const worth = (await world.store.all()).filter((report) => report.stage === "sent" && isWorthAsking(report, world.now()));
  worth.sort((a, b) => (a.status_at ?? 0) - (b.status_at ?? 0));
  for (const report of worth.slice(0, ASKED_MAX)) {
    if (report.id === undefined) continue;
    const reply = await world.server.status(report.id, report.secret);
    if (reply.is === "again") return;
    // one that the server no longer shows stays as it was last seen
    if (reply.is === "ok") await world.store.update(report.key, (held) => withStatus(held, reply.value, world.now()));
  }
}

function withStatus(held: Kept, status: Status, now: number): Kept {
  const { answer_refused, ...rest } = held;
  const isAskedAnew = status.asks && held.status?.asks === false;
  return { ...rest, ...(answer_refused === undefined || isAskedAnew ? {} : { answer_refused }), status, status_at: now };
}

/** Keeps an answer as a report is kept; the first one counts. */
export async function answer(world: World, key: string, said: Answer): Promise<void> {
  await world.store.update(key, (held) => {
    const { answer_refused: _, ...rest } = held;
    return held.answer === undefined ? { ...rest, answer: { ...said, key: world.newKey(), tries: 0, next_at: 0 } } : held;
  });
}

function settledAt(report: Kept): number {
  const last = report.status?.progress.at(-1)?.at;
  return last === undefined ? report.kept_at : Date.parse(last);
}

/** Forgets what has long been settled. */
export async function tidy(world: World): Promise<void> {
  for (const report of await world.store.all()) {
    if (isSettled(report) && settledAt(report) + SETTLED_MS <= world.now()) await world.store.remove(report.key);
  }
}
