import { expect, test } from "vitest";
import type { Device, IncidentItem } from "../api/types";
import { clusterOf, floorsOf, isInLayers, isOnFloor, roomsOf, worstByDevice, zoomed } from "./plan";

const row = (id: string, severity: string, change: Partial<IncidentItem> = {}): IncidentItem => ({ id, severity, state: "open", acknowledged_at: null, device: id, ...change }) as IncidentItem;
const seen = { state: "acknowledged", acknowledged_at: "2026-11-26T00:00:00Z" } as const;
const device = (id: string, zone: string, x_m: number, y_m: number) => ({ device: { id, zone, zone_name: null, x_m, y_m } as Device });

test("a cluster shows the most urgent that nobody has acknowledged, and counts all that is open", () => {
  const rows = [row("a", "P1", seen), row("b", "P3"), row("c", "P2"), row("d", "P1", { state: "resolved" })];
  expect(clusterOf(rows)).toMatchObject({ severity: "P2", count: 3, waiting: 2 });
  expect(clusterOf([row("a", "P1", seen), row("b", "P3", seen)])).toMatchObject({ severity: "P1", count: 2, waiting: 0 });
  expect(clusterOf([row("d", "P1", { state: "resolved" })])).toBeNull();
});

test("a device is shown with its most urgent incident", () => {
  const worst = worstByDevice([row("1", "P3", { device: "d" }), row("2", "P1", { device: "d" }), row("3", "P1", { device: null })]);
  expect([...worst].map(([id, { id: incident }]) => [id, incident])).toEqual([["d", "2"]]);
});

test("a layer that is off hides its devices; what has no layer stays", () => {
  const layers = new Set(["fire"] as const);
  expect([isInLayers({ class: "fire_sensor" } as Device, layers), isInLayers({ class: "camera" } as Device, layers), isInLayers({ class: "gateway" } as Device, layers)]).toEqual([true, false, true]);
});

test("a zone over several floors is on each of them, and one over none is on none", () => {
  const span = { floor: 4, floor_to: 6 };
  expect(floorsOf(span)).toEqual([4, 5, 6]);
  expect([3, 4, 5, 6, 7, "none" as const].map((floor) => isOnFloor(span, floor))).toEqual([false, true, true, true, false, false]);
  expect(floorsOf({ floor: -1, floor_to: null })).toEqual([-1]);
  expect(floorsOf({ floor: null, floor_to: null })).toEqual([]);
  expect([isOnFloor({ floor: null, floor_to: null }, "none"), isOnFloor({ floor: null, floor_to: null }, 1)]).toEqual([true, false]);
});

test("devices of a zone are a room, in the middle of where they stand", () => {
  expect(roomsOf([device("a", "z", 0, 0), device("b", "z", 10, 4), device("c", "y", 1, 1)])).toMatchObject([
    { zone: "z", x: 5, y: 2 },
    { zone: "y", x: 1, y: 1 },
  ]);
});

test("the view goes closer around a point, and never beyond the plan", () => {
  const whole = { x: 0, y: 0, width: 200, height: 100 };
  expect(zoomed(whole, whole, 2)).toEqual({ x: 50, y: 25, width: 100, height: 50 });
  expect(zoomed(whole, whole, 2, { x: 195, y: 5 })).toEqual({ x: 100, y: 0, width: 100, height: 50 });
  expect(zoomed({ x: 50, y: 25, width: 100, height: 50 }, whole, 0.1)).toEqual(whole);
  expect(zoomed(whole, whole, 1000).width).toBeCloseTo(200 / 12);
});
