/** Calls of commands to devices and of fire mode. */
import { ApiError, answered, client } from "../api/client";
import type { components } from "../api/schema";
import type { DeviceCommand, FireMode } from "../api/types";
import { told as toldOf } from "../manage/calls";
import type { Page } from "../manage/merged";
import { meta } from "../live/feed";
import { personName, ruleTitle, siteName } from "../station";
import { c, said } from "./words";

type Schemas = components["schemas"];

const LAST = 8;
const named = (id: string) => ({ params: { path: { id } } });

export const calls = {
  /** The last of a device. */
  commands: (device: string): Promise<Page<DeviceCommand>> => answered(client.GET("/api/v1/commands", { params: { query: { device, limit: LAST } } })),
  ask: (id: string, body: Schemas["AskCommand"], key: string): Promise<DeviceCommand> =>
    answered(client.POST("/api/v1/devices/{id}/commands", { params: { path: { id }, header: { "Idempotency-Key": key } }, body })),
  confirm: (id: string): Promise<DeviceCommand> => answered(client.POST("/api/v1/commands/{id}/confirm", named(id))),
  withdraw: (id: string): Promise<DeviceCommand> => answered(client.POST("/api/v1/commands/{id}/withdraw", named(id))),
  fires: async (open: boolean): Promise<Page<FireMode>> => ({ ...(await answered(client.GET("/api/v1/fire-modes", { params: { query: { open } } }))), next: null }),
  startFire: (body: Schemas["StartFireMode"]): Promise<FireMode> => answered(client.POST("/api/v1/fire-modes", { body })),
  confirmFire: (id: string): Promise<FireMode> => answered(client.POST("/api/v1/fire-modes/{id}/confirm", named(id))),
  endFire: (id: string, reason: string): Promise<FireMode> => answered(client.POST("/api/v1/fire-modes/{id}/end", { ...named(id), body: { reason } })),
};

/** Why it did not go, for the person who asked. */
export function told(e: unknown): string {
  const problem = e instanceof ApiError ? e.problem : null;
  if (problem?.code === "busy") return c("refused.busy");
  if (problem?.code === "not_possible") return c("refused.not_possible", { detail: problem.detail });
  if (problem?.status === 429) return c("refused.throttled");
  return toldOf(e);
}

/** Who asked: a person, or a rule. */
export function whoOf(by: string): string {
  if (!by.startsWith("rule:")) return personName(by);
  const rule = by.slice(5);
  return `${c("item.rule", { rule })} ${ruleTitle(rule)}`;
}

/** Where it burns, or is said to. */
export function placeOf(fire: Pick<FireMode, "site" | "building" | "zone">): string {
  const zone = meta.value?.zones.find((one) => one.id === fire.zone);
  const building = meta.value?.buildings.find((one) => one.id === fire.building);
  return [siteName(fire.site), building?.name ?? "", zone?.name ?? fire.zone].filter((part) => part !== "").join(" ");
}

export function fireTitle(fire: FireMode): string {
  if (fire.state === "active") return c(fire.drill ? "fire.drillActive" : "fire.active");
  return said("fire", fire.state);
}
