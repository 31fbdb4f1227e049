/**
 * The department's tasks as they are now: a list that is read, then changed by the feed; read again and again while there is no feed.
 *
 * Of the feed every kind of row counts as a revision, so that a hole is noticed; the rows of incidents are kept. Their tasks are not in the
 * feed: an incident that changed is read by itself.
 */
import { computed, ref, shallowRef } from "vue";
import type { Heartbeat, IncidentItem, User } from "../api/types";
import { TailWatch, judge } from "../live/gap";
import type { Picture } from "../phone/picture";
import { newKey } from "../phone/random";
import { type Asked, type Words, ask, asking, holderOf, settled } from "./ask";
import * as camera from "./camera";
import { type Kept, type Names, forgetKept, readKept, writeKept } from "./kept";
import * as server from "./server";
import { type Held, type Job, type WorkVerb, hold, isTheirs, jobsOf } from "./tasks";

/** `feed`: changes come by themselves; `polls`: the list is asked for; `off`: neither. */
export type Line = "feed" | "polls" | "off";

const TICK_MS = 500;
const SILENT_MS = 6000;
const POLL_MS = 10_000;
const RETRY_MS = 2000;
/** The list is written down at most so often; what could not be sent at once. */
const KEEP_MS = 5000;
/** Incidents read at a time. */
const READERS = 4;
const FEED_ROWS = ["alarm", "device", "maintenance", "quarantine", "notification", "storm", "command", "fire_mode", "hidden"] as const;
const MAY_ACT = new Set(["operator", "responder", "station_lead", "property_manager", "grid_captain", "administrator"]);

export const user = shallowRef<User | null>(null);
/** False until it is known whether somebody is logged in. */
export const isReady = ref(false);
export const department = ref("");
export const names = shallowRef<Names | null>(null);
const held = shallowRef<ReadonlyMap<string, Held>>(new Map());
export const unsent = shallowRef<ReadonlyMap<string, Asked>>(new Map());
export const line = ref<Line>("off");
/** The server's clock in milliseconds; runs on while nothing comes. */
export const now = ref(Date.now());
/** The server's time up to which the list is known; null before the first. */
export const asOf = ref<number | null>(null);
export const hasUpdate = ref(false);
/** The verb under way, by incident. */
export const busy = ref<{ id: string; verb: WorkVerb } | null>(null);
export interface Notice {
  key: "took" | "taken" | "moot" | "refused" | "forbidden" | "changed";
  verb: WorkVerb;
  number: number;
  /** Who has it; or why it was refused, by a word of the server's. */
  detail: string;
}
export const notices = shallowRef<ReadonlyMap<string, Notice>>(new Map());

export const me = computed(() => user.value?.login ?? "");
export const mayAct = computed(() => user.value !== null && MAY_ACT.has(user.value.role));
export const jobs = computed(() => {
  const all = jobsOf(held.value.values(), department.value, me.value);
  // what lies in another micro-grid is another captain's
  return user.value?.role === "grid_captain" ? all.filter(isTheirs) : all;
});

let source: EventSource | null = null;
let last = 0;
let heardAt = 0;
let openedAt = 0;
let loadedAt = 0;
let triedAt = 0;
let offset = 0;
let tail = new TailWatch();
let isLoading = false;
let uiHash: string | null = null;
let generation = 0;
/** Whose tasks and unsent verbs are held, also while the session is over. */
let whose: string | null = null;
let keepTimer: ReturnType<typeof setTimeout> | undefined;

const at = () => Date.now() + offset;

function keep(): void {
  keepTimer ??= setTimeout(keepNow, KEEP_MS);
}

function keepNow(): void {
  clearTimeout(keepTimer);
  keepTimer = undefined;
  if (user.value === null || names.value === null || asOf.value === null) return;
  const { departments, sites, rules, causes, time_zone, staff } = names.value;
  const kept: Kept = {
    user: user.value,
    department: department.value,
    names: { departments, sites, rules, causes, time_zone, staff },
    held: [...held.value.values()],
    as_of: asOf.value,
    unsent: [...unsent.value.values()],
  };
  writeKept(kept);
}

