/** What a page and its source of changes say to each other: the source is the worker that all tabs share, or the page's own line. */
import type { Device, FireMode, IncidentItem, Meta, QuarantineItem, Rate, Storm } from "../api/types";

/** Everything on the board at one revision. It replaces what was there. */
export interface Snapshot {
  /** Whose it is: what a user may see is in it. */
  login: string;
  meta: Meta;
  incidents: IncidentItem[];
  devices: Device[];
  storms: Storm[];
  /** Those that are not over. */
  fires: FireMode[];
  /** None for roles that may not read it. */
  quarantine: QuarantineItem[] | null;
  revision: number;
}

/** One step of the revision. `about`: an alarm of an incident, or who is told of it; `other` for what pages read again themselves. */
export type Change = { revision: number } & (
  | { kind: "incident"; item: IncidentItem }
  | { kind: "device"; item: Device }
  | { kind: "quarantine"; item: QuarantineItem }
  | { kind: "storm"; item: Storm }
  | { kind: "fire"; item: FireMode }
  | { kind: "about"; incident: string | null }
  | { kind: "other" }
);

/** A sign of life from the server. Milliseconds. */
export interface Pulse {
  /** The server's clock less this one; null until the server told it. */
  offset: number | null;
  /** How long a heartbeat was under way. */
  delay: number;
  /** How much rings, as the server counts it; null until the server told it. */
  rate: Rate | null;
  /** Of the pages that the server has now. */
  uiHash: string | null;
}

export type ToTab =
  | { is: "snapshot"; snapshot: Snapshot }
  | { is: "changes"; changes: Change[] }
  | { is: "pulse"; pulse: Pulse }
  /** A few times a second, also in a hidden tab: it drives the sound. `sound`: which tab makes it. */
  | { is: "tick"; sound: "here" | "elsewhere" | "nowhere" }
  /** Somebody silenced the station in another tab. */
  | { is: "silence" }
  /** Nobody is logged in any more. */
  | { is: "ended" };

export type ToWorker =
  | { ask: "join"; login: string; isArmed: boolean }
  /** In answer to a tick. */
  | { ask: "here"; isArmed: boolean }
  | { ask: "silence" }
  | { ask: "leave" };
