import { expect, test } from "vitest";
import type { Zone } from "../api/types";
import { zoneGroups } from "./newcomers";

const zone = (id: string, site: string, building: string | null, floor: number | null): Zone =>
  ({ id, site, building, floor, floor_to: null, kind: "unit", name: id, grid: "g1" }) as Zone;

test("zones of the quarter come building by building, floor by floor", () => {
  const zones = [zone("b10-2", "q1", "b10", 2), zone("gate", "q1", null, null), zone("b2-10", "q1", "b2", 10), zone("b2-9", "q1", "b2", 9), zone("other", "q2", null, null)];
  expect(zoneGroups(zones, "q1").map((group) => [group.building, group.zones.map((z) => z.id)])).toEqual([
    ["", ["gate"]],
    ["b2", ["b2-9", "b2-10"]],
    ["b10", ["b10-2"]],
  ]);
  expect(zoneGroups(zones, "q3")).toEqual([]);
});