function setNotice(id: string, notice: Notice | null): void {
  const next = new Map(notices.value);
  if (notice === null) next.delete(id);
  else next.set(id, notice);
  notices.value = next;
}

function setUnsent(id: string, asked: Asked | null): void {
  const next = new Map(unsent.value);
  if (asked === null) next.delete(id);
  else next.set(id, asked);
  unsent.value = next;
  // it must outlast a phone that puts the page away
  keepNow();
}

function put(found: Held): void {
  const known = held.value.get(found.id);
  if (known !== undefined && known.version > found.version) return;
  const next = new Map(held.value);
  if (found.state === "dispatched") next.set(found.id, found);
  else next.delete(found.id);
  held.value = next;
  settle();
  keep();
}

/** What could not be sent may have arrived after all, or mean nothing any more. */
function settle(): void {
  for (const asked of unsent.value.values()) {
    const job = jobs.value.find((job) => job.held.id === asked.id);
    const now = settled(asked, job, me.value);
    if (now === "open" || busy.value?.id === asked.id) continue;
    setNotice(asked.id, { key: now === "done" ? "took" : "moot", verb: asked.verb, number: asked.number, detail: job?.task.holder ?? "" });
    setUnsent(asked.id, null);
  }
}

function isMine(item: IncidentItem): boolean {
  return item.departments.includes(department.value);
}

const reading = new Set<string>();
/** Reads one incident; false when the line failed. */
async function readOne(id: string): Promise<boolean> {
  if (reading.has(id)) return true;
  reading.add(id);
  const mine = generation;
  try {
    const answer = await server.incident(id);
    if (mine !== generation) return false;
    if (answer.is === "ok") put(hold(answer.value));
    return answer.is !== "lost";
  } finally {
    reading.delete(id);
  }
}

/** Notes and photos are no step of the work: they come with a revision and leave the version. */
function isOlder(known: Held, item: IncidentItem): boolean {
  return known.version < item.version || (known.version === item.version && known.revision < item.revision);
}

async function changed(item: IncidentItem): Promise<void> {
  const known = held.value.get(item.id);
  if (known === undefined && (item.state !== "dispatched" || !isMine(item))) return;
  if (known !== undefined && !isOlder(known, item)) return;
  // one more event of the detector is no news of the work
  if (known?.version === item.version && known.count !== item.count) return put({ ...known, ...item });
  if (item.state !== "dispatched" && known !== undefined) return put({ ...known, ...item });
  if (!(await readOne(item.id))) return load();
  // it went on while it was read
  const read = held.value.get(item.id);
  if (read !== undefined && read.version < item.version) void readOne(item.id);
}

/** The session is over: whoever comes back finds what was not sent. */
function lapse(): void {
  keepNow();
  generation += 1;
  source?.close();
  source = null;
  user.value = null;
  line.value = "off";
}

/** Nothing of this user stays on the phone. */
function end(): void {
  lapse();
  whose = null;
  department.value = "";
  held.value = new Map();
  unsent.value = new Map();
  notices.value = new Map();
  asOf.value = null;
  names.value = null;
  uiHash = null;
  forgetKept();
  void camera.forget();
}

