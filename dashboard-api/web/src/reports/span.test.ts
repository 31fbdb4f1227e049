import { describe, expect, it } from "vitest";
import { spanOf } from "./span";

/** Thursday in Shanghai already, Wednesday still in Greenwich. */
const AT = Date.parse("2026-11-25T16:30:00Z");
const of = (kind: Parameters<typeof spanOf>[0], back = 0) => {
  const { from, to } = spanOf(kind, back, AT, "Asia/Shanghai");
  return [from, to];
};

describe("spans", () => {
  it("follow the community's wall clock", () => {
    expect(of("day")).toEqual(["2026-11-26", "2026-11-27"]);
    expect(spanOf("day", 0, AT, "UTC").from).toBe("2026-11-25");
  });
  it("go back one at a time, over months and years", () => {
    expect(of("day", 26)).toEqual(["2026-10-31", "2026-11-01"]);
    expect(of("month", 11)).toEqual(["2025-12-01", "2026-01-01"]);
    expect(of("quarter", 3)).toEqual(["2026-01-01", "2026-04-01"]);
  });
  it("begin weeks on Monday", () => {
    expect(of("week")).toEqual(["2026-11-23", "2026-11-30"]);
    expect(of("week", 1)).toEqual(["2026-11-16", "2026-11-23"]);
  });
  it("know the last day", () => {
    expect(spanOf("quarter", 0, AT, "Asia/Shanghai").label).toBe("2026-10-01 – 2026-12-31");
    expect(spanOf("day", 0, AT, "Asia/Shanghai").label).toBe("2026-11-26");
  });
});
