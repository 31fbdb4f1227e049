/** Calls of the pages about figures and the duty book. */
import { answered, client } from "./client";
import type { components, operations } from "./schema";

type Schemas = components["schemas"];
export type Kpi = Schemas["Kpi"];
export type KpiGroup = Schemas["KpiGroup"];
export type KpiMeasured = Schemas["KpiMeasured"];
export type KpiPercentile = Schemas["KpiPercentile"];
export type KpiScore = Schemas["KpiScore"];
export type Load = Schemas["Load"];
export type Handover = Schemas["Handover"];
export type KpiQuery = operations["kpi"]["parameters"]["query"];

export const figures = {
  kpi: (query: KpiQuery): Promise<Kpi> => answered(client.GET("/api/v1/kpi", { params: { query } })),
  load: (): Promise<Load> => answered(client.GET("/api/v1/load")),
  dutyLog: () => answered(client.GET("/api/v1/duty-log")),
  /** Names of those who are on the roster, by id. */
  people: async (): Promise<ReadonlyMap<string, string>> => {
    const { people } = await answered(client.GET("/api/v1/roster"));
    return new Map(people.map((person) => [person.id, person.name]));
  },
  addNote: (note: string) => answered(client.POST("/api/v1/duty-log/notes", { body: { note } })),
  handovers: (): Promise<{ items: Handover[] }> => answered(client.GET("/api/v1/handovers")),
  prepare: (): Promise<Handover> => answered(client.POST("/api/v1/handover")),
  sign: (number: number): Promise<Handover> => answered(client.POST("/api/v1/handovers/{number}/sign", { params: { path: { number } } })),
};
export type DutyLog = Awaited<ReturnType<typeof figures.dutyLog>>;
