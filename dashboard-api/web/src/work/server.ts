/** Calls of the API over a poor line: each ends by itself when nothing comes. */
import type { components } from "../api/schema";
import type { Incident, IncidentItem, Meta, Problem, User } from "../api/types";
import type { Asked, Reply } from "./ask";
import type { Reply as ShotReply, Shot } from "./shots";

const READ_MS = 20_000;
/** Somebody waits for it with a finger on the button. */
const ASK_MS = 12_000;

/** The hub's disk is nearly full: photos wait (RFC 4918, 11.5). */
const NO_ROOM = 507;
/** It may be too much just now: nothing was decided. */
const LATER: readonly number[] = [408, 429];

/** `lost`: no answer, or none that counts. */
export type Answer<T> = { is: "ok"; value: T } | { is: "lost" } | { is: "refused"; problem: Problem };

/** A poor line that still carries so much gets a photo through. */
const SLOWEST_BYTES_PER_MS = 2;

async function call<T>(method: string, path: string, patience_ms: number, body?: unknown, key?: string): Promise<Answer<T>> {
  const isPhoto = body instanceof Blob;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), patience_ms);
  try {
    const response = await fetch(`/api/v1/${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "Content-Type": isPhoto ? body.type : "application/json" }), ...(key === undefined ? {} : { "Idempotency-Key": key }) },
      ...(body === undefined ? {} : { body: isPhoto ? body : JSON.stringify(body) }),
      credentials: "same-origin",
      cache: "no-store",
      signal: patience.signal,
    });
    if (response.ok) return { is: "ok", value: (response.status === 204 ? undefined : await response.json()) as T };
    const told = (await response.json().catch(() => null)) as Problem | null;
    // what a proxy in between says is no answer of the station
    if ((response.status >= 500 && response.status !== NO_ROOM) || typeof told?.code !== "string") return { is: "lost" };
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
export const evacuation = (id: string) => call<components["schemas"]["Evacuation"]>("GET", `incidents/${id}/evacuation`, READ_MS);
export const incident = (id: string) => call<Incident>("GET", `incidents/${id}`, READ_MS);

export function incidents(department: string, cursor: string | null): Promise<Answer<Page>> {
  const query = new URLSearchParams({ state: "dispatched", department, limit: "500", ...(cursor === null ? {} : { cursor }) });
  return call<Page>("GET", `incidents?${query}`, READ_MS);
}

const photo = (incident: string, hash: string, bytes: Blob) =>
  call<unknown>("PUT", `incidents/${incident}/photos/${hash}`, READ_MS + bytes.size / SLOWEST_BYTES_PER_MS, bytes);

function shotReply<T>(answer: Answer<T>): ShotReply<T> {
  if (answer.is !== "refused") return answer;
  const { status, code, current } = answer.problem;
  return LATER.includes(status) ? { is: "lost" } : { is: "refused", status, code, version: current?.version ?? null };
}

export const putPhoto = async (incident: string, hash: string, bytes: Blob) => shotReply(await photo(incident, hash, bytes));

export async function version(id: string): Promise<ShotReply<number>> {
  const answer = shotReply(await incident(id));
  return answer.is === "ok" ? { is: "ok", value: answer.value.version } : answer;
}

export async function note({ incident, photo, note, key }: Shot, expected_version: number): Promise<ShotReply<unknown>> {
  const evidence = [{ kind: "photo" as const, reference: photo.hash }];
  return shotReply(await call<unknown>("POST", `incidents/${incident}/note`, ASK_MS, { expected_version, note, evidence }, key));
}

/** Sends a verb, and before it the photos that it names and that lie on this phone. */
export async function postWithPhotos(asked: Asked, bytesOf: (hash: string) => Promise<Blob | undefined>): Promise<Reply> {
  for (const { kind, reference } of asked.body.evidence ?? []) {
    const bytes = kind === "photo" ? await bytesOf(reference).catch(() => undefined) : undefined;
    if (bytes === undefined) continue;
    const answer = await photo(asked.id, reference, bytes);
    if (answer.is !== "ok") return refusal(answer);
  }
  return post(asked);
}

function refusal(answer: Exclude<Answer<unknown>, { is: "ok" }>): Reply {
  if (answer.is === "lost" || LATER.includes(answer.problem.status) || answer.problem.status === NO_ROOM) return { is: "unsent" };
  const { status, code, detail, reason = null, holder = null, state = null, current = null } = answer.problem;
  return { is: "refused", refusal: { status, code, detail, reason, holder, state }, current };
}

async function post({ id, verb, body, key }: Asked): Promise<Reply> {
  const answer = await call<Incident>("POST", `incidents/${id}/${verb}`, ASK_MS, body, key);
  return answer.is === "ok" ? { is: "ok", incident: answer.value } : refusal(answer);
}
