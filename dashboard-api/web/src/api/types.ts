/** The API as the screens use it. */

export type Severity = "P1" | "P2" | "P3" | "P4";
export type IncidentState =
  | "open"
  | "acknowledged"
  | "verifying"
  | "dispatched"
  | "resolved"
  | "review"
  | "closed"
  | "merged"
  | "cancelled";
export type TaskState = "dispatched" | "claimed" | "on_scene" | "resolved" | "released";
export type Verb = "acknowledge" | "dispatch" | "claim" | "arrive" | "resolve" | "close";
export type DeviceState = "normal" | "alarm" | "offline" | "silent" | "never_seen";

export interface Due {
  acknowledge?: string | null;
  claim?: string | null;
  arrive?: string | null;
  resolve?: string | null;
}

export interface IncidentItem {
  id: string;
  number: number;
  version: number;
  severity: Severity;
  state: IncidentState;
  condition: "active" | "normal";
  rule: string;
  class: string;
  subject: string;
  site: string;
  zone: string | null;
  zone_name: string | null;
  building: string | null;
  building_name: string | null;
  floor: number | null;
  device: string | null;
  device_name: string | null;
  lead: string;
  departments: string[];
  opened_at: string;
  occurred_at: string;
  last_event_at: string;
  count: number;
  acknowledged_at: string | null;
  acknowledged_by: string | null;
  holder: string | null;
  resolved_at: string | null;
  closed_at: string | null;
  cause: string | null;
  parent?: string | null;
  due: Due;
  detail: Record<string, string>;
  revision: number;
}

export interface Task {
  id: string;
  department: string;
  lead: boolean;
  state: TaskState;
  holder: string | null;
  dispatched_at: string;
  claimed_at: string | null;
  arrived_at: string | null;
  resolved_at: string | null;
  due: Due;
}

export interface TimelineEntry {
  at: string;
  actor: string;
  verb: string;
  department: string | null;
  note: string | null;
  from: string;
  to: string;
}

export interface Alarm {
  id: string;
  rule: string;
  subject: string;
  severity: Severity;
  state: string;
  device: string | null;
  raised_at: string;
  last_event_at: string;
  cleared_at: string | null;
  count: number;
}

export interface Incident extends IncidentItem {
  tasks: Task[];
  timeline: TimelineEntry[];
  alarms: Alarm[];
}

export interface Device {
  id: string;
  name: string;
  site: string;
  zone: string;
  zone_name: string | null;
  building: string | null;
  building_name: string | null;
  floor: number | null;
  class: string;
  model: string;
  x_m: number;
  y_m: number;
  online: boolean | null;
  last_seen: string | null;
  battery_percent: number | null;
  state: DeviceState;
}

export interface QuarantineItem {
  id: string;
  seq: number;
  received_at: string;
  topic: string;
  principal: string;
  reason: string;
  detail: string;
  raw_base64: string;
  bytes: number;
}

export interface Page<T> {
  items: T[];
  next: string | null;
  revision: number;
}

export interface User {
  login: string;
  name: string;
  role: string;
  department: string | null;
}

export interface Department {
  id: string;
  name: string;
  name_en: string;
  chip: string;
}

export interface Rule {
  id: string;
  title_zh: string;
  title_en: string;
  sop_zh: string[];
  sop_en: string[];
}

export interface Site {
  id: string;
  name: string;
  name_en: string;
  width_m: number;
  height_m: number;
}

export interface Building {
  id: string;
  site: string;
  name: string;
  floors: number;
  outline: { x_m: number; y_m: number; width_m: number; height_m: number };
}

export interface Meta {
  version: string;
  ui_hash: string;
  server_time: string;
  time_zone: string;
  community: { name: string; name_en: string; station: string; station_en: string } | null;
  departments: Department[];
  sites: Site[];
  buildings: Building[];
  rules: Rule[];
}

export interface Heartbeat {
  revision: number;
  server_time: string;
  version: string;
  ui_hash: string;
}

export interface Problem {
  status: number;
  code: string;
  title: string;
  detail: string;
  current?: Incident | null;
  state?: string | null;
  holder?: string | null;
}

export interface Command {
  expected_version: number;
  note?: string;
  cause?: string;
  departments?: string[];
}
