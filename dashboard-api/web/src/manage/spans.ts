/** Spans of the history, as people ask for them. */
import { dayStart, toInstant } from "./zoned";

const HOUR_MS = 3_600_000;

export const SPANS = ["hour", "today", "day", "week", "free"] as const;
export type Span = (typeof SPANS)[number];

/** `to` is null while the span goes on; null when what was written is no span. */
export function spanOf(span: string, from: string, to: string, now: number, timeZone: string): { from: number; to: number | null } | null {
  switch (span) {
    case "hour":
      return { from: now - HOUR_MS, to: null };
    case "today":
      return { from: dayStart(now, timeZone), to: null };
    case "week":
      return { from: now - 7 * 24 * HOUR_MS, to: null };
    case "free": {
      const start = toInstant(from, timeZone);
      const end = to === "" ? null : toInstant(to, timeZone);
      if (start === null || (to !== "" && end === null) || (end !== null && end <= start)) return null;
      return { from: start, to: end };
    }
    default:
      return { from: now - 24 * HOUR_MS, to: null };
  }
}
