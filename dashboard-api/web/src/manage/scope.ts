/** What a maintenance window goes over, as people say it. */
import { devices } from "../live/board";
import { meta } from "../live/feed";
import { siteName } from "../station";
import type { Maintenance } from "./calls";
import { m } from "./words";

export function scopeOf(window: Pick<Maintenance, "site" | "building" | "zone" | "device">): string {
  const parts = [siteName(window.site)];
  if (window.building !== null) parts.push(meta.value?.buildings.find((building) => building.id === window.building)?.name ?? window.building);
  if (window.zone !== null) parts.push(meta.value?.zones.find((zone) => zone.id === window.zone)?.name ?? window.zone);
  if (window.device !== null) parts.push(devices.value.find((device) => device.id === window.device)?.name ?? window.device);
  return parts.length === 1 ? `${parts[0] ?? ""} · ${m("windows.whole")}` : parts.join(" · ");
}