/** Everything again: names once, the list, and of the list what is not known in this version. */
async function load(): Promise<void> {
  if (isLoading || user.value === null) return;
  isLoading = true;
  triedAt = Date.now();
  const mine = generation;
  try {
    if (uiHash === null) {
      const answer = await server.meta();
      if (mine !== generation) return;
      if (answer.is === "refused" && answer.problem.status === 401) return lapse();
      if (answer.is !== "ok") return;
      names.value = answer.value;
      uiHash = answer.value.ui_hash;
      offset = Date.parse(answer.value.server_time) - Date.now();
      if (department.value === "") department.value = user.value?.department ?? answer.value.departments[0]?.id ?? "";
    }
    const items: IncidentItem[] = [];
    const began = at();
    let revision: number | null = null;
    for (let cursor: string | null = null, isFirst = true; isFirst || cursor !== null; isFirst = false) {
      const answer = await server.incidents(department.value, cursor);
      if (mine !== generation) return;
      if (answer.is === "refused" && answer.problem.status === 401) return lapse();
      if (answer.is !== "ok") return;
      items.push(...answer.value.items);
      revision ??= answer.value.revision;
      cursor = answer.value.next;
    }
    const found = new Map<string, Held>();
    const missing: string[] = [];
    for (const item of items) {
      const known = held.value.get(item.id);
      if (known !== undefined && !isOlder(known, item)) found.set(item.id, known);
      else missing.push(item.id);
    }
    let isWhole = true;
    const reader = async () => {
      for (let id = missing.shift(); id !== undefined; id = missing.shift()) {
        const answer = await server.incident(id);
        if (answer.is === "ok") found.set(id, hold(answer.value));
        else if (answer.is === "lost") isWhole = false;
      }
    };
    await Promise.all(Array.from({ length: READERS }, reader));
    if (mine !== generation) return;
    // what the line did not carry stays as it was; the age of the list too
    if (!isWhole) for (const [id, known] of held.value) if (!found.has(id)) found.set(id, known);
    // a stream still open may have brought something newer meanwhile
    for (const [id, known] of held.value) if ((found.get(id)?.version ?? Infinity) < known.version) found.set(id, known);
    held.value = found;
    settle();
    if (!isWhole) return;
    asOf.value = began;
    loadedAt = Date.now();
    last = revision ?? 0;
    tail = new TailWatch();
    keepNow();
    open();
  } finally {
    isLoading = false;
    if (mine === generation) isReady.value = true;
  }
}

function open(): void {
  source?.close();
  const stream = new EventSource(`/api/v1/live?from=${last}`);
  source = stream;
  openedAt = Date.now();
  const listen = <T>(name: string, take: (data: T, id: number) => void) =>
    stream.addEventListener(name, (event: MessageEvent<string>) => {
      if (stream !== source) return;
      heardAt = Date.now();
      take(JSON.parse(event.data) as T, Number(event.lastEventId));
    });
  const change = <T>(name: string, take: (item: T) => void) =>
    listen<T>(name, (item, id) => {
      const verdict = judge(last, id);
      if (verdict === "gap") return void load();
      if (verdict === "drop") return;
      last = id;
      take(item);
    });
  change<IncidentItem>("incident", (item) => void changed(item));
  // not shown here; they count as revisions all the same
  for (const name of FEED_ROWS) change<unknown>(name, () => {});
  listen("reset", () => void load());
  listen<Heartbeat>("hb", (heartbeat) => {
    const sent = Date.parse(heartbeat.server_time);
    offset = Math.max(offset - 5, sent - Date.now());
    if (uiHash !== null && heartbeat.ui_hash !== uiHash) hasUpdate.value = true;
    if (tail.isLost(last, heartbeat.revision)) return void load();
    if (last >= heartbeat.revision && reading.size === 0) {
      asOf.value = sent;
      keep();
    }
  });
  stream.onopen = () => stream === source && (heardAt = Date.now());
  stream.onerror = () => {
    if (stream !== source) return;
    stream.close();
    source = null;
  };
}

function tick(): void {
  now.value = at();
  if (user.value === null) return;
  if (line.value !== "off" && camera.isDue(user.value.login)) void camera.sendNow(user.value.login, false);
  const silent = Date.now() - heardAt;
  const isHeard = source !== null && silent <= SILENT_MS;
  const isFresh = Date.now() - loadedAt <= POLL_MS + SILENT_MS;
  line.value = isHeard ? "feed" : isFresh ? "polls" : "off";
  if (isHeard || isLoading || document.visibilityState === "hidden") return;
  // a stream that only looks open is given up
  if (source !== null && Date.now() - Math.max(openedAt, heardAt) > SILENT_MS) {
    source.close();
    source = null;
  }
  const wait = line.value === "polls" ? POLL_MS : RETRY_MS;
  if (source === null && Date.now() - triedAt >= wait) void load();
}

async function enter(found: User): Promise<void> {
  // another person's list is nobody's business here
  if (whose !== null && whose !== found.login) end();
  whose = found.login;
  user.value = found;
  void camera.sendNow(found.login);
  if (found.department !== null && found.department !== department.value) {
    department.value = found.department;
    held.value = new Map();
  }
  await load();
  isReady.value = true;
}

