import { expect, test } from "vitest";
import type { Device } from "../api/types";
import { type DeviceFilter, byNeed, isLow, matches } from "./devices";

const device = (id: string, extra: Partial<Device> = {}): Device => ({
  id,
  name: "烟感-215",
  site: "q1",
  zone: "q1-e2-f6",
  zone_name: "6层",
  class: "fire_sensor",
  model: "ssg.smoke",
  x_m: 1,
  y_m: 2,
  state: "normal",
  battery_percent: null,
  building: "q1-e2",
  building_name: "E2幢",
  floor: 6,
  last_seen: null,
  online: true,
  ...extra,
});
const none: DeviceFilter = { site: "", building: "", class: "", state: "", battery: "", q: "" };
const text = (of: Device) => `${of.id} ${of.name} ${of.building_name ?? ""}`.toLowerCase();
const shows = (of: Device, filter: Partial<DeviceFilter>) => matches(of, { ...none, ...filter }, text);

test("each filter leaves out what it does not name", () => {
  const smoke = device("smoke-q1-0215");
  for (const filter of [{}, { site: "q1" }, { building: "q1-e2" }, { class: "fire_sensor" }, { q: "烟感 e2幢" }, { q: " SMOKE " }]) expect([filter, shows(smoke, filter)]).toEqual([filter, true]);
  for (const filter of [{ site: "q2" }, { building: "q1-e1" }, { class: "camera" }, { battery: "low" }, { q: "烟感 e1幢" }]) expect([filter, shows(smoke, filter)]).toEqual([filter, false]);
});

test("a battery is low below a fifth, and not when nothing is known of it", () => {
  expect([19.9, 20, 0, null].map((battery_percent) => isLow(device("a", { battery_percent })))).toEqual([true, false, true, false]);
});

test("what needs somebody comes first, and then by number", () => {
  const list = [device("c"), device("b", { state: "offline" }), device("a"), device("d", { state: "alarm" }), device("e", { state: "never_seen" })];
  expect(list.sort(byNeed).map((one) => one.id)).toEqual(["d", "b", "e", "a", "c"]);
});
