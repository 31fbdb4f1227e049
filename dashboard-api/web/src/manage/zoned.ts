/** Times as people write them, in the community's time zone: a workstation may stand in another. */

const MINUTE_MS = 60_000;

function partsIn(timeZone: string): Intl.DateTimeFormat {
  const digits = { hour: "2-digit", minute: "2-digit", year: "numeric", month: "2-digit", day: "2-digit" } as const;
  return new Intl.DateTimeFormat("en-CA", { timeZone, hourCycle: "h23", ...digits });
}

/** What an `<input type="datetime-local">` shows for an instant. */
export function toLocal(at: number, timeZone: string): string {
  const parts = new Map(partsIn(timeZone).formatToParts(at).map((part) => [part.type, part.value]));
  const of = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? "";
  return `${of("year")}-${of("month")}-${of("day")}T${of("hour")}:${of("minute")}`;
}

/** The instant that such an input means, in milliseconds; null when it is none. An hour that summer time skips is the next one. */
export function toInstant(local: string, timeZone: string): number | null {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(local)) return null;
  const wanted = Date.parse(`${local.slice(0, 16)}Z`);
  if (Number.isNaN(wanted)) return null;
  const offset = (at: number) => Date.parse(`${toLocal(at, timeZone)}Z`) - Math.floor(at / MINUTE_MS) * MINUTE_MS;
  // the offset at the first guess may be the one before a change
  const guess = wanted - offset(wanted);
  return wanted - offset(guess);
}

/** Midnight of the day of an instant. */
export function dayStart(at: number, timeZone: string): number {
  return toInstant(`${toLocal(at, timeZone).slice(0, 10)}T00:00`, timeZone) ?? at;
}
