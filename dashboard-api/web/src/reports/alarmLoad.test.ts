import { expect, test } from "vitest";
import { columnsOf, shown, verdictOf } from "./alarmLoad";

test("thousandths are shown in their unit", () => {
  expect(shown("per_hour_and_seat_milli", 6250)).toBe("6.25");
  expect(shown("per_day_and_seat_milli", 144_000)).toBe("144");
  expect(shown("flood_permille", 7)).toBe("0.7 %");
  expect(shown("stale", 3)).toBe("3");
  expect(shown("p1_permille", null)).toBe("–");
});

test("what is at the bound is still within it", () => {
  const of = (value: number | null, good: number | null, at_most: number | null) => verdictOf({ value, good, at_most });
  expect([of(1000, 1000, 2000), of(1001, 1000, 2000), of(2000, 1000, 2000), of(2001, 1000, 2000)]).toEqual(["good", "fair", "fair", "over"]);
  expect([of(10, null, 10), of(11, null, 10)]).toEqual(["good", "over"]);
  expect([of(null, 1, 2), of(900, 800, null)]).toEqual(["none", "none"]);
});

test("the highest column or the line fills the picture", () => {
  expect(columnsOf([0, 5, 10], null)).toEqual({ heights: [0, 0.5, 1], line: null });
  expect(columnsOf([0, 5], 20)).toEqual({ heights: [0, 0.25], line: 1 });
  expect(columnsOf([], 10)).toEqual({ heights: [], line: 1 });
  expect(columnsOf([0], null).heights).toEqual([0]);
});
