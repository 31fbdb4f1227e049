/** What a plan shows of a quarter: which devices, gathered by what, and how urgent. Pure. */
import type { Device, IncidentItem, Severity, Zone } from "../api/types";
import { isOpen, isUnacknowledged } from "../live/order";

export const LAYERS = ["fire", "video", "access", "parking"] as const;
export type Layer = (typeof LAYERS)[number];

const LAYER_OF: Readonly<Record<string, Layer>> = { fire_sensor: "fire", camera: "video", access: "access", barrier: "parking" };

/** What belongs to no layer is always shown. */
export function isInLayers(device: Pick<Device, "class">, layers: ReadonlySet<Layer>): boolean {
  const layer = LAYER_OF[device.class];
  return layer === undefined || layers.has(layer);
}

export function isLost(device: Pick<Device, "state">): boolean {
  return device.state === "offline" || device.state === "silent";
}

/** What is open about several devices: the most urgent that nobody has acknowledged, or else the most urgent. */
export interface Cluster {
  severity: Severity;
  count: number;
  waiting: number;
  first: IncidentItem;
}

export function clusterOf(rows: readonly IncidentItem[]): Cluster | null {
  const open = rows.filter((row) => isOpen(row.state));
  const waiting = open.filter(isUnacknowledged);
  const among = waiting.length > 0 ? waiting : open;
  const first = among.reduce<IncidentItem | null>((worst, row) => (worst === null || row.severity < worst.severity ? row : worst), null);
  return first === null ? null : { severity: first.severity, count: open.length, waiting: waiting.length, first };
}

/** The most urgent incident of each device. */
export function worstByDevice(rows: readonly IncidentItem[]): Map<string, IncidentItem> {
  const worst = new Map<string, IncidentItem>();
  for (const row of rows) {
    const known = row.device === null ? undefined : worst.get(row.device);
    if (row.device !== null && isOpen(row.state) && (known === undefined || row.severity < known.severity)) worst.set(row.device, row);
  }
  return worst;
}

/** What a device in a zone that is not known stands on. */
export const NOWHERE = { floor: null, floor_to: null };
type Storeys = Pick<Zone, "floor" | "floor_to">;

/** Floors that a zone is on: one, several, or none by itself. */
export function floorsOf({ floor, floor_to }: Storeys): number[] {
  if (floor === null) return [];
  return Array.from({ length: Math.max(0, (floor_to ?? floor) - floor) + 1 }, (_, index) => floor + index);
}

/** Whether a zone is on a floor; `"none"`: on none by itself. */
export function isOnFloor({ floor, floor_to }: Storeys, at: number | "none"): boolean {
  if (at === "none") return floor === null;
  return floor !== null && floor <= at && at <= (floor_to ?? floor);
}

export interface Room<T> {
  zone: string;
  name: string;
  /** The middle of what stands in it. */
  x: number;
  y: number;
  members: T[];
}

/** By zone: the registry knows where devices stand, not where the walls are. */
export function roomsOf<T extends { device: Device }>(pins: readonly T[]): Room<T>[] {
  const rooms = new Map<string, T[]>();
  for (const pin of pins) {
    const known = rooms.get(pin.device.zone);
    if (known === undefined) rooms.set(pin.device.zone, [pin]);
    else known.push(pin);
  }
  const middle = (members: readonly T[], of: (device: Device) => number) => members.reduce((sum, { device }) => sum + of(device), 0) / members.length;
  return [...rooms].map(([zone, members]) => ({
    zone,
    name: members[0]!.device.zone_name ?? zone,
    x: middle(members, (device) => device.x_m),
    y: middle(members, (device) => device.y_m),
    members,
  }));
}

/** Of a view box, in metres. */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

const ZOOM_MAX = 12;

/** Closer by `factor` around a point, never wider than the whole and never beyond it. */
export function zoomed(box: Box, whole: Box, factor: number, around = { x: box.x + box.width / 2, y: box.y + box.height / 2 }): Box {
  const width = Math.min(whole.width, Math.max(whole.width / ZOOM_MAX, box.width / factor));
  const height = (width / whole.width) * whole.height;
  return within({ x: around.x - width / 2, y: around.y - height / 2, width, height }, whole);
}

export function within(box: Box, whole: Box): Box {
  const clamp = (at: number, from: number, room: number) => Math.min(from + room, Math.max(from, at));
  return { ...box, x: clamp(box.x, whole.x, whole.width - box.width), y: clamp(box.y, whole.y, whole.height - box.height) };
}
