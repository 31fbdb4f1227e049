/** What is on the board: a plain sorted array that is changed in place, and a copy for the screen at most every 100 ms. */
import { shallowRef } from "vue";
import type { Device, FireMode, IncidentItem, QuarantineItem, Storm } from "../api/types";
import { insert, isOlder, isOnBoard, remove } from "./order";
import { QUARANTINE_ROWS, withFire } from "./picture";

const PAINT_MS = 100;
/** When no frame came for so long, none is waited for. */
const LATE_MS = 200;

/** Copies: what reads them sees a change only when they are replaced. */
export const rows = shallowRef<readonly IncidentItem[]>([]);
export const devices = shallowRef<readonly Device[]>([]);
export const quarantine = shallowRef<readonly QuarantineItem[]>([]);
/** Fire modes that are not over. */
export const fires = shallowRef<readonly FireMode[]>([]);
export const storms = shallowRef<ReadonlyMap<string, Storm>>(new Map());

const sorted: IncidentItem[] = [];
const byId = new Map<string, IncidentItem>();
const deviceById = new Map<string, Device>();
const stormById = new Map<string, Storm>();
let waiting: QuarantineItem[] = [];
let dirty = { rows: false, devices: false, quarantine: false, storms: false };
let timer: ReturnType<typeof setTimeout> | undefined;
let late: ReturnType<typeof setTimeout> | undefined;

function schedule(): void {
  timer ??= setTimeout(() => {
    timer = undefined;
    if (document.hidden) return publish();
    requestAnimationFrame(publish);
    // a tab that is not painted gets no frames, but its alarm sound needs the rows
    late ??= setTimeout(publish, LATE_MS);
  }, PAINT_MS);
}

function publish(): void {
  clearTimeout(late);
  late = undefined;
  if (dirty.rows) rows.value = sorted.slice();
  if (dirty.devices) devices.value = [...deviceById.values()];
  if (dirty.quarantine) quarantine.value = waiting.slice();
  if (dirty.storms) storms.value = new Map(stormById);
  dirty = { rows: false, devices: false, quarantine: false, storms: false };
}

/** The latest, without waiting for the next paint. */
export function current(id: string): IncidentItem | undefined {
  return byId.get(id);
}

export function replaceIncidents(items: readonly IncidentItem[]): void {
  byId.clear();
  sorted.length = 0;
  for (const item of items) if (isOnBoard(item.state)) byId.set(item.id, item);
  for (const item of byId.values()) insert(sorted, item);
  dirty.rows = true;
  publish();
}

/** An older version of what is there changes nothing. */
export function putIncident(item: IncidentItem): void {
  const before = byId.get(item.id);
  if (before !== undefined) {
    if (isOlder(item, before)) return;
    remove(sorted, before);
    byId.delete(item.id);
  }
  if (isOnBoard(item.state)) {
    byId.set(item.id, item);
    insert(sorted, item);
  }
  dirty.rows = true;
  schedule();
}

export function replaceDevices(items: readonly Device[]): void {
  deviceById.clear();
  for (const item of items) deviceById.set(item.id, item);
  dirty.devices = true;
  publish();
}

export function putDevice(item: Device): void {
  deviceById.set(item.id, item);
  dirty.devices = true;
  schedule();
}

export function replaceStorms(items: readonly Storm[]): void {
  stormById.clear();
  for (const item of items) stormById.set(item.id, item);
  dirty.storms = true;
  publish();
}

export function putStorm(item: Storm): void {
  stormById.set(item.id, item);
  dirty.storms = true;
  schedule();
}

export function replaceFires(items: readonly FireMode[]): void {
  fires.value = items;
}

export function putFire(item: FireMode): void {
  fires.value = withFire(fires.value, item);
}

export function replaceQuarantine(items: readonly QuarantineItem[]): void {
  waiting = [...items];
  dirty.quarantine = true;
  publish();
}

export function putQuarantine(item: QuarantineItem): void {
  waiting = [item, ...waiting.filter((other) => other.id !== item.id)].slice(0, QUARANTINE_ROWS);
  dirty.quarantine = true;
  schedule();
}
