/** Calls of the pages about people and places: the roster's week, micro-grids, and who needs help out of a building. */
import { answered, client } from "../api/client";
import type { components } from "../api/schema";

type Schemas = components["schemas"];
export type Week = Schemas["RosterWeek"];
export type WeekPost = Schemas["WeekPost"];
export type Stint = Schemas["Stint"];
export type Grid = Schemas["Grid"];
export type GridPlace = Schemas["GridPlace"];
export type Evacuation = Schemas["Evacuation"];
export type NewSwap = Schemas["NewSwap"];

export const people = {
  week: (of: string): Promise<Week> => answered(client.GET("/api/v1/roster/week", { params: { query: of === "" ? {} : { of } } })),
  swap: (body: NewSwap) => answered(client.POST("/api/v1/roster/swaps", { body })),
  /** All pages: a compound has some dozens of them. */
  grids: async (): Promise<Grid[]> => {
    const items: Grid[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page: Schemas["GridPage"] = await answered(client.GET("/api/v1/grids", { params: { query: { limit: 500, ...(cursor === undefined ? {} : { cursor }) } } }));
      items.push(...page.items);
      cursor = page.next ?? null;
    }
    return items;
  },
  evacuation: (id: string): Promise<Evacuation> => answered(client.GET("/api/v1/incidents/{id}/evacuation", { params: { path: { id } } })),
};
