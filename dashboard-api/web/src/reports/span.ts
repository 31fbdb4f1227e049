/** The spans of a report, as the API takes them: from the first day to the day after the last one, on the community's wall clock. */
export type SpanKind = "day" | "week" | "month" | "quarter";
export interface Span {
  from: string;
  to: string;
  label: string;
}

const DAY_MS = 86_400_000;

/** Year, month from 0, day of a moment in a time zone. */
function dayOf(at: number, timeZone: string): [number, number, number] {
  const parts = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" }).format(at).split("-").map(Number);
  return [parts[0]!, parts[1]! - 1, parts[2]!];
}

const text = (utc: number): string => new Date(utc).toISOString().slice(0, 10);

/** The span of a kind that holds `at`, or the one so many before it. A week begins on Monday. */
export function spanOf(kind: SpanKind, back: number, at: number, timeZone: string): Span {
  const [year, month, day] = dayOf(at, timeZone);
  const today = Date.UTC(year, month, day);
  let from: number;
  let to: number;
  if (kind === "day") {
    from = today - back * DAY_MS;
    to = from + DAY_MS;
  } else if (kind === "week") {
    const sinceMonday = (new Date(today).getUTCDay() + 6) % 7;
    from = today - (sinceMonday + 7 * back) * DAY_MS;
    to = from + 7 * DAY_MS;
  } else {
    const months = kind === "month" ? 1 : 3;
    const first = (kind === "month" ? month : month - (month % 3)) - months * back;
    from = Date.UTC(year, first, 1);
    to = Date.UTC(year, first + months, 1);
  }
  const last = text(to - DAY_MS);
  return { from: text(from), to: text(to), label: text(from) === last ? last : `${text(from)} – ${last}` };
}
