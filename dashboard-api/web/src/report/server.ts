/** Calls of the API, sorted by what the queue does next. */
import { NO_ROOM, type Reply, type Server } from "./queue";
import type { Answer, NewReport, ReportForm, Status, Taken } from "./types";

/** A dead line must be noticed, */
const TIMEOUT_MS = 60_000;
/** and a poor one that still carries so much must get a photo through. */
const SLOWEST_BYTES_PER_MS = 2;
const TOO_EARLY_OR_BUSY = new Set([408, 425, 429]);

async function call<T>(method: string, path: string, headers: Record<string, string>, body?: string | Blob): Promise<Reply<T>> {
  let response: Response;
  const bytes = body instanceof Blob ? body.size : 0;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), TIMEOUT_MS + bytes / SLOWEST_BYTES_PER_MS);
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body }),
      credentials: "same-origin",
      cache: "no-store",
      signal: patience.signal,
    });
    if (response.ok) return { is: "ok", value: (await response.json().catch(() => undefined)) as T };
  } catch {
    return { is: "again" };
  } finally {
    clearTimeout(timer);
  }
  const isNoRoom = method === "PUT" && response.status === NO_ROOM;
  if ((response.status >= 500 && !isNoRoom) || TOO_EARLY_OR_BUSY.has(response.status)) {
    const after = Number(response.headers.get("Retry-After"));
    return after > 0 ? { is: "again", after_ms: after * 1000 } : { is: "again" };
  }
  const told = (await response.json().catch(() => ({}))) as { detail?: string; title?: string; field?: string };
  const detail = told.detail || told.title || response.statusText;
  return { is: "refused", refusal: { status: response.status, detail, ...(told.field === undefined ? {} : { field: told.field }) } };
}

const json = { "Content-Type": "application/json" };
const withSecret = (secret: string): Record<string, string> => (secret === "" ? {} : { "Report-Secret": secret });

export const server: Server = {
  putPhoto: (hash: string, bytes: Blob) => call<void>("PUT", `report/photos/${hash}`, { "Content-Type": bytes.type }, bytes),
  post: (key: string, report: NewReport) => call<Taken>("POST", "reports", { ...json, "Idempotency-Key": key }, JSON.stringify(report)),
  status: (id: string, secret: string) => call<Status>("GET", `reports/${id}`, withSecret(secret)),
  answer: (id: string, key: string, secret: string, answer: Answer) =>
    call<void>("POST", `reports/${id}/answer`, { ...json, ...withSecret(secret), "Idempotency-Key": key }, JSON.stringify(answer)),
};

export const form = () => call<ReportForm>("GET", "report/form", {});
/** Those of whoever is logged in on this device. */
export const mine = () => call<{ items: Status[] }>("GET", "reports/mine", {});