export async function start(): Promise<void> {
  const kept = readKept();
  await camera.begin(() => [...unsent.value.values()].flatMap(({ body }) => (body.evidence ?? []).map(({ reference }) => reference)));
  if (kept !== null) {
    user.value = kept.user;
    whose = kept.user.login;
    department.value = kept.department;
    names.value = kept.names;
    held.value = new Map(kept.held.map((incident) => [incident.id, incident]));
    unsent.value = new Map(kept.unsent.map((asked) => [asked.id, asked]));
    asOf.value = kept.as_of;
    isReady.value = true;
  }
  setInterval(tick, TICK_MS);
  addEventListener("pagehide", keepNow);
  addEventListener("online", () => {
    void load();
    if (user.value !== null) void camera.sendNow(user.value.login);
  });
  // a stream may look open for long when there is no network any more
  addEventListener("offline", () => {
    source?.close();
    source = null;
    heardAt = loadedAt = 0;
    tick();
  });
  document.addEventListener("visibilitychange", tick);
  const answer = await server.session();
  if (answer.is === "ok") return enter(answer.value.user);
  if (answer.is === "refused") lapse();
  isReady.value = true;
}

export async function logIn(login: string, password: string, code: string): Promise<"ok" | "refused" | "throttled" | "lost" | "code_wanted" | "code_wrong"> {
  const answer = await server.logIn(login, password, code);
  if (answer.is === "lost") return "lost";
  if (answer.is === "refused" && (answer.problem.code === "code_wanted" || answer.problem.code === "code_wrong")) return answer.problem.code;
  if (answer.is === "refused") return answer.problem.status === 429 ? "throttled" : "refused";
  await enter(answer.value.user);
  return "ok";
}

export async function logOut(): Promise<boolean> {
  // while the cookie lives, the next person would be this one
  if ((await server.logOut()).is === "lost") return false;
  end();
  return true;
}

export function chooseDepartment(id: string): void {
  generation += 1;
  source?.close();
  source = null;
  isLoading = false;
  department.value = id;
  held.value = new Map();
  asOf.value = null;
  void load();
}

async function send(asked: Asked): Promise<boolean> {
  if (busy.value !== null) return false;
  busy.value = { id: asked.id, verb: asked.verb };
  setNotice(asked.id, null);
  // before it goes out: a page that is put away meanwhile still knows its key
  setUnsent(asked.id, asked);
  const mine = generation;
  try {
    const done = await ask(asked, (said) => server.postWithPhotos(said, camera.bytesOf), newKey);
    if (mine !== generation) return false;
    const { reply } = done;
    if (reply.is === "unsent") {
      setUnsent(asked.id, done.asked);
      return false;
    }
    if (reply.is === "refused" && reply.refusal.status === 401) {
      setUnsent(asked.id, done.asked);
      lapse();
      return false;
    }
    setUnsent(asked.id, null);
    if (reply.is === "ok") {
      put(hold(reply.incident));
      setNotice(asked.id, { key: "took", verb: asked.verb, number: asked.number, detail: "" });
      return true;
    }
    const { refusal, current } = reply;
    const holder = holderOf({ refusal, current }, asked);
    const isTaken = holder !== null && holder !== me.value;
    const key = refusal.status === 403 ? "forbidden" : isTaken ? "taken" : refusal.code === "version_conflict" ? "changed" : "refused";
    setNotice(asked.id, { key, verb: asked.verb, number: asked.number, detail: isTaken ? holder : (refusal.reason ?? refusal.code) });
    if (current !== null) put(hold(current));
    else void readOne(asked.id);
    return false;
  } finally {
    busy.value = null;
    settle();
  }
}

/** True: the server has done it. Photos that the words name are on the phone before it goes out. */
export async function act(job: Job, verb: WorkVerb, words: Words = {}, pictures: readonly Picture[] = []): Promise<boolean> {
  await camera.keepForVerb(pictures);
  return send(asking(job, verb, words, newKey(), at()));
}

/** The same again, under the same key. */
export function sendAgain(asked: Asked): void {
  void send(asked);
}

export function giveUp(asked: Asked): void {
  setUnsent(asked.id, null);
}

export function clearNotice(id: string): void {
  setNotice(id, null);
}
