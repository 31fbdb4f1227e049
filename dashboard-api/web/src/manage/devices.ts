/** Which devices a list shows, and in which order: what needs somebody comes first. */
import type { Device, DeviceState } from "../api/types";

export const LOW_BATTERY_PERCENT = 20;
export const STATES: readonly DeviceState[] = ["alarm", "silent", "offline", "never_seen", "normal"];

/** Empty: not filtered by it. */
export interface DeviceFilter {
  site: string;
  building: string;
  class: string;
  state: string;
  /** `low`: only those whose battery is low. */
  battery: string;
  q: string;
}

export const isLow = (device: Device): boolean => device.battery_percent !== null && device.battery_percent < LOW_BATTERY_PERCENT;

/** All but the state, so that each state can say how many it would show. */
export function matches(device: Device, filter: DeviceFilter, textOf: (device: Device) => string): boolean {
  if (filter.site !== "" && device.site !== filter.site) return false;
  if (filter.building !== "" && device.building !== filter.building) return false;
  if (filter.class !== "" && device.class !== filter.class) return false;
  if (filter.battery === "low" && !isLow(device)) return false;
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = textOf(device);
  return words.every((word) => text.includes(word));
}

export function byNeed(a: Device, b: Device): number {
  return STATES.indexOf(a.state) - STATES.indexOf(b.state) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}
