/** What the screens know of the live feed: whether it is live, what time it is there, and the board that it brings. */
import { ref, shallowRef } from "vue";
import type { Meta, Rate } from "../api/types";
import { setTimeZone } from "../format";
import { isLocked, restore, sessionEnded, user } from "../session";
import { isSilenced, soundIn } from "../sound";
import { putDevice, putFire, putIncident, putQuarantine, putStorm, replaceDevices, replaceFires, replaceIncidents, replaceQuarantine, replaceStorms } from "./board";
import { STALE_MS } from "./line";
import { type Link, link } from "./link";
import type { Change, Pulse, Snapshot, ToTab } from "./messages";

/** `off`: nothing has come yet. */
export type Connection = "off" | "live" | "stale";

const TICK_MS = 250;
const REFILL_MS = 500;
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
/** Since the last heartbeat, in milliseconds. */
export const silentFor = ref(0);
export const hasUpdate = ref(false);
/** Changes that came after a break; null when there was none lately. */
export const refilled = ref<number | null>(null);

let source: Link | null = null;
let heardAt = 0;
let offset: number | null = null;
let ticker: ReturnType<typeof setInterval> | undefined;
let breakAt: number | null = null;
let ringing: () => void = () => undefined;
let touched: (incident: string | null) => void = () => undefined;

/** Called a few times a second, also while the tab is hidden. */
export function onTick(ring: () => void): void {
  ringing = ring;
}

/** Called when an alarm of an incident has changed, or who is told of it; with null when that may be so of any. The board does not hold these. */
export function onTouched(touch: (incident: string | null) => void): void {
  touched = touch;
}

/** For this user; also when the session has begun anew. */
export function start(login: string): void {
  if (source === null) {
    heardAt = Date.now();
    // what is shown runs on when the source is dead, too
    ticker = setInterval(look, TICK_MS);
    source = link(take, (next) => {
      source = next;
      if (user.value !== null) next.join(user.value.login);
    });
  }
  source.join(login);
}

export function stop(): void {
  clearInterval(ticker);
  source?.leave();
  source = null;
  connection.value = "off";
  isLoaded.value = false;
  meta.value = null;
  rate.value = null;
  offset = null;
  breakAt = null;
}

/** In all tabs. */
export function silence(): void {
  isSilenced.value = true;
  source?.silence();
}

function look(): void {
  now.value = Date.now() + (offset ?? 0);
  silentFor.value = Date.now() - heardAt;
  if (silentFor.value <= STALE_MS || connection.value !== "live") return;
  connection.value = "stale";
  breakAt ??= revision.value;
}

function take(message: ToTab): void {
  switch (message.is) {
    case "snapshot":
      return show(message.snapshot);
    case "changes":
      return message.changes.forEach(apply);
    case "pulse":
      return heard(message.pulse);
    case "silence":
      isSilenced.value = true;
      return;
    case "ended":
      return sessionEnded();
    case "tick":
      soundIn.value = message.sound;
      look();
      return ringing();
  }
}

function show(snapshot: Snapshot): void {
  // somebody logged in, in another tab
  if (user.value !== null && snapshot.login !== user.value.login) void restore();
  else isLocked.value = false;
  meta.value = snapshot.meta;
  setTimeZone(snapshot.meta.time_zone);
  replaceIncidents(snapshot.incidents);
  replaceDevices(snapshot.devices);
  replaceStorms(snapshot.storms);
  replaceFires(snapshot.fires);
  replaceQuarantine(snapshot.quarantine ?? []);
  revision.value = snapshot.revision;
  isLoaded.value = true;
  touched(null);
}

function apply(change: Change): void {
  // what was on its way when the tab joined is in its snapshot
  if (change.revision <= revision.value) return;
  revision.value = change.revision;
  if (change.kind === "incident") putIncident(change.item);
  else if (change.kind === "device") putDevice(change.item);
  else if (change.kind === "quarantine") putQuarantine(change.item);
  else if (change.kind === "storm") putStorm(change.item);
  else if (change.kind === "fire") putFire(change.item);
  else if (change.kind === "about" && change.incident !== null) touched(change.incident);
}

function heard(pulse: Pulse): void {
  heardAt = Date.now();
  silentFor.value = 0;
  offset = pulse.offset;
  delay.value = pulse.delay;
  rate.value = pulse.rate;
  hasUpdate.value = meta.value !== null && pulse.uiHash !== null && meta.value.ui_hash !== pulse.uiHash;
  connection.value = "live";
  if (breakAt === null) return;
  const from = breakAt;
  breakAt = null;
  setTimeout(() => {
    refilled.value = Math.max(0, revision.value - from);
    setTimeout(() => (refilled.value = null), REFILLED_SHOWN_MS);
  }, REFILL_MS);
}
