/** Calls of the registry's tables, and a text from a file as spreadsheets in China write it. */
import { ApiError, answered, client } from "../api/client";
import type { components } from "../api/schema";

type Schemas = components["schemas"];
export type Overview = Schemas["RegistryOverview"];
export type TableRow = Schemas["TableRow"];
type TablePage = Schemas["TablePage"];
export type Outcome = Schemas["TableOutcome"];
export type Change = Omit<Schemas["ImportTable"], "put" | "remove" | "dry_run"> & Partial<Pick<Schemas["ImportTable"], "put" | "remove" | "dry_run">>;

const PAGE = 500;

export const tables = {
  overview: (): Promise<Overview> => answered(client.GET("/api/v1/registry")),
  /** JSON, because no other format is asked for. */
  rows: (table: string, q: string, cursor: string | null): Promise<TablePage> =>
    answered<unknown>(
      client.GET("/api/v1/registry/{table}", {
        params: { path: { table }, query: { limit: PAGE, ...(q === "" ? {} : { q }), ...(cursor === null ? {} : { cursor }) } },
      }),
    ) as Promise<TablePage>,
  change: (body: Change): Promise<Outcome> => answered(client.POST("/api/v1/registry/import", { body })),
  address: (table: string): string => `/api/v1/registry/${table}?format=csv`,
};

/** The version at work, when a change came too late: somebody was faster. */
export function staleBy(e: unknown): string | null {
  return e instanceof ApiError && e.problem.code === "version_conflict" ? (e.problem.version ?? null) : null;
}

/** UTF-8 where it is that, otherwise GB 18030, in which Excel in China writes. */
export function decoded(bytes: ArrayBuffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("gb18030").decode(bytes);
  }
}
