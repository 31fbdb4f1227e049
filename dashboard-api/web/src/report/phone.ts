/** The page's state: what lies on the phone, what the server says of it, whether there is a line. */
import { ref, shallowRef } from "vue";
import { alone } from "../phone/alone";
import { serveOffline } from "../phone/offline";
import { read } from "../prefs";
import { values } from "./db";
import { type Sent, answer, keep, nextAt, refresh, send, tidy } from "./queue";
import * as api from "./server";
import type { DraftPhoto } from "./draft";
import { t } from "./prefs";
import type { Answer, Kept, ReportForm, Status } from "./types";
import { world } from "./world";

const POLL_MS = 15_000;
const LOOK_MS = 1000;

export const reports = shallowRef<Kept[]>([]);
/** Of whoever is logged in here, reported elsewhere. Never kept on the device: others may use it. */
export const account = shallowRef<Kept[]>([]);
export const form = shallowRef<ReportForm | null>(null);
export const isFormLoading = ref(true);
export const isOnline = ref(navigator.onLine);
export const isSending = ref(false);
export const isStorageBroken = ref(false);
export const hasUpdate = ref(false);

/** Tells the other tabs, and hears of them and of the service worker. */
const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel("jiming-report") : null;
let polledAt = 0;

async function show(): Promise<void> {
  reports.value = (await world.store.all()).sort((a, b) => b.kept_at - a.kept_at);
}

async function showAll(): Promise<void> {
  await show();
  channel?.postMessage("changed");
}

/** Sends and asks. A storage that fails is told, not thrown. */
async function work(hurry: boolean, asks: boolean): Promise<void> {
  try {
    await alone("jiming-report", "skip", async () => {
      isSending.value = true;
      try {
        await send(world, hurry);
        if (asks) await refresh(world);
      } finally {
        isSending.value = false;
      }
    });
    await showAll();
    if (asks) await loadAccount();
  } catch {
    isStorageBroken.value = true;
  }
}

export async function loadForm(): Promise<void> {
  isFormLoading.value = true;
  form.value ??= (await values.get<ReportForm>("form").catch(() => undefined)) ?? null;
  const reply = await api.form();
  if (reply.is === "ok" && reply.value !== undefined) {
    form.value = reply.value;
    await values.put("form", reply.value).catch(() => undefined);
  }
  isFormLoading.value = false;
}

/** The dashboard leaves a mark at log-in; without it a stranger's page would ask in vain. */
async function loadAccount(): Promise<void> {
  if (read("session") === null) return;
  const reply = await api.mine();
  if (reply.is === "again") return;
  const items = reply.is === "ok" ? reply.value.items : [];
  const known = new Set(reports.value.map(({ id }) => id));
  account.value = items.filter(({ id }) => !known.has(id)).map(asHeld);
}

function asHeld(status: Status): Kept {
  const { id, number, type, site, occurred_at } = status;
  const body = { type, site, text: status.text ?? "", occurred_at, ...(status.zone ? { zone: status.zone } : {}), ...(status.place ? { place: status.place } : {}) };
  return { key: id, secret: "", stage: "sent", body, photos: [], kept_at: Date.parse(status.created_at), tries: 0, next_at: 0, id, number, status, status_at: Date.now() };
}

/** False: the phone is full. */
export async function keepReport(body: Sent, photos: DraftPhoto[]): Promise<boolean> {
  const kept = await keep(world, body, photos);
  if (kept === null) return false;
  await showAll();
  void navigator.storage?.persist?.().catch(() => undefined);
  void askForSync();
  void work(false, true);
  return true;
}

export function sendNow(): void {
  void work(true, true);
}

export async function say(report: Kept, said: Answer): Promise<void> {
  if (account.value.includes(report) && report.id !== undefined) {
    const reply = await world.server.answer(report.id, world.newKey(), "", said);
    if (reply.is === "ok") return loadAccount();
    const answer_refused = reply.is === "refused" ? reply.refusal : { status: 0, detail: t("ask.later") };
    account.value = account.value.map((held) => (held.key === report.key ? { ...held, answer_refused } : held));
    return;
  }
  await answer(world, report.key, said);
  await showAll();
  void askForSync();
  void work(false, true);
}

export async function remove(report: Kept): Promise<void> {
  await world.store.remove(report.key);
  await showAll();
}

interface WithSync {
  sync?: { register(tag: string): Promise<void> };
}

/** Where there is Background Sync, the browser sends even when the page is closed. */
async function askForSync(): Promise<void> {
  try {
    const registration = await navigator.serviceWorker?.ready;
    await (registration as WithSync | undefined)?.sync?.register("reports");
  } catch {
    // not allowed here: the page sends by itself
  }
}

function look(): void {
  if (document.visibilityState !== "visible") return;
  const now = Date.now();
  const due = nextAt(reports.value);
  const isPollDue = now - polledAt >= POLL_MS;
  if (isSending.value || !(isPollDue || (due !== null && due <= now))) return;
  if (isPollDue) polledAt = now;
  void work(false, isPollDue);
}

export async function start(): Promise<void> {
  void serveOffline("/report", () => (hasUpdate.value = true)).catch(() => undefined);
  try {
    await tidy(world);
    await show();
  } catch {
    isStorageBroken.value = true;
  }
  if (channel !== null) channel.onmessage = () => void show().catch(() => undefined);
  addEventListener("online", () => {
    isOnline.value = true;
    polledAt = Date.now();
    void work(true, true);
    void loadForm();
  });
  addEventListener("offline", () => (isOnline.value = false));
  document.addEventListener("visibilitychange", look);
  setInterval(look, LOOK_MS);
  polledAt = Date.now();
  void loadForm();
  await work(true, true);
}
