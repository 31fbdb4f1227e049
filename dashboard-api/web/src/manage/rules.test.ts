import { expect, test } from "vitest";
import { byDay, changes, template } from "./rules";

test("what changed is told line by line", () => {
  const told = (before: string, after: string) => changes(before, after).map(({ sign, number, text }) => `${sign}${number} ${text}`);
  expect(told("a\nb\nc\n", "a\nb\nc")).toEqual([]);
  expect(told("a\nb\nc", "a\nx\nc\nd")).toEqual(["-2 b", "+2 x", "+4 d"]);
  expect(told("a\nb", "b")).toEqual(["-1 a"]);
  expect(told("b", "a\nb")).toEqual(["+1 a"]);
});

test("alarms are counted by day for both versions", () => {
  const hour = (at: string, n: number) => ({ at, n });
  const side = (hours: { at: string; n: number }[]) => ({ raised: 0, by_severity: [], hours, leads: [], first: [] });
  const run = { was: side([hour("2026-03-02T01:00:00Z", 2)]), would: side([hour("2026-03-01T23:00:00Z", 1), hour("2026-03-02T05:00:00Z", 1), hour("2026-03-02T06:00:00Z", 2)]) };
  expect(byDay(run, (at) => at.slice(0, 10))).toEqual([
    { day: "2026-03-01", was: 0, would: 1 },
    { day: "2026-03-02", was: 2, would: 3 },
  ]);
});

test("a new rule begins with its id, and is one rule", () => {
  const text = template("LOC1");
  expect(text.match(/^\[\[rule\]\]$/gm)).toHaveLength(1);
  expect(text).toContain('id = "LOC1"');
});
