/** Calls of the API, typed by its document. A refusal is thrown as `ApiError` with the server's problem document. */
import createClient from "openapi-fetch";
import type { paths } from "./schema";
import type { Alarm, Command, Incident, IncidentItem, Problem, Verb } from "./types";

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

export const client = createClient<paths>({ credentials: "same-origin", cache: "no-store" });

/** Status 0: the server was not reached. */
function unreachable(): Problem {
  return { type: "about:blank", status: 0, code: "unreachable", title: "", detail: "" };
}

/** What was answered; what is no answer of this API, as of a proxy in between, is a refusal with its status. */
export async function answered<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  let reply;
  try {
    reply = await call;
  } catch (e) {
    // it answered, and not in JSON
    if (e instanceof SyntaxError) throw new ApiError({ ...unreachable(), code: "unknown", status: 502 });
    throw new ApiError(unreachable());
  }
  const { data, error, response } = reply;
  if (response.ok) return data as T;
  const told = typeof error === "object" ? (error as Partial<Problem>) : {};
  throw new ApiError({ ...unreachable(), code: "unknown", title: response.statusText, ...told, status: response.status });
}

/** For the last words of a page that goes away: the browser sends them all the same. */
export const LEAVING = { keepalive: true } as const;
type Sent = Partial<typeof LEAVING>;

/** 128 random bits. `crypto.randomUUID` does not exist on plain HTTP in a LAN. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

interface Page<T> {
  items: T[];
  next: string | null;
  revision: number;
}

/** Follows `next` to the end; `revision` is the first page's, so that what changed meanwhile comes again by the feed. */
async function all<T>(page: (cursor: { cursor?: string }) => Promise<Page<T>>): Promise<{ items: T[]; revision: number }> {
  const { items, next: second, revision } = await page({});
  for (let next = second; next !== null; ) {
    const more = await page({ cursor: next });
    items.push(...more.items);
    next = more.next;
  }
  return { items, revision };
}

export const api = {
  session: () => answered(client.GET("/api/v1/session")),
  logIn: (login: string, password: string, code: string) =>
    answered(client.POST("/api/v1/session", { body: code === "" ? { login, password } : { login, password, code } })),
  logOut: () => answered(client.DELETE("/api/v1/session")),
  sessions: () => answered(client.GET("/api/v1/sessions")),
  endSession: (id: string) => answered(client.DELETE("/api/v1/sessions/{id}", { params: { path: { id } } })),
  logOutEverywhere: () => answered(client.DELETE("/api/v1/sessions")),
  changePassword: (current: string, next: string) => answered(client.POST("/api/v1/session/password", { body: { current, new: next } })),
  meta: () => answered(client.GET("/api/v1/meta")),
  activeIncidents: () =>
    all<IncidentItem>((cursor) => answered(client.GET("/api/v1/incidents", { params: { query: { state: "active", limit: 300, ...cursor } } }))),
  incident: (id: string) => answered(client.GET("/api/v1/incidents/{id}", { params: { path: { id } } })),
  devices: () => answered(client.GET("/api/v1/devices")),
  quarantine: () => answered(client.GET("/api/v1/quarantine", { params: { query: { limit: 200 } } })),
  storms: () => answered(client.GET("/api/v1/storms")),
  fireModes: () => answered(client.GET("/api/v1/fire-modes", { params: { query: { open: true } } })),
  acknowledgeStorm: (id: string, seen_at: string) =>
    answered(client.POST("/api/v1/storms/{id}/acknowledge", { params: { path: { id } }, body: { seen_at } })),
  command: (id: string, verb: Verb, command: Command, key: string, sent: Sent = {}): Promise<Incident> =>
    answered(client.POST("/api/v1/incidents/{id}/{verb}", { ...sent, params: { path: { id, verb }, header: { "Idempotency-Key": key } }, body: command })),
  shelve: (alarm: Alarm, minutes: number, reason: string, key: string, sent: Sent = {}) =>
    answered(
      client.POST("/api/v1/alarms/{id}/shelve", {
        ...sent,
        params: { path: { id: alarm.id }, header: { "Idempotency-Key": key } },
        body: { expected_version: alarm.version, minutes, reason },
      }),
    ),
  unshelve: (alarm: Alarm, key: string) =>
    answered(
      client.POST("/api/v1/alarms/{id}/unshelve", {
        params: { path: { id: alarm.id }, header: { "Idempotency-Key": key } },
        body: { expected_version: alarm.version },
      }),
    ),
};
