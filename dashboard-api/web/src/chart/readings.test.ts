import { expect, test } from "vitest";
import { seriesOf, withGaps } from "./readings";

const event = (second: number, attrs: Record<string, unknown>) => ({ occurred_at: new Date(second * 1000).toISOString(), attrs });

test("numbers of all events are gathered by name, in the order of time", () => {
  const events = [event(20, { temperature_c: 19, state: "ok" }), event(10, { temperature_c: 18.5, boot: 7 }), event(15, { level: 3, temperature_c: null })];
  expect(seriesOf(events)).toEqual([
    { name: "temperature_c", at: [10, 20], values: [18.5, 19] },
    { name: "level", at: [15], values: [3] },
  ]);
});

test("a gap is a gap, and not a line", () => {
  const [at, values] = withGaps({ name: "t", at: [0, 10, 20, 50, 60], values: [1, 2, 3, 4, 5] });
  expect(at).toEqual([0, 10, 20, 35, 50, 60]);
  expect(values).toEqual([1, 2, 3, null, 4, 5]);
});

test("one point, and none, are no trouble", () => {
  expect(withGaps({ name: "t", at: [5], values: [1] })).toEqual([[5], [1]]);
  expect(withGaps({ name: "t", at: [], values: [] })).toEqual([[], []]);
});
