/**
 * The API as the screens use it: shapes generated from its document, with closed lists of words in place of plain strings.
 * A field that the document loses or renames breaks the type check.
 */
import type { components } from "./schema";

type Schemas = components["schemas"];
/** The server writes every field; one without a value is null. */
type Full<T> = { [K in keyof T]-?: Exclude<T[K], undefined> };
/** `T` with narrower types for some of its fields. */
type Narrow<T, N extends { [K in keyof N]: K extends keyof T ? T[K] : never }> = Omit<Full<T>, keyof N> & N;

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
export type TaskState = "dispatched" | "claimed" | "on_scene" | "resolved" | "released" | "handed_back";
export type Verb =
  | "acknowledge"
  | "verify"
  | "dismiss"
  | "dispatch"
  | "assign"
  | "claim"
  | "arrive"
  | "progress"
  | "hand_back"
  | "resolve"
  | "force_close"
  | "merge"
  | "unmerge"
  | "cancel"
  | "answer"
  | "reopen"
  | "close";
export type DeviceState = "normal" | "alarm" | "offline" | "silent" | "never_seen";

export type Due = Schemas["Due"];
export type IncidentItem = Narrow<
  Schemas["IncidentItem"],
  { severity: Severity; state: IncidentState; condition: "active" | "normal" }
>;
export type Task = Narrow<Schemas["Task"], { state: TaskState }>;
export type TimelineEntry = Full<Schemas["TimelineEntry"]>;
export type Alarm = Narrow<Schemas["Alarm"], { severity: Severity }>;
export type Evidence = Full<Schemas["Evidence"]>;
export type Notified = Full<Schemas["Notified"]>;
export type Incident = IncidentItem & {
  tasks: Task[];
  timeline: TimelineEntry[];
  alarms: Alarm[];
  evidence: Evidence[];
  notified: Notified[];
};
export type Device = Narrow<Schemas["Device"], { state: DeviceState }>;
export type QuarantineItem = Full<Schemas["Quarantined"]>;
export type User = Full<Schemas["User"]>;
export type Department = Schemas["Department"];
export type Rule = Schemas["Rule"];
export type Site = Schemas["Site"];
export type Building = Schemas["Building"];
export type Meta = Full<Schemas["Meta"]>;
export type Command = Schemas["Request"];
export type Problem = Omit<Schemas["Problem"], "current" | "type"> & { current?: Incident | null };

export interface Page<T> {
  items: T[];
  next?: string | null;
  revision: number;
}

/** Of the live feed, which the document describes in words only. */
export interface Heartbeat {
  revision: number;
  server_time: string;
  version: string;
  ui_hash: string;
}
