import { expect, test } from "vitest";
import type { IncidentItem } from "../api/types";
import { fold } from "./fold";
import { LANE_MAX, anchored, laneOf } from "./lane";

const p1 = (id: string) => ({ id, severity: "P1", state: "dispatched", storm: null, acknowledged_at: null }) as IncidentItem;
const p3 = (id: string) => ({ ...p1(id), severity: "P3" }) as IncidentItem;
const lines = (...items: IncidentItem[]) => fold(items, new Set());
const ids = (all: readonly { id: string }[]) => all.map(({ id }) => id).join("");

test("the newest P1 are in the lane, the others first in the rest", () => {
  const { lane, rest, more } = laneOf(lines(...[..."gfedcba"].map(p1), p3("x")), null, []);
  expect([ids(lane), ids(rest), more]).toEqual(["gfedc", "bax", 2]);
  expect(lane).toHaveLength(LANE_MAX);
});

test("the selected one keeps its place in the lane, however many come", () => {
  const before = laneOf(lines(...[..."cba"].map(p1)), "b", []);
  expect(ids(before.lane)).toBe("cba");
  const after = laneOf(lines(...[..."ihgfedcba"].map(p1), p3("x")), "b", [..."cba"]);
  expect([ids(after.lane), ids(after.rest), after.more]).toEqual(["ibhgf", "edcax", 4]);
});

test("rows that come above are scrolled away, a list that is too short gets room below", () => {
  const view = { y: 64, index: 2, count: 100, row: 32, height: 320 };
  expect(anchored(view)).toEqual({ scroll: 0, above: 0, below: 0 });
  expect(anchored({ ...view, index: 12 })).toEqual({ scroll: 320, above: 0, below: 0 });
  expect(anchored({ ...view, index: 5, count: 8 })).toEqual({ scroll: 96, above: 0, below: 160 });
});

test("rows that go above leave room", () => {
  expect(anchored({ y: 64, index: 1, count: 100, row: 32, height: 320 })).toEqual({ scroll: 0, above: 32, below: 0 });
});
