import { expect, test } from "vitest";
import { TailWatch, judge } from "./gap";

test("the next revision is applied, a seen one dropped, a missing one is a gap", () => {
  expect(judge(7, 8)).toBe("apply");
  expect(judge(7, 7)).toBe("drop");
  expect(judge(7, 3)).toBe("drop");
  expect(judge(7, 9)).toBe("gap");
});

test("a lost tail is found by the second heartbeat that sees no progress", () => {
  const tail = new TailWatch();
  expect(tail.isLost(7, 7)).toBe(false);
  expect(tail.isLost(7, 9)).toBe(false);
  expect(tail.isLost(8, 9)).toBe(false);
  expect(tail.isLost(8, 9)).toBe(true);
});

test("what came late is not lost", () => {
  const tail = new TailWatch();
  expect(tail.isLost(7, 9)).toBe(false);
  expect(tail.isLost(9, 9)).toBe(false);
  expect(tail.isLost(9, 10)).toBe(false);
});
