/** Fire mode: what it would open, and what of it is open. */
import type { Device, DeviceCommand, FireMode, Meta, Zone } from "../api/types";
import { markOf } from "./outcome";

/** How long a second person may take. */
export const PROPOSAL_MS = 120_000;

export interface ToOpen {
  doors: Device[];
  barriers: Device[];
}

/** The doors of escape ways of the zone's building, of the zone itself where it stands in none, and the quarter's barriers. */
export function toOpen(zone: Pick<Zone, "id" | "site" | "building">, zones: Meta["zones"], devices: readonly Device[]): ToOpen {
  const escapes = new Set(zones.filter((one) => one.kind === "fire_door" && (zone.building === null ? one.id === zone.id : one.building === zone.building)).map((one) => one.id));
  const here = devices.filter((device) => device.site === zone.site);
  return {
    doors: here.filter((device) => device.class === "access" && escapes.has(device.zone)),
    barriers: here.filter((device) => device.class === "barrier"),
  };
}

export interface Standing {
  device: string;
  /** The last one that it was told. */
  command: DeviceCommand | null;
}

/** By what is known of each: `shut` is whatever has not been seen open, also what nobody knows. */
export function standings(fire: FireMode): { shut: Standing[]; waiting: Standing[]; open: Standing[]; would: Standing[] } {
  const found: ReturnType<typeof standings> = { shut: [], waiting: [], open: [], would: [] };
  const last = new Map<string, DeviceCommand>();
  for (const command of fire.commands) {
    const before = last.get(command.device);
    if (before === undefined || before.asked_at <= command.asked_at) last.set(command.device, command);
  }
  const isMoved = fire.with_devices && fire.state !== "proposed" && fire.state !== "void";
  for (const device of fire.devices) {
    const command = last.get(device) ?? null;
    const mark = command === null ? "shut" : markOf(command);
    const group = !isMoved && command === null ? "would" : mark === "done" ? "open" : mark === "underWay" ? "waiting" : "shut";
    found[group].push({ device, command });
  }
  return found;
}

/** A proposal that nobody has confirmed in time is over, also before anybody says so. */
export function isOn(fire: FireMode, now: number): boolean {
  return fire.state === "active" || (fire.state === "proposed" && now < Date.parse(fire.started_at) + PROPOSAL_MS);
}

/** Whole seconds until a proposal is void. */
export const voidIn = (fire: FireMode, now: number): number => Math.max(0, Math.ceil((Date.parse(fire.started_at) + PROPOSAL_MS - now) / 1000));
