/** Calls of the API over a poor line: each ends by itself when nothing comes. */
import type { Incident, IncidentItem, Meta, Problem, User } from "../api/types";
import type { Asked, Reply } from "./ask";

const READ_MS = 20_000;
/** Somebody waits for it with a finger on the button. */
const ASK_MS = 12_000;

/** `lost`: no answer, or none that counts. */
export type Answer<T> = { is: "ok"; value: T } | { is: "lost" } | { is: "refused"; problem: Problem };

async function call<T>(method: string, path: string, patience_ms: number, body?: unknown, key?: string): Promise<Answer<T>> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), patience_ms);
  try {
    const response = await fetch(`/api/v1/${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...(key === undefined ? {} : { "Idempotency-Key": key }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      credentials: "same-origin",
      cache: "no-store",
      signal: patience.signal,
    });
    if (response.ok) return { is: "ok", value: (response.status === 204 ? undefined : await response.json()) as T };
    const told = (await response.json().catch(() => null)) as Problem | null;
    // what a proxy in between says is no answer of the station
    if (response.status >= 500 || typeof told?.code !== "string") return { is: "lost" };
    return { is: "refused", problem: told };
  } catch {
    return { is: "lost" };
  } finally {
    clearTimeout(timer);
  }
}

interface Page {
  items: IncidentItem[];
  next: string | null;
  revision: number;
}

export const session = () => call<{ user: User }>("GET", "session", READ_MS);
export const logIn = (login: string, password: string, code: string) =>
  call<{ user: User }>("POST", "session", READ_MS, code === "" ? { login, password } : { login, password, code });
export const logOut = () => call<void>("DELETE", "session", READ_MS);
export const meta = () => call<Meta>("GET", "meta", READ_MS);
export const incident = (id: string) => call<Incident>("GET", `incidents/${id}`, READ_MS);

export function incidents(department: string, cursor: string | null): Promise<Answer<Page>> {
  const query = new URLSearchParams({ state: "dispatched", department, limit: "500", ...(cursor === null ? {} : { cursor }) });
  return call<Page>("GET", `incidents?${query}`, READ_MS);
}

export async function post({ id, verb, body, key }: Asked): Promise<Reply> {
  const answer = await call<Incident>("POST", `incidents/${id}/${verb}`, ASK_MS, body, key);
  if (answer.is === "ok") return { is: "ok", incident: answer.value };
  // it may be too much just now: nothing was decided
  if (answer.is === "lost" || answer.problem.status === 429 || answer.problem.status === 408) return { is: "unsent" };
  const { status, code, detail, reason = null, holder = null, state = null, current = null } = answer.problem;
  return { is: "refused", refusal: { status, code, detail, reason, holder, state }, current };
}
