/** What is selected and open, and the commands on it. */
import { computed, ref, shallowRef, watch } from "vue";
import { ApiError, api, newKey } from "../api/client";
import type { Command, Incident, IncidentItem, IncidentState, Verb } from "../api/types";
import { timeOf } from "../format";
import { t, word } from "../i18n";
import { mayAct, sessionEnded, user } from "../session";
import { current, putIncident, rows } from "./board";

/** Verbs that want words: what it was, why, what shows it. */
export type Worded = "resolve" | "dismiss" | "progress" | "hand_back" | "force_close" | "cancel" | "reopen";
export type Form = Worded | "dispatch";

const OPEN: readonly IncidentState[] = ["open", "acknowledged", "verifying", "dispatched"];
const FROM: Readonly<Record<Verb, readonly IncidentState[]>> = {
  acknowledge: ["open", "verifying", "dispatched"],
  verify: ["open", "acknowledged", "dispatched"],
  dismiss: ["verifying", "dispatched"],
  dispatch: OPEN,
  assign: OPEN,
  claim: OPEN,
  arrive: ["dispatched"],
  progress: ["dispatched"],
  hand_back: ["dispatched"],
  resolve: ["dispatched"],
  force_close: OPEN,
  merge: OPEN,
  unmerge: ["merged"],
  cancel: OPEN,
  answer: ["review", "closed"],
  reopen: ["resolved", "review", "closed"],
  close: ["resolved", "review"],
};

export const selectedId = ref<string | null>(null);
export const isOpened = ref(false);
export const form = ref<Form | null>(null);
export const notice = ref<string | null>(null);
export const busy = ref<Verb | null>(null);
export const hasFailed = ref(false);
const detail = shallowRef<Incident | null>(null);

/** The selected incident as it was last heard of, also when it left the board. */
export const selected = computed<IncidentItem | null>(() => {
  const id = selectedId.value;
  if (id === null) return null;
  // read for its dependency: the map behind `current` is not reactive
  void rows.value;
  const row = current(id);
  const known = detail.value?.id === id ? detail.value : undefined;
  if (row === undefined) return known ?? null;
  return known !== undefined && known.version > row.version ? known : row;
});

/** Tasks, timeline and alarms of the selected incident, once they are read. */
export const whole = computed(() => (detail.value?.id === selectedId.value ? detail.value : null));

export function select(id: string | null): void {
  if (selectedId.value === id) return;
  selectedId.value = id;
  form.value = null;
  notice.value = null;
  hasFailed.value = false;
}

export function openDrawer(id: string): void {
  select(id);
  isOpened.value = true;
  void refresh();
}

export function closeDrawer(): void {
  isOpened.value = false;
  form.value = null;
  notice.value = null;
}

let reading = false;
export async function refresh(): Promise<void> {
  const id = selectedId.value;
  if (id === null || !isOpened.value || reading) return;
  reading = true;
  try {
    const found = await api.incident(id);
    if (selectedId.value === id) take(found);
    hasFailed.value = false;
  } catch {
    hasFailed.value = selectedId.value === id;
  } finally {
    reading = false;
  }
  if (selectedId.value !== id) void refresh();
}

function take(incident: Incident): void {
  const known = detail.value;
  if (known === null || known.id !== incident.id || known.version <= incident.version) detail.value = incident;
  putIncident(incident);
}

// after the board left an incident its last state comes from here; a row that changed is read again
watch([selectedId, isOpened, () => selectedId.value !== null && rows.value && current(selectedId.value)?.revision], ([id, opened]) => {
  if (opened && id !== null) void refresh();
});

export function refusal(verb: Verb, item: IncidentItem): string | null {
  if (!mayAct()) return t("notice.forbidden");
  const isDone = verb === "acknowledge" && item.acknowledged_at !== null;
  if (isDone || !FROM[verb].includes(item.state)) {
    return t("notice.notAllowed", { state: word("state", isDone ? "acknowledged" : item.state), verb: word("verb", verb) });
  }
  return verb === "claim" && item.holder !== null && item.holder === user.value?.login ? t("notice.heldBy", { holder: item.holder }) : null;
}

