/** Calls of the holding list, and where a newcomer may be put. */
import { answered, client } from "../api/client";
import type { Zone } from "../api/types";
import type { components } from "../api/schema";

type Schemas = components["schemas"];
export type Newcomer = Schemas["Newcomer"];
export type NewcomerPage = Schemas["NewcomerPage"];
export type Admission = Schemas["AdmitNewcomer"];
export type Admitted = Schemas["Admitted"];

const PAGE = 200;
const of = (id: string) => ({ params: { path: { id } } });

export const newcomers = {
  page: (dismissed: boolean, cursor: string | null): Promise<NewcomerPage> =>
    answered(client.GET("/api/v1/newcomers", { params: { query: { dismissed, limit: PAGE, ...(cursor === null ? {} : { cursor }) } } })),
  waiting: async (): Promise<number> => (await answered(client.GET("/api/v1/newcomers", { params: { query: { limit: 1 } } }))).waiting,
  admit: (id: string, body: Admission): Promise<Admitted> => answered(client.POST("/api/v1/newcomers/{id}/admission", { ...of(id), body })),
  dismiss: (id: string, reason: string): Promise<Newcomer> => answered(client.POST("/api/v1/newcomers/{id}/dismissal", { ...of(id), body: { reason } })),
};

export interface ZoneGroup {
  /** A building's id; empty for what stands in none. */
  building: string;
  zones: Zone[];
}

/** The zones of a quarter, building by building and floor by floor. */
export function zoneGroups(zones: readonly Zone[], site: string): ZoneGroup[] {
  const groups = new Map<string, Zone[]>();
  for (const zone of zones) {
    if (zone.site !== site) continue;
    const group = groups.get(zone.building ?? "") ?? [];
    group.push(zone);
    groups.set(zone.building ?? "", group);
  }
  const byFloor = (a: Zone, b: Zone) => (a.floor ?? 0) - (b.floor ?? 0) || a.id.localeCompare(b.id, "en", { numeric: true });
  return [...groups]
    .map(([building, list]) => ({ building, zones: list.sort(byFloor) }))
    .sort((a, b) => a.building.localeCompare(b.building, "en", { numeric: true }));
}
