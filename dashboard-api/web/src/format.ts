/** Times and places as people read them, in the community's time zone and by the server's clock. */
import type { Device, IncidentItem } from "./api/types";
import { t } from "./i18n";
import { storeyOf } from "./storey";

let clock = make("Asia/Shanghai");

function make(timeZone: string) {
  const base = { timeZone, hourCycle: "h23", hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
  return {
    time: new Intl.DateTimeFormat("zh-CN", base),
    full: new Intl.DateTimeFormat("zh-CN", { ...base, year: "numeric", month: "2-digit", day: "2-digit" }),
  };
}

export function setTimeZone(timeZone: string): void {
  try {
    clock = make(timeZone);
  } catch {
    // an unknown zone leaves the one before
  }
}

function show(format: Intl.DateTimeFormat, at: string | number | null): string {
  const date = at === null ? NaN : new Date(at).getTime();
  return Number.isNaN(date) ? "–" : format.format(date).replaceAll("/", "-");
}

export const timeOf = (at: string | number | null): string => show(clock.time, at);
export const dateTimeOf = (at: string | number | null): string => show(clock.full, at);

export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const pad = (n: number) => String(n).padStart(2, "0");
  if (seconds < 60) return t("unit.s", { s: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t("unit.ms", { m: minutes, s: pad(seconds % 60) });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return t("unit.hm", { h: hours, m: pad(minutes % 60) });
  return t("unit.dh", { d: Math.floor(hours / 24), h: hours % 24 });
}

/** What has a place: incidents, alarms, devices. */
type Placed = Pick<IncidentItem | Device, "floor" | "zone_name" | "building_name">;
type About = Placed & Pick<IncidentItem, "device" | "device_name" | "subject">;

export function storeyAndZone(floor: number | null, zoneName: string | null): string {
  const said = storeyOf(floor, zoneName);
  return [said.floor === "" ? "" : t("place.floor", { floor: said.floor }), said.zone].filter((part) => part !== "").join(" ");
}

export function placeOf(item: Placed, siteName: string): string {
  return [siteName, item.building_name ?? "", storeyAndZone(item.floor, item.zone_name)].filter((part) => part !== "").join(" ");
}

export function placeAndDevice(item: About, siteName: string): string {
  const device = item.device_name ?? item.device;
  return device === null ? placeOf(item, siteName) || item.subject : `${placeOf(item, siteName)} · ${device}`;
}
