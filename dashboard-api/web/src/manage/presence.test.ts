import { expect, test } from "vitest";
import { hourly, presence } from "./presence";

const H = 3_600_000;
const said = (hour: number, to: "online" | "offline") => ({ kind: `device.${to}`, received_at: new Date(hour * H).toISOString() });

test("the share of time online, from the last word before the span on", () => {
  const events = [said(30, "online"), said(24, "offline"), said(8, "online")];
  expect(presence(events, 10 * H, 34 * H)).toEqual({ share: 18 / 24, knownFrom: 10 * H, losses: 1 });
});

test("before the first word nothing is known, and it does not count", () => {
  expect(presence([said(28, "online")], 10 * H, 34 * H)).toEqual({ share: 1, knownFrom: 28 * H, losses: 0 });
  expect(presence([], 10 * H, 34 * H)).toEqual({ share: null, knownFrom: 34 * H, losses: 0 });
});

test("the same word twice changes nothing", () => {
  const twice = [said(8, "online"), said(12, "online"), said(20, "offline"), said(22, "offline")];
  expect(presence(twice, 10 * H, 30 * H)).toEqual({ share: 0.5, knownFrom: 10 * H, losses: 1 });
});

test("a loss before the span is none of it", () => {
  expect(presence([said(7, "online"), said(8, "offline")], 10 * H, 20 * H)).toEqual({ share: 0, knownFrom: 10 * H, losses: 0 });
});

test("every hour of the span is there, also those without a word", () => {
  expect(hourly([10.2 * H, 10.9 * H, 12 * H], 10.1 * H, 12.5 * H)).toEqual([
    { start: 10 * H, count: 2 },
    { start: 11 * H, count: 0 },
    { start: 12 * H, count: 1 },
  ]);
});

test("an hour of which nothing was read is left out and not shown as empty", () => {
  expect(hourly([12 * H], 10 * H, 13 * H, 11.5 * H).map((hour) => hour.start)).toEqual([11 * H, 12 * H]);
});