// one after the other: each goes out with the version that the one before left behind
let queue: Promise<void> = Promise.resolve();

export function act(verb: Verb, extra: Omit<Command, "expected_version"> = {}): Promise<void> {
  const id = selectedId.value;
  if (id === null) return Promise.resolve();
  queue = queue.then(() => run(id, verb, extra));
  return queue;
}

/** Opens a form when what was asked before has been answered. */
export function ask(which: Form): void {
  const id = selectedId.value;
  if (id === null) return;
  queue = queue.then(() => {
    const item = selected.value;
    if (item === null || item.id !== id) return;
    isOpened.value = true;
    notice.value = refusal(which, item);
    form.value = notice.value === null ? which : null;
  });
}

function latest(id: string): IncidentItem | undefined {
  const row = current(id);
  const known = detail.value?.id === id ? detail.value : undefined;
  return row !== undefined && (known === undefined || row.version >= known.version) ? row : known;
}

async function run(id: string, verb: Verb, extra: Omit<Command, "expected_version">): Promise<void> {
  const item = latest(id);
  if (item === undefined) return;
  const tell = (text: string | null) => {
    if (selectedId.value === id) notice.value = text;
  };
  const refused = refusal(verb, item);
  if (refused !== null) return tell(refused);
  busy.value = verb;
  tell(null);
  const key = newKey();
  try {
    let answer: Incident;
    try {
      answer = await api.command(id, verb, { expected_version: item.version, ...extra }, key);
    } catch (e) {
      const now = e instanceof ApiError && e.problem.code === "version_conflict" ? e.problem.current : null;
      if (!now) throw e;
      putIncident(now);
      // only another event was counted: what the operator saw of the work still holds
      if (!isSameWork(item, now)) throw e;
      answer = await api.command(id, verb, { expected_version: now.version, ...extra }, newKey());
    }
    if (selectedId.value === id) {
      take(answer);
      form.value = null;
    } else putIncident(answer);
  } catch (e) {
    tell(explain(e, verb));
    if (e instanceof ApiError && e.problem.current && selectedId.value === id) take(e.problem.current);
    void refresh();
  } finally {
    busy.value = null;
  }
}

function isSameWork(a: IncidentItem, b: IncidentItem): boolean {
  return a.state === b.state && a.holder === b.holder && a.acknowledged_at === b.acknowledged_at && a.severity === b.severity;
}

function explain(e: unknown, verb: Verb): string {
  if (!(e instanceof ApiError)) return t("notice.failed", { detail: String(e) });
  const { status, code, current: now, state, holder, detail: text } = e.problem;
  if (status === 0) return t("notice.unreachable");
  if (status === 401) sessionEnded();
  if (status === 403) return t("notice.forbidden");
  if (code === "version_conflict") {
    const line = now?.timeline?.at(-1);
    if (line === undefined) return t("notice.conflictPlain");
    return t("notice.conflict", { actor: actorName(line.actor), time: timeOf(line.at), act: word("act", line.verb) });
  }
  if (code === "not_allowed") {
    if (state !== undefined && state !== null && FROM[verb].includes(state as IncidentState) && !holder) return t("notice.failed", { detail: text });
    if (holder && verb === "claim") return t("notice.heldBy", { holder });
    return t("notice.notAllowed", { state: word("state", state ?? "–"), verb: word("verb", verb) });
  }
  return t("notice.failed", { detail: text || code });
}

export function actorName(actor: string): string {
  if (actor === "clock") return t("actor.clock");
  if (actor.startsWith("report:")) return t("actor.reporter");
  return actor.startsWith("rule:") ? `${t("actor.system")} (${actor.slice(5)})` : actor;
}
