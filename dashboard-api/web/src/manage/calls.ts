/** Calls of the managers' pages, typed by the API's document. They are not part of the board's first load. */
import { ApiError, answered, client } from "../api/client";
import type { Alarm, IncidentItem, QuarantineItem } from "../api/types";
import type { components } from "../api/schema";
import { user } from "../session";
import type { Page } from "./merged";
import { m } from "./words";

type Schemas = components["schemas"];
export type HistoryEvent = Schemas["Event"];
export type Maintenance = Schemas["Maintenance"];
export type NewWindow = Schemas["PlanMaintenance"];
export type RerunOutcome = Schemas["RerunOutcome"];
export type AlarmFlag = Schemas["AlarmFlag"];

/** What is asked of the history; what is undefined is not asked for. */
export interface HistoryQuery {
  device?: string;
  kind?: string;
  site?: string;
  plate?: string;
  credential?: string;
  person?: string;
  from?: string;
  to?: string;
  limit?: number;
}

const at = (cursor: string | null) => (cursor === null ? {} : { cursor });
const keyed = (id: string, key: string) => ({ path: { id }, header: { "Idempotency-Key": key } });

export const calls = {
  events: (query: HistoryQuery, cursor: string | null = null): Promise<Page<HistoryEvent>> =>
    answered(client.GET("/api/v1/events", { params: { query: { ...query, ...at(cursor) } } })),
  incidents: (query: Record<string, string>, cursor: string | null = null): Promise<Page<IncidentItem>> =>
    answered(client.GET("/api/v1/incidents", { params: { query: { limit: 200, ...query, ...at(cursor) } } })),
  alarms: (query: { state?: string; flag?: string; site?: string }, cursor: string | null = null): Promise<Page<Alarm>> =>
    answered(client.GET("/api/v1/alarms", { params: { query: { limit: 500, ...query, ...at(cursor) } } })),
  shelve: (alarm: Alarm, minutes: number, reason: string, key: string): Promise<Alarm> =>
    answered(client.POST("/api/v1/alarms/{id}/shelve", { params: keyed(alarm.id, key), body: { expected_version: alarm.version, minutes, reason } })),
  unshelve: (alarm: Alarm, key: string): Promise<Alarm> =>
    answered(client.POST("/api/v1/alarms/{id}/unshelve", { params: keyed(alarm.id, key), body: { expected_version: alarm.version } })),
  acknowledge: (alarm: Alarm, key: string): Promise<Alarm> =>
    answered(client.POST("/api/v1/alarms/{id}/acknowledge", { params: keyed(alarm.id, key), body: { expected_version: alarm.version } })),
  windows: (state: string, cursor: string | null = null): Promise<Page<Maintenance>> =>
    answered(client.GET("/api/v1/maintenance", { params: { query: { limit: 200, ...(state === "" ? {} : { state }), ...at(cursor) } } })),
  plan: (body: NewWindow, key: string): Promise<Maintenance> =>
    answered(client.POST("/api/v1/maintenance", { params: { header: { "Idempotency-Key": key } }, body })),
  end: (id: string, key: string): Promise<Maintenance> => answered(client.POST("/api/v1/maintenance/{id}/end", { params: keyed(id, key) })),
  rerun: (id: string, dry_run: boolean): Promise<RerunOutcome> =>
    answered(client.POST("/api/v1/quarantine/{id}/rerun", { params: { path: { id } }, body: { dry_run } })),
  rerunAll: (body: { reason: string; topic: string; dry_run: boolean }): Promise<RerunOutcome> => answered(client.POST("/api/v1/quarantine/rerun", { body })),
  quarantine: (cursor: string | null): Promise<Page<QuarantineItem>> =>
    answered(client.GET("/api/v1/quarantine", { params: { query: { limit: 200, ...at(cursor) } } })),
};

/** Why it did not go, for the person who asked. */
export function told(e: unknown): string {
  if (!(e instanceof ApiError)) return m("told.failed", { detail: String(e) });
  const { status, code, detail } = e.problem;
  if (status === 0) return m("told.unreachable");
  if (status === 401) user.value = null;
  if (status === 403) return m("told.forbidden", { detail });
  if (code === "version_conflict") return m("told.conflict");
  return m("told.failed", { detail: detail || code });
}
