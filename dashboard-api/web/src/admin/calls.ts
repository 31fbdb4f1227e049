/** Calls of the administration's pages, typed by the API's document. */
import { answered, client } from "../api/client";
import type { components } from "../api/schema";
import type { Page } from "../manage/merged";

type Schemas = components["schemas"];
export type Role = Schemas["Role"];
export type AuditItem = Schemas["AuditItem"];
export type AuditVerification = Schemas["AuditVerification"];
export type Account = Schemas["Account"];
export type UserDone = Schemas["UserDone"];
export type Token = Schemas["Token"];
export type SecondFactor = Schemas["SecondFactor"];
export type SecondFactorBegun = Schemas["SecondFactorBegun"];
export type UserAct = "disable" | "enable" | "reset_password" | "reset_second_factor" | "end_sessions";

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
  users: (): Promise<Schemas["Users"]> => answered(client.GET("/api/v1/users")),
  makeUser: (body: Schemas["NewUserBody"]): Promise<UserDone> => answered(client.POST("/api/v1/users", { body })),
  changeUser: (login: string, body: Schemas["UserBody"]): Promise<UserDone> =>
    answered(client.PUT("/api/v1/users/{login}", { params: { path: { login } }, body })),
  actOnUser: (login: string, act: UserAct): Promise<UserDone> =>
    answered(client.POST("/api/v1/users/{login}/{act}", { params: { path: { login, act } } })),
  tokens: (): Promise<Schemas["Tokens"]> => answered(client.GET("/api/v1/tokens")),
  makeToken: (body: Schemas["NewTokenBody"]): Promise<Schemas["TokenMade"]> => answered(client.POST("/api/v1/tokens", { body })),
  secondFactor: (): Promise<SecondFactor> => answered(client.GET("/api/v1/session/second-factor")),
  beginSecondFactor: (password: string): Promise<SecondFactorBegun> => answered(client.POST("/api/v1/session/second-factor", { body: { password } })),
  confirmSecondFactor: (code: string): Promise<Schemas["RecoveryCodes"]> =>
    answered(client.POST("/api/v1/session/second-factor/confirmation", { body: { code } })),
  endSecondFactor: (password: string): Promise<void> => answered(client.POST("/api/v1/session/second-factor/end", { body: { password } })),
  revokeToken: (id: string): Promise<void> => answered(client.DELETE("/api/v1/tokens/{id}", { params: { path: { id } } })),
};
