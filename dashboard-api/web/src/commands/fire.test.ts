import { expect, test } from "vitest";
import type { Device, DeviceCommand, FireMode, Meta } from "../api/types";
import { isOn, standings, toOpen } from "./fire";

const device = (id: string, ofClass: string, zone: string, site = "q1") => ({ id, class: ofClass, zone, site }) as Device;
const zone = (id: string, kind: string, building: string | null) => ({ id, kind, building, site: "q1" }) as Meta["zones"][number];

test("a building's escape doors and the quarter's barriers open, no flat's door and nobody else's", () => {
  const zones = [zone("e2-f6", "fire_compartment", "e2"), zone("e2-exit", "fire_door", "e2"), zone("e3-exit", "fire_door", "e3"), zone("yard", "fire_door", null)];
  const all = [
    device("exit", "access", "e2-exit"),
    device("other-exit", "access", "e3-exit"),
    device("flat", "access", "e2-f6"),
    device("cam", "camera", "e2-exit"),
    device("gate", "barrier", "yard"),
    device("far-gate", "barrier", "yard", "q2"),
    device("yard-door", "access", "yard"),
  ];
  const ids = (id: string) => {
    const { doors, barriers } = toOpen(zones.find((one) => one.id === id)!, zones, all);
    return [doors, barriers].map((some) => some.map((one) => one.id));
  };
  expect(ids("e2-f6")).toEqual([["exit"], ["gate"]]);
  expect(ids("yard")).toEqual([["yard-door"], ["gate"]]);
});

const told = (id: string, stage: string, effect_seen = false, at = "1") =>
  ({ device: id, command: "unlock", stage, effect_seen, is_over: stage !== "sent", asked_at: at }) as DeviceCommand;
const fire = (more: Partial<FireMode>) => ({ state: "active", with_devices: true, devices: [], commands: [], started_at: "2026-11-27T08:00:00Z", ...more }) as FireMode;
const shown = (one: FireMode) => Object.entries(standings(one)).map(([group, list]) => [group, list.map((s: { device: string }) => s.device)]);

test("whatever has not been seen open is shut: unknown, no effect, and what was told nothing", () => {
  const commands = [told("a", "done", true), told("b", "unknown"), told("c", "no_effect"), told("d", "sent"), told("e", "done"), told("f", "expired")];
  expect(shown(fire({ devices: ["a", "b", "c", "d", "e", "f", "g"], commands }))).toEqual([
    ["shut", ["b", "c", "f", "g"]],
    ["waiting", ["d", "e"]],
    ["open", ["a"]],
    ["would", []],
  ]);
});

test("the last that a door was told counts", () => {
  expect(shown(fire({ devices: ["a"], commands: [told("a", "done", true, "2"), told("a", "unknown", false, "1")] }))[2]).toEqual(["open", ["a"]]);
});

test("a proposal and a drill without devices have opened nothing", () => {
  expect(shown(fire({ devices: ["a"], state: "proposed" }))[3]).toEqual(["would", ["a"]]);
  expect(shown(fire({ devices: ["a"], drill: true, with_devices: false }))[3]).toEqual(["would", ["a"]]);
});

test("a proposal is over after two minutes", () => {
  const at = Date.parse("2026-11-27T08:02:00Z");
  expect([isOn(fire({ state: "proposed" }), at - 1), isOn(fire({ state: "proposed" }), at), isOn(fire({}), at), isOn(fire({ state: "ended" }), at - 1)]).toEqual([true, false, true, false]);
});
