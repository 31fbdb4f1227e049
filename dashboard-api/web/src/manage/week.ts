/** A week of the roster as a table: which stint stands in which cell, and how its hours are written. */
import type { Stint, Week, WeekPost } from "./people";

const DAY_MS = 86_400_000;

/** What stands in a cell, in the order of the day. */
export type Entry = { at: string; stint: Stint } | { at: string; gap: { from: string; until: string } };

/** A day so many days after another, both as `2026-11-23`. */
export function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(`${day}T00:00Z`) + days * DAY_MS).toISOString().slice(0, 10);
}

/** By day: what begins on it. A gap over midnight stands on the day on which it begins. */
export function entriesOf(post: WeekPost): ReadonlyMap<string, readonly Entry[]> {
  const all: Entry[] = [...post.stints.map((stint) => ({ at: stint.from, stint })), ...post.gaps.map((gap) => ({ at: gap.from, gap }))];
  all.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const by = new Map<string, Entry[]>();
  for (const entry of all) {
    const day = entry.at.slice(0, 10);
    by.set(day, [...(by.get(day) ?? []), entry]);
  }
  return by;
}

/** `08:00–20:00`; what ends at midnight ends at 24:00, what goes on to the next day says so. */
export function hoursOf({ from, until }: { from: string; until: string }): string {
  const [day, last] = [from.slice(0, 10), until.slice(0, 10)];
  const end = until.slice(11);
  if (last === day) return `${from.slice(11)}–${end}`;
  if (end === "00:00" && last === dayAfter(day, 1)) return `${from.slice(11)}–24:00`;
  const days = Math.round((Date.parse(`${last}T00:00Z`) - Date.parse(`${day}T00:00Z`)) / DAY_MS);
  return `${from.slice(11)}–${end} +${days}`;
}

/** Those who have a stint in the week and no way to be reached. */
export function unreachable(week: Week, posts: readonly WeekPost[]): Week["people"] {
  const named = new Set(posts.flatMap((post) => post.stints.map((stint) => stint.person)));
  return week.people.filter((person) => named.has(person.id) && !person.has_contact);
}
