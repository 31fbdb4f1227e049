import { expect, test } from "vitest";
import { span, toSee } from "./inSight";

const list = { count: 10_000, row: 32 };

test("only what is seen is drawn, and a little beyond", () => {
  expect(span(list, 0, 320)).toEqual({ from: 0, to: 18 });
  expect(span(list, 3200, 320)).toEqual({ from: 92, to: 118 });
  expect(span(list, 32 * 9_990, 320)).toEqual({ from: 9_982, to: 10_000 });
  // with room above the first row it begins later
  expect(span({ ...list, above: 3200 }, 3200, 320)).toEqual({ from: 0, to: 18 });
  // a list that has become short under the scroll
  expect(span({ count: 3, row: 32 }, 3200, 320)).toEqual({ from: 3, to: 3 });
  expect(span({ count: 0, row: 32 }, 0, 320)).toEqual({ from: 0, to: 0 });
});

test("a row that is wholly seen moves nothing", () => {
  expect(toSee(list, 0, 0, 320)).toBe(0);
  expect(toSee(list, 9, 0, 320)).toBe(0);
  expect(toSee(list, 10, 0, 320)).toBe(32);
  expect(toSee(list, 10, 400, 320)).toBe(320);
  expect(toSee({ ...list, above: 100 }, 0, 400, 320)).toBe(100);
});
