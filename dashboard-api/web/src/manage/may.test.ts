import { expect, test } from "vitest";
import type { Alarm } from "../api/types";
import { mayAcknowledge, mayShelve, mayUnshelve, plansMaintenance, searchesPeople, seesHistory } from "./may";

const alarm = (extra: Partial<Alarm>) => ({ severity: "P3", state: "active_unacked", shelved: null, incident: null, ...extra }) as Alarm;
const shelf = { until: "2026-11-23T13:00:00Z", reason: "施工", by: "lead" };

test("station leads shelve, and never a P1 or what is over or shelved", () => {
  expect(mayShelve("station_lead", alarm({}))).toBe(true);
  expect(mayShelve("property_manager", alarm({}))).toBe(false);
  for (const extra of [{ severity: "P1" }, { state: "normal" }, { shelved: shelf }] as const) expect(mayShelve("administrator", alarm(extra))).toBe(false);
  expect(mayUnshelve("station_lead", alarm({ shelved: shelf }))).toBe(true);
  expect(mayUnshelve("operator", alarm({ shelved: shelf }))).toBe(false);
});

test("what no incident shows is acknowledged here, by managers when it is small", () => {
  expect(mayAcknowledge("property_manager", alarm({}))).toBe(true);
  expect(mayAcknowledge("property_manager", alarm({ severity: "P2" }))).toBe(false);
  expect(mayAcknowledge("operator", alarm({ severity: "P2" }))).toBe(true);
  expect(mayAcknowledge("auditor", alarm({}))).toBe(false);
  expect(mayAcknowledge("operator", alarm({ incident: "inc_1" }))).toBe(false);
  expect(mayAcknowledge("operator", alarm({ state: "active_acked" }))).toBe(false);
});

test("pages are offered to those who may read them", () => {
  expect([seesHistory("grid_captain"), seesHistory("responder")]).toEqual([true, true]);
  expect([plansMaintenance("operator"), plansMaintenance("property_manager")]).toEqual([false, true]);
});

test("plates, cards and persons are searched for by those at the gate and the police", () => {
  const may = (role: "operator" | "responder" | "administrator", department: string | null) => searchesPeople({ role, department });
  expect([may("operator", null), may("responder", "police"), may("responder", "fire"), may("administrator", "police")]).toEqual([true, true, false, false]);
});
