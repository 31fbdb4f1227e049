/** Snapshot and stream: a gap, a reset or a lost tail leads to a new snapshot that replaces everything. */
import { ref, shallowRef } from "vue";
import { ApiError, api } from "../api/client";
import type { Device, Heartbeat, IncidentItem, Meta, QuarantineItem, Rate, Storm } from "../api/types";
import { setTimeZone } from "../format";
import { user } from "../session";
import { putDevice, putIncident, putQuarantine, putStorm, replaceDevices, replaceIncidents, replaceQuarantine, replaceStorms } from "./board";
import { TailWatch, judge } from "./gap";

export type Connection = "off" | "live" | "stale";

/** Two heartbeats and a half. */
const STALE_MS = 5000;
const RETRY_MS = 500;
const REFILLED_SHOWN_MS = 8000;

export const connection = ref<Connection>("off");
export const isLoaded = ref(false);
export const revision = ref(0);
export const meta = shallowRef<Meta | null>(null);
/** The server's clock in milliseconds; runs on while nothing comes. */
export const now = ref(Date.now());
/** Between a heartbeat's sending and its arrival, in milliseconds. */
export const delay = ref(0);
/** How much rings, as the server counts it; null before the first heartbeat. */
export const rate = shallowRef<Rate | null>(null);
export const silentFor = ref(0);
export const hasUpdate = ref(false);
/** Changes that came after a break; null when there was none lately. */
export const refilled = ref<number | null>(null);

let source: EventSource | null = null;
let generation = 0;
let last = 0;
let heardAt = 0;
let offset: number | null = null;
let tail = new TailWatch();
let ticker: ReturnType<typeof setInterval> | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let breakAt: number | null = null;

export function start(): void {
  stop();
  heardAt = Date.now();
  ticker = setInterval(tick, 250);
  void load(generation);
}

export function stop(): void {
  generation += 1;
  clearInterval(ticker);
  clearTimeout(retry);
  source?.close();
  source = null;
  connection.value = "off";
  isLoaded.value = false;
  meta.value = null;
  rate.value = null;
  offset = null;
  breakAt = null;
}

function tick(): void {
  now.value = Date.now() + (offset ?? 0);
  silentFor.value = Date.now() - heardAt;
  if (silentFor.value <= STALE_MS) return;
  if (connection.value === "live") {
    connection.value = "stale";
    breakAt ??= last;
  }
  // a connection that only looks open is given up
  if (source !== null && silentFor.value > 2 * STALE_MS) again();
}

function again(isWhole = true): void {
  source?.close();
  source = null;
  clearTimeout(retry);
  const mine = generation;
  retry = setTimeout(() => (isWhole ? open(mine) : void load(mine)), RETRY_MS + Math.random() * RETRY_MS);
}

async function load(mine: number): Promise<void> {
  source?.close();
  source = null;
  try {
    meta.value ??= await api.meta();
    setTimeZone(meta.value.time_zone);
    offset ??= Date.parse(meta.value.server_time) - Date.now();
    const [incidents, found, cards] = await Promise.all([api.activeIncidents(), api.devices(), api.storms()]);
    if (mine !== generation) return;
    replaceIncidents(incidents.items);
    replaceDevices(found.items);
    replaceStorms(cards.items);
    void loadQuarantine();
    last = Math.min(incidents.revision, found.revision);
    revision.value = last;
    tail = new TailWatch();
    isLoaded.value = true;
    open(mine);
  } catch (e) {
    if (mine !== generation) return;
    if (e instanceof ApiError && e.problem.status === 401) {
      user.value = null;
      return;
    }
    again(false);
  }
}

/** Some roles may not read it; the screen says so itself. */
async function loadQuarantine(): Promise<void> {
  const page = await api.quarantine().catch(() => null);
  if (page !== null) replaceQuarantine(page.items);
}

function open(mine: number): void {
  if (mine !== generation) return;
  const stream = new EventSource(`/api/v1/live?from=${last}`);
  source = stream;
  const listen = <T>(name: string, take: (data: T, id: number) => void) =>
    stream.addEventListener(name, (event: MessageEvent<string>) => {
      if (stream !== source) return;
      heard();
      take(JSON.parse(event.data) as T, Number(event.lastEventId));
    });
  const change = <T>(name: string, put: (item: T) => void) =>
    listen<T>(name, (item, id) => {
      const verdict = judge(last, id);
      if (verdict === "gap") return void load(mine);
      if (verdict === "drop") return;
      last = id;
      revision.value = id;
      put(item);
    });
  change<IncidentItem>("incident", putIncident);
  change<Device>("device", putDevice);
  change<QuarantineItem>("quarantine", putQuarantine);
  change<Storm>("storm", putStorm);
  // no screen shows them yet; they count as revisions all the same
  change<unknown>("alarm", () => {});
  change<unknown>("maintenance", () => {});
  change<unknown>("notification", () => {});
  listen("reset", () => void load(mine));
  listen<Heartbeat>("hb", (heartbeat) => {
    const sent = Date.parse(heartbeat.server_time);
    const difference = sent - Date.now();
    offset = offset === null ? difference : Math.max(offset - 5, difference);
    delay.value = Math.max(0, Date.now() + offset - sent);
    rate.value = heartbeat.rate;
    hasUpdate.value = meta.value !== null && meta.value.ui_hash !== heartbeat.ui_hash;
    if (tail.isLost(last, heartbeat.revision)) void load(mine);
  });
  stream.onopen = () => stream === source && heard();
  stream.onerror = () => {
    if (stream !== source) return;
    // a refusal closes for good: the session may have ended
    again(stream.readyState !== EventSource.CLOSED);
  };
}

function heard(): void {
  heardAt = Date.now();
  silentFor.value = 0;
  if (breakAt !== null) {
    const from = breakAt;
    breakAt = null;
    setTimeout(() => {
      refilled.value = Math.max(0, last - from);
      setTimeout(() => (refilled.value = null), REFILLED_SHOWN_MS);
    }, 500);
  }
  connection.value = "live";
}
