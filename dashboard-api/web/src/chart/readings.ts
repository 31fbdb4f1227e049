/** Numbers of a device over time, out of its events: one series for each name. */
import { answered, client } from "../api/client";
import type { components } from "../api/schema";

export type Reading = Pick<components["schemas"]["Event"], "occurred_at" | "attrs">;

/** Of one span: what says more is shown from its newest on. */
const PAGES_MAX = 3;
const PAGE = 1000;
/** Numbers that are no readings: names, counters, settings. */
const NOT_READ: readonly string[] = ["boot", "epoch", "heartbeat_s", "count", "seq", "number", "schema"];
/** A pause of more than so many usual intervals is a gap. */
const GAP_INTERVALS = 2;

/** The newest first; bounded. */
export async function readReadings(device: string, from: number, to: number): Promise<Reading[]> {
  const query = { device, from: new Date(from).toISOString(), to: new Date(to).toISOString(), limit: PAGE };
  const items: Reading[] = [];
  for (let cursor: string | null = null, n = 0; n < PAGES_MAX && (n === 0 || cursor !== null); n += 1) {
    const page: { items: Reading[]; next: string | null } = await answered(
      client.GET("/api/v1/events", { params: { query: { ...query, ...(cursor === null ? {} : { cursor }) } } }),
    );
    items.push(...page.items);
    cursor = page.next;
  }
  return items;
}

export interface Series {
  name: string;
  /** Seconds, ascending. */
  at: number[];
  values: number[];
}

/** `events` in any order; the names in the order in which they are first met. */
export function seriesOf(events: readonly Reading[]): Series[] {
  const found = new Map<string, [number, number][]>();
  for (const { occurred_at, attrs } of events) {
    const at = Date.parse(occurred_at) / 1000;
    if (Number.isNaN(at)) continue;
    for (const [name, value] of Object.entries(attrs)) {
      if (typeof value !== "number" || !Number.isFinite(value) || NOT_READ.includes(name)) continue;
      const points = found.get(name);
      if (points === undefined) found.set(name, [[at, value]]);
      else points.push([at, value]);
    }
  }
  return [...found].map(([name, points]) => {
    points.sort((a, b) => a[0] - b[0]);
    return { name, at: points.map(([at]) => at), values: points.map(([, value]) => value) };
  });
}

/** With an empty point in every gap: a line over a time of which nothing is known would be a claim. */
export function withGaps({ at, values }: Series): [number[], (number | null)[]] {
  const steps = at.slice(1).map((time, index) => time - at[index]!);
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? 0;
  const times: number[] = [];
  const shown: (number | null)[] = [];
  at.forEach((time, index) => {
    const before = at[index - 1];
    if (before !== undefined && usual > 0 && time - before > GAP_INTERVALS * usual) {
      times.push((before + time) / 2);
      shown.push(null);
    }
    times.push(time);
    shown.push(values[index]!);
  });
  return [times, shown];
}
