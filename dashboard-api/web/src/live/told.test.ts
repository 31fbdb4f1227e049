import { expect, test } from "vitest";
import type { Notified } from "../api/types";
import { lastTold } from "./told";

type Told = Notified["told"][number];
const told = (id: string, name: string | null, state = "delivered"): Told =>
  ({ recipient: id, person: { id, name }, channel: "board", state, attempts: 1, ended_at: null, answered_at: null, error: null }) as Told;
const rung = (department: string, level: number, people: Told[], change: Partial<Notified> = {}): Notified =>
  ({ id: level, at: "2026-03-01T08:00:00.000Z", department, level, told_level: level, is_off_duty: false, told: people, ...change }) as Notified;

test("the last rung of the lead's ladder is shown, each person once", () => {
  const last = lastTold([rung("fire", 0, [told("a", "甲")]), rung("fire", 1, [told("b", "乙"), told("b", "乙", "dead"), told("c", null)]), rung("police", 0, [])], "fire");
  expect(last).toMatchObject({ level: 1, names: ["乙", "c"], isDelivered: true });
});

test("what is still under way, and what came to nobody, says so", () => {
  expect(lastTold([], "fire")).toBeNull();
  expect(lastTold([rung("police", 0, [told("d", "丁", "waiting")])], "fire")).toMatchObject({ department: "police", isDelivered: false });
  const nobody = { ...told("fire/1", null), person: null } as Told;
  expect(lastTold([rung("fire", 1, [nobody], { told_level: null, is_off_duty: true })], "fire")).toMatchObject({ names: [], isOffDuty: false });
});
