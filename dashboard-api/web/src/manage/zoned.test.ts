import { expect, test } from "vitest";
import { dayStart, toInstant, toLocal } from "./zoned";

const at = Date.parse("2026-11-23T18:30:00Z");

test("a time is written and read in the community's zone, wherever the workstation stands", () => {
  for (const [zone, local] of [
    ["Asia/Shanghai", "2026-11-24T02:30"],
    ["UTC", "2026-11-23T18:30"],
    ["America/New_York", "2026-11-23T13:30"],
  ] as const) {
    expect(toLocal(at, zone)).toBe(local);
    expect(toInstant(local, zone)).toBe(at);
  }
});

test("a time around a change of summer time comes back as it was written", () => {
  for (const local of ["2026-03-29T01:59", "2026-03-29T03:00", "2026-10-25T01:30", "2026-10-25T03:00"]) {
    expect(toLocal(toInstant(local, "Europe/Berlin") ?? 0, "Europe/Berlin")).toBe(local);
  }
});

test("a day begins at its midnight", () => {
  expect(dayStart(at, "Asia/Shanghai")).toBe(Date.parse("2026-11-23T16:00:00Z"));
});

test("what is no time is none", () => {
  for (const text of ["", "2026-11-23", "soon", "2026-13-45T00:00"]) expect(toInstant(text, "Asia/Shanghai")).toBeNull();
});
