/** Calls of the administration's pages, typed by the API's document. */
import { answered, client } from "../api/client";
import type { components } from "../api/schema";
import type { Page } from "../manage/merged";

type Schemas = components["schemas"];
export type AuditItem = Schemas["AuditItem"];
export type AuditVerification = Schemas["AuditVerification"];

export interface AuditQuery {
  from?: string;
  to?: string;
  actor?: string;
  act?: string;
  object?: string;
}

const at = (cursor: string | null) => (cursor === null ? {} : { cursor });

export const calls = {
  audit: (query: AuditQuery, cursor: string | null): Promise<Page<AuditItem>> =>
    answered(client.GET("/api/v1/audit", { params: { query: { limit: 200, ...query, ...at(cursor) } } })),
  verify: (): Promise<AuditVerification> => answered(client.POST("/api/v1/audit/verification")),
};
