import { expect, test } from "vitest";
import type { Stint, WeekPost } from "./people";
import { dayAfter, entriesOf, hoursOf } from "./week";

test("hours are written by the day on which they begin", () => {
  const hours = (from: string, until: string) => hoursOf({ from, until });
  expect(hours("2026-11-23T08:00", "2026-11-23T20:00")).toBe("08:00–20:00");
  expect(hours("2026-11-23T00:00", "2026-11-24T00:00")).toBe("00:00–24:00");
  expect(hours("2026-11-23T20:00", "2026-11-24T08:00")).toBe("20:00–08:00 +1");
  expect(hours("2026-11-30T20:00", "2026-12-03T00:00")).toBe("20:00–00:00 +3");
});

test("a day goes over the ends of months and years", () => {
  expect(dayAfter("2026-12-28", 7)).toBe("2027-01-04");
  expect(dayAfter("2026-03-02", -7)).toBe("2026-02-23");
});

test("a gap stands among those who are on, in the order of the day", () => {
  const stint = (from: string, until: string) => ({ person: "p", from, until }) as Stint;
  const post = {
    stints: [stint("2026-11-23T00:00", "2026-11-23T08:00"), stint("2026-11-23T16:00", "2026-11-24T08:00")],
    gaps: [{ from: "2026-11-23T08:00", until: "2026-11-23T16:00" }],
  } as WeekPost;
  const day = entriesOf(post).get("2026-11-23") ?? [];
  expect(day.map((entry) => ("gap" in entry ? "gap" : "stint"))).toEqual(["stint", "gap", "stint"]);
  expect(entriesOf(post).get("2026-11-24")).toBeUndefined();
});
