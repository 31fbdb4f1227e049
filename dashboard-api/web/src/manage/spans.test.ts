import { expect, test } from "vitest";
import { spanOf } from "./spans";

const now = Date.parse("2026-11-23T18:30:00Z");
const zone = "Asia/Shanghai";
const from = (span: string) => new Date(spanOf(span, "", "", now, zone)?.from ?? 0).toISOString();

test("spans end now and begin where their name says, the day by the community's clock", () => {
  expect(from("hour")).toBe("2026-11-23T17:30:00.000Z");
  expect(from("today")).toBe("2026-11-23T16:00:00.000Z");
  expect(from("day")).toBe("2026-11-22T18:30:00.000Z");
  expect(from("week")).toBe("2026-11-16T18:30:00.000Z");
});

test("a span of one's own has a start, and an end after it or none", () => {
  const free = (a: string, b: string) => spanOf("free", a, b, now, zone);
  expect(free("2026-11-23T08:00", "2026-11-23T09:00")).toEqual({ from: Date.parse("2026-11-23T00:00:00Z"), to: Date.parse("2026-11-23T01:00:00Z") });
  expect(free("2026-11-23T08:00", "")).toEqual({ from: Date.parse("2026-11-23T00:00:00Z"), to: null });
  for (const [a, b] of [["", ""], ["2026-11-23T08:00", "2026-11-23T08:00"], ["2026-11-23T08:00", "soon"]] as const) expect(free(a, b)).toBeNull();
});
