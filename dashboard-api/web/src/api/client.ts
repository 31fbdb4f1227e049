/** Calls of the API. A refusal is thrown as `ApiError` with the server's problem document. */
import type { Command, Device, Incident, IncidentItem, Meta, Page, Problem, QuarantineItem, User, Verb } from "./types";

export class ApiError extends Error {
  constructor(readonly problem: Problem) {
    super(problem.detail || problem.title);
  }
}

/** Status 0: the server was not reached. */
async function call<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  let response: Response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers: body === undefined ? headers : { "Content-Type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch {
    throw new ApiError({ status: 0, code: "unreachable", title: "", detail: "" });
  }
  if (response.ok) {
    return (response.status === 204 ? undefined : await response.json().catch(() => undefined)) as T;
  }
  const told = (await response.json().catch(() => ({}))) as Partial<Problem>;
  throw new ApiError({ code: "unknown", title: response.statusText, detail: "", ...told, status: response.status });
}

/** 128 random bits. `crypto.randomUUID` does not exist on plain HTTP in a LAN. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Follows `next` to the end; `revision` is the first page's, so that what changed meanwhile comes again by the feed. */
async function all<T>(path: string): Promise<{ items: T[]; revision: number }> {
  const first = await call<Page<T>>("GET", path);
  const items = first.items;
  for (let next = first.next; next !== null && next !== undefined; ) {
    const page = await call<Page<T>>("GET", `${path}&cursor=${encodeURIComponent(next)}`);
    items.push(...page.items);
    next = page.next;
  }
  return { items, revision: first.revision };
}

export const api = {
  session: () => call<{ user: User }>("GET", "session"),
  logIn: (login: string, password: string) => call<{ user: User }>("POST", "session", { login, password }),
  logOut: () => call<void>("DELETE", "session"),
  meta: () => call<Meta>("GET", "meta"),
  activeIncidents: () => all<IncidentItem>("incidents?state=active&limit=500"),
  incident: (id: string) => call<Incident>("GET", `incidents/${id}`),
  devices: () => all<Device>("devices?limit=500"),
  quarantine: () => call<Page<QuarantineItem>>("GET", "quarantine?limit=200"),
  command: (id: string, verb: Verb, command: Command, key: string) =>
    call<Incident>("POST", `incidents/${id}/${verb}`, command, { "Idempotency-Key": key }),
};
