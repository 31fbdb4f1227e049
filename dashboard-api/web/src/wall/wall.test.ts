import { expect, test } from "vitest";
import type { IncidentItem } from "../api/types";
import { RELOAD_EVERY_MS, mayReload, wallOf } from "./wall";

const row = (id: string, change: Partial<IncidentItem> = {}) =>
  ({ id, severity: "P3", state: "open", storm: null, opened_at: "2026-11-26T08:00:00Z", acknowledged_at: null, ...change }) as IncidentItem;
const many = (count: number, change: Partial<IncidentItem> = {}) => Array.from({ length: count }, (_, n) => row(`${change.severity ?? "P3"}-${n}`, change));

test("P1 stand in the lane, five of them, and the others are counted", () => {
  const wall = wallOf([...many(7, { severity: "P1" }), ...many(2)], 10);
  expect([wall.urgent.length, wall.urgentMore, wall.lines.length, wall.more]).toEqual([5, 2, 2, 0]);
});

test("what is over is not on the wall", () => {
  const wall = wallOf([row("a", { severity: "P1", state: "resolved" }), row("b", { state: "review" }), row("c")], 10);
  expect([wall.urgent.length, wall.lines.map(({ id }) => id)]).toEqual([0, ["c"]]);
});

test("what does not fit is counted on the last line, the incidents of a card each", () => {
  const rows = [...many(3), ...many(4, { severity: "P4", storm: "storm_1" })];
  expect(wallOf(rows, 4).more).toBe(0);
  const tight = wallOf(rows, 3);
  expect([tight.lines.length, tight.more]).toEqual([2, 5]);
  expect(wallOf(rows, 0).more).toBe(7);
});

test("a flood's card is one line", () => {
  const { lines } = wallOf(many(4, { severity: "P4", storm: "storm_1" }), 10);
  expect(lines.map((line) => line.kind)).toEqual(["storm"]);
});

test("a new version is taken when it disturbs nobody", () => {
  const at = 2 * RELOAD_EVERY_MS;
  expect(mayReload(true, true, many(2), at, 0)).toBe(true);
  expect(mayReload(false, true, [], at, 0)).toBe(false);
  expect(mayReload(true, false, [], at, 0)).toBe(false);
  expect(mayReload(true, true, [row("a", { severity: "P1" })], at, 0)).toBe(false);
  expect(mayReload(true, true, [row("a", { severity: "P1", state: "resolved" })], at, 0)).toBe(true);
  expect(mayReload(true, true, [], at, at - 1000)).toBe(false);
});
