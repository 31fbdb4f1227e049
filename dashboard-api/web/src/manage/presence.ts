/** How much of a span a device was online, and how much it said in each hour: computed from its own events. */
import type { HistoryEvent } from "./calls";

const HOUR_MS = 3_600_000;

export interface Presence {
  /** 0 to 1, of the time of which something is known; null when nothing is. */
  share: number | null;
  /** From when on it is known, in milliseconds. */
  knownFrom: number;
  /** How often it went away. */
  losses: number;
}

type Said = Pick<HistoryEvent, "kind" | "received_at">;

/** `events`: `device.online` and `device.offline` of the span, and the last of them before it, in any order. */
export function presence(events: readonly Said[], from: number, to: number): Presence {
  const steps = events
    .map((event) => ({ at: Date.parse(event.received_at), isOnline: event.kind === "device.online" }))
    .filter((step) => step.at <= to)
    .sort((a, b) => a.at - b.at);
  const first = steps[0];
  if (first === undefined) return { share: null, knownFrom: to, losses: 0 };
  const knownFrom = Math.max(from, first.at);
  let online = 0;
  let losses = 0;
  let was = first;
  for (const step of steps.slice(1)) {
    if (was.isOnline) online += Math.max(0, step.at - Math.max(was.at, from));
    if (was.isOnline && !step.isOnline && step.at >= from) losses += 1;
    was = step;
  }
  if (was.isOnline) online += to - Math.max(was.at, from);
  return { share: to > knownFrom ? online / (to - knownFrom) : null, knownFrom, losses };
}

export interface Hour {
  start: number;
  count: number;
}

/** Counts per hour of the span, oldest first; hours that lie before `knownFrom` are left out. */
export function hourly(at: readonly number[], from: number, to: number, knownFrom = from): Hour[] {
  const hours: Hour[] = [];
  const byStart = new Map<number, Hour>();
  for (let start = Math.floor(from / HOUR_MS) * HOUR_MS; start < to; start += HOUR_MS) {
    if (start + HOUR_MS <= knownFrom) continue;
    const hour = { start, count: 0 };
    byStart.set(start, hour);
    hours.push(hour);
  }
  for (const time of at) {
    const hour = byStart.get(Math.floor(time / HOUR_MS) * HOUR_MS);
    if (hour !== undefined) hour.count += 1;
  }
  return hours;
}
