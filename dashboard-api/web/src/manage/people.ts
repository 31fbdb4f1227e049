/** Calls of the pages about people and places: the roster's week. */
import { answered, client } from "../api/client";
import type { components } from "../api/schema";

type Schemas = components["schemas"];
export type Week = Schemas["RosterWeek"];
export type WeekPost = Schemas["WeekPost"];
export type Stint = Schemas["Stint"];
export type NewSwap = Schemas["NewSwap"];

export const people = {
  week: (of: string): Promise<Week> => answered(client.GET("/api/v1/roster/week", { params: { query: of === "" ? {} : { of } } })),
  swap: (body: NewSwap) => answered(client.POST("/api/v1/roster/swaps", { body })),
};
