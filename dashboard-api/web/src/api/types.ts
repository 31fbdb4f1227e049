/** The API's shapes under the names that the screens use. All of them are made from its document: see `scripts/api.mjs`. */
import type { components } from "./schema";

type Schemas = components["schemas"];

export type Severity = Schemas["Severity"];
export type IncidentState = Schemas["IncidentState"];
export type Verb = Schemas["Verb"];
export type DeviceState = Schemas["DeviceState"];
export type Due = Schemas["Due"];
export type IncidentItem = Schemas["IncidentItem"];
export type Incident = Schemas["Incident"];
export type Task = Schemas["Task"];
export type TaskState = Schemas["TaskState"];
export type TimelineEntry = Schemas["TimelineEntry"];
export type Alarm = Schemas["Alarm"];
export type Evidence = Schemas["Evidence"];
export type IncidentPhoto = Schemas["IncidentPhoto"];
export type May = Schemas["May"];
export type Sight = Schemas["Sight"];
export type Purpose = Schemas["Purpose"];
export type Reason = Schemas["Reason"];
export type Notified = Schemas["Notified"];
export type Device = Schemas["Device"];
export type QuarantineItem = Schemas["Quarantined"];
export type User = Schemas["User"];
export type SessionItem = Schemas["SessionItem"];
export type Meta = Schemas["Meta"];
export type Department = Schemas["Department"];
export type Rule = Schemas["Rule"];
export type Threshold = Schemas["Threshold"];
export type Site = Schemas["Site"];
export type Building = Schemas["Building"];
export type Zone = Schemas["Zone"];
export type Command = Schemas["Request"];
export type Storm = Schemas["Storm"];
export type Rate = Schemas["Rate"];
export type Problem = Schemas["Problem"];
export type Heartbeat = Schemas["Heartbeat"];
