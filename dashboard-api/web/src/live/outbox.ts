/**
 * What was said and is not done yet: held back for a few seconds so that it can be taken back, on its way, or refused while nobody looked.
 *
 * It is held here and not taken back there. Until it is sent nothing has happened: the incident stays open, its clocks run, its alarm rings,
 * and the record holds no step that nobody meant. A workstation that dies in these seconds leaves the incident open, which is the safe side.
 */
import { computed, shallowRef } from "vue";

export const HELD_MS = 5000;
/** Refusals that nobody has read; older ones go. */
const ENTRIES_MAX = 20;

export interface What {
  incident: string;
  number: number;
  verb: string;
}

export interface Entry extends What {
  key: number;
  stage: "held" | "sending" | "refused";
  /** When it goes out, by this machine's clock. */
  due: number;
  /** Why it was refused. */
  why: string;
  /** Whether there is something to fill in again. */
  hasForm: boolean;
}

export interface Work {
  /** Sends it; why not, or null. */
  send: () => Promise<string | null>;
  /** Sends it while the page goes away: there is no time for anything else, and nobody to be told. */
  leave?: () => void;
  /** Back to where it was said. */
  back?: () => void;
}

interface Kept extends Entry {
  work: Work;
  timer: ReturnType<typeof setTimeout> | undefined;
}

let keys = 0;
let kept: readonly Kept[] = [];
export const entries = shallowRef<readonly Entry[]>([]);
/** Incidents of which something is under way: what is on the screen is about to change. */
export const underWay = computed<ReadonlyMap<string, Entry["stage"]>>(
  () => new Map(entries.value.filter((entry) => entry.stage !== "refused").map((entry) => [entry.incident, entry.stage])),
);

function put(next: readonly Kept[]): void {
  kept = next.slice(-ENTRIES_MAX);
  entries.value = kept.map(({ work: _, timer: __, ...entry }) => entry);
}

function change(key: number, to: Partial<Kept> | null): void {
  put(kept.flatMap((one) => (one.key !== key ? [one] : to === null ? [] : [{ ...one, ...to }])));
}

function add(what: What, work: Work, stage: Entry["stage"]): Kept {
  const { incident, number, verb } = what;
  const entry: Kept = { key: ++keys, incident, number, verb, stage, due: Date.now() + HELD_MS, why: "", hasForm: work.back !== undefined, work, timer: undefined };
  put([...kept, entry]);
  return entry;
}

async function send(entry: Kept): Promise<void> {
  clearTimeout(entry.timer);
  change(entry.key, { stage: "sending" });
  const why = await entry.work.send();
  change(entry.key, why === null ? null : { stage: "refused", why });
}

/** Sends it when it has not been taken back in time. */
export function hold(what: What, work: Work): void {
  const entry = add(what, work, "held");
  change(entry.key, { timer: setTimeout(() => sendKey(entry.key), HELD_MS) });
}

/** Sends it at once; only a refusal is told. */
export function begin(what: What, work: Work): void {
  void send(add(what, work, "sending"));
}

const find = (key: number) => kept.find((one) => one.key === key);

function sendKey(key: number): void {
  const entry = find(key);
  if (entry?.stage === "held") void send(entry);
}
export { sendKey as sendNow };

/** Before anything else about an incident: what was said first happens first. */
export function sendHeld(incident: string): void {
  for (const entry of kept) if (entry.incident === incident) sendKey(entry.key);
}

/** Takes back what was said last; false when nothing waits. */
export function undo(key = kept.findLast((one) => one.stage === "held")?.key): boolean {
  const entry = key === undefined ? undefined : find(key);
  if (entry === undefined || entry.stage === "sending") return false;
  clearTimeout(entry.timer);
  change(entry.key, null);
  entry.work.back?.();
  return true;
}

/** A refusal that was read. */
export function drop(key: number): void {
  if (find(key)?.stage === "refused") change(key, null);
}

/** The page goes away. */
export function leaveAll(): void {
  for (const entry of kept) {
    if (entry.stage !== "held") continue;
    clearTimeout(entry.timer);
    entry.work.leave?.();
  }
  put([]);
}

/** The user logs out: everything goes out before that. */
export async function sendAll(): Promise<void> {
  await Promise.all(kept.filter((one) => one.stage === "held").map(send));
}

if (typeof window !== "undefined") window.addEventListener("pagehide", leaveAll);
