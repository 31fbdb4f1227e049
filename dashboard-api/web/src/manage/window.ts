/** What a maintenance window must be, told before the server is asked. */

export const REASON_CHARS_MAX = 500;
const DAY_MS = 86_400_000;

export type Mistake = "site" | "from" | "to" | "order" | "past" | "long" | "ahead" | "reason";

/** Times in milliseconds; `from` is null for now, NaN for what is no time. */
export interface Draft {
  site: string;
  from: number | null;
  to: number;
  reason: string;
}

export function mistakeOf(draft: Draft, now: number): Mistake | null {
  const from = draft.from ?? now;
  if (draft.site === "") return "site";
  if (Number.isNaN(from)) return "from";
  if (Number.isNaN(draft.to)) return "to";
  if (draft.to <= from) return "order";
  if (draft.to <= now) return "past";
  if (draft.to - from > 7 * DAY_MS) return "long";
  if (from - now > 90 * DAY_MS) return "ahead";
  const length = [...draft.reason.trim()].length;
  return length === 0 || length > REASON_CHARS_MAX ? "reason" : null;
}
