import { expect, test } from "vitest";
import { attrOf, lineOf, pairsOf } from "./attrs";

test("names and values are words, numbers stay, and times are the community's", () => {
  expect(pairsOf({ direction: "in", level: 9, ok: true, since: "2026-11-23T18:30:00.123Z", odd: { a: 1 } })).toEqual([
    ["方向", "进"],
    ["读数", "9"],
    ["ok", "是"],
    ["since", "2026-11-24 02:30:00"],
    ["odd", '{"a":1}'],
  ]);
});

test("a line leaves out the device's own time", () => {
  expect(lineOf({ ts: "2026-11-23T18:30:00Z", plate: "浙G32***", lane: "1" })).toBe("车牌 浙G32*** · 通道 1");
});

test("what is not said is nothing", () => {
  expect([attrOf({}, "plate"), attrOf({ plate: null }, "plate")]).toEqual(["", "–"]);
});
