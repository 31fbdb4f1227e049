/** What is selected and open, and the commands on it. Some wait a moment before they go out: see `outbox`. */
import { computed, ref, shallowRef, watch } from "vue";
import { ApiError, LEAVING, api, newKey } from "../api/client";
import type { Alarm, Command, Incident, IncidentItem, Verb } from "../api/types";
import { timeOf } from "../format";
import { t, word } from "../i18n";
import { keyBehind } from "../keys";
import { mayCall, sessionEnded, user } from "../session";
import { current, putIncident, rows } from "./board";
import { actorName, explain, explainAlarm } from "./explain";
import { onTouched } from "./feed";
import { ASIDE, whyNot } from "./may";
import { isUnacknowledged } from "./order";
import { begin, hold, sendHeld } from "./outbox";

/** Verbs that want more than a press. */
const WORDED = ["dispatch", "assign", "progress", "hand_back", "resolve", "dismiss", "force_close", "merge", "cancel", "answer", "reopen", "note", "escalate"] as const;
export type Form = (typeof WORDED)[number] | "shelve";
export type Words = Omit<Command, "expected_version">;
/** What stands in the fields of a form. */
export type Draft = Readonly<Record<string, unknown>>;
type Tell = (text: string | null) => void;

export const SHELVE = "POST /api/v1/alarms/{id}/shelve";
export const UNSHELVE = "POST /api/v1/alarms/{id}/unshelve";

export const selectedId = ref<string | null>(null);
export const isOpened = ref(false);
export const form = ref<Form | null>(null);
/** Whose task the open form is about, where one is named; or which alarm. */
export const formOf = ref<string | null>(null);
/** What was typed before it was taken back. */
export const draft = shallowRef<Draft>({});
export const notice = ref<string | null>(null);
export const busy = ref<string | null>(null);
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
  closeForm();
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
  closeForm();
  notice.value = null;
}

export function closeForm(): void {
  form.value = null;
  formOf.value = null;
  draft.value = {};
}

let reading: Promise<void> | null = null;
let isStale = false;

/** Reads the open incident; what is asked for while it is being read is read once more after that. */
export function refresh(): Promise<void> {
  // a loop that ends before it waits would be taken for one that still reads
  if (!isOpened.value || selectedId.value === null) return Promise.resolve();
  isStale = true;
  reading ??= (async () => {
    try {
      while (isStale && isOpened.value && selectedId.value !== null) {
        isStale = false;
        await read(selectedId.value);
      }
    } finally {
      reading = null;
    }
  })();
  return reading;
}

async function read(id: string): Promise<void> {
  try {
    const found = await api.incident(id);
    if (selectedId.value === id) take(found);
    hasFailed.value = false;
  } catch {
    hasFailed.value = selectedId.value === id;
  }
  if (selectedId.value !== id) isStale = true;
}

function take(incident: Incident): void {
  const before = detail.value;
  const isNewer = (known: Incident) => known.version < incident.version || (known.version === incident.version && known.revision <= incident.revision);
  if (before === null || before.id !== incident.id || isNewer(before)) detail.value = incident;
  putIncident(incident);
}

// after the board left an incident its last state comes from here; a row that changed is read again
watch([selectedId, isOpened, () => selectedId.value !== null && rows.value && current(selectedId.value)?.revision], ([id, opened]) => {
  if (opened && id !== null) void refresh();
});

/** Alarms come in bursts: they are read together. */
const GATHER_MS = 200;
let gathering: ReturnType<typeof setTimeout> | undefined;

// its alarms, and who is told, change without the incident
onTouched((incident) => {
  if (!isOpened.value || selectedId.value === null || (incident !== null && incident !== selectedId.value)) return;
  gathering ??= setTimeout(() => {
    gathering = undefined;
    void refresh();
  }, GATHER_MS);
});

// one after the other: each goes out with the version that the one before left behind
let queue: Promise<unknown> = Promise.resolve();

function queued<T>(what: () => Promise<T>): Promise<T> {
  const done = queue.then(what);
  queue = done.catch(() => undefined);
  return done;
}

export function act(verb: Verb, words: Words = {}): void {
  const id = selectedId.value;
  if (id === null) return;
  sendHeld(id);
  void queued(() => run(id, verb, words, tellOf(id)));
}

/** The row is hatched until the answer comes. Whoever has gone on to the next hears of a refusal from the outbox. */
export function acknowledge(id = selectedId.value): void {
  const item = id === null ? undefined : current(id);
  if (id === null || item === undefined || !isUnacknowledged(item)) return act("acknowledge");
  sendHeld(id);
  if (isOpened.value && id === selectedId.value) {
    begin({ incident: id, number: item.number, verb: "acknowledge" }, { send: () => queued(() => run(id, "acknowledge", {}, tellOf(id))).then(() => null) });
  } else {
    begin({ incident: id, number: item.number, verb: "acknowledge" }, { send: () => queued(() => run(id, "acknowledge", {}, () => undefined)) });
  }
}

/** What the open form says goes out in a moment; it is decided on what is on the screen now. */
export function resolveSoon(words: Words, typed: Draft): void {
  const seen = selected.value;
  if (seen === null) return;
  soon("resolve", seen, typed, {
    send: () => queued(() => run(seen.id, "resolve", words, () => undefined, seen)),
    leave: () => void api.command(seen.id, "resolve", { expected_version: seen.version, ...fenceOf(seen.id, words.department), ...words }, newKey(), LEAVING).catch(() => undefined),
  });
}

export function shelveSoon(alarm: Alarm, minutes: number, reason: string, typed: Draft): void {
  const seen = selected.value;
  if (seen === null) return;
  soon("shelve", seen, typed, {
    send: () => queued(() => putAside(seen.id, alarm, { minutes, reason }, () => undefined)),
    leave: () => void api.shelve(alarm, minutes, reason, newKey(), LEAVING).catch(() => undefined),
  });
}

function soon(verb: "resolve" | "shelve", { id, number }: IncidentItem, typed: Draft, work: { send: () => Promise<string | null>; leave: () => void }): void {
  const of = formOf.value;
  sendHeld(id);
  closeForm();
  notice.value = null;
  hold({ incident: id, number, verb }, {
    ...work,
    back: () => {
      openDrawer(id);
      ask(verb, of, typed);
    },
  });
}

/** By key or button: what needs words opens its form, the rest is done at once. */
export function press(verb: Verb, department: string | null = null): void {
  const worded = WORDED.find((one) => one === verb);
  if (worded !== undefined) ask(worded, department);
  else if (verb === "acknowledge" && department === null) acknowledge();
  else act(verb, department === null ? {} : { department });
}

/** Opens a form when what was asked before has been answered. */
export function ask(which: Form, of: string | null = null, typed: Draft = {}): void {
  const id = selectedId.value;
  if (id === null) return;
  sendHeld(id);
  void queued(async () => {
    if (selectedId.value !== id) return;
    isOpened.value = true;
    if (known(id) === null) await refresh();
    if (selectedId.value !== id) return;
    notice.value = which === "shelve" ? whyNotShelve() : whyNot(whole.value, which, of);
    draft.value = typed;
    form.value = notice.value === null ? which : null;
    formOf.value = notice.value === null ? of : null;
  });
}

/** What was read of an incident, unless the board has heard of something newer: what may be done is then for the server to say. */
function known(id: string): Incident | null {
  const read = detail.value?.id === id ? detail.value : null;
  return read === null || read.revision < (current(id)?.revision ?? 0) ? null : read;
}

/** Alarms of the open incident that could be put aside. */
export function shelvable(): Alarm[] {
  return (whole.value?.alarms ?? []).filter((alarm) => alarm.severity !== "P1" && alarm.shelved === null);
}

function whyNotShelve(): string | null {
  if (!mayCall(SHELVE)) return t("notice.notYours", { verb: t("verb.shelve") });
  if (shelvable().length > 0) return null;
  const isCritical = whole.value?.alarms.some((alarm) => alarm.severity === "P1") ?? false;
  return t(isCritical ? "reason.critical" : "notice.nothingToShelve");
}

function latest(id: string): IncidentItem | undefined {
  const row = current(id);
  const known = detail.value?.id === id ? detail.value : undefined;
  return row !== undefined && (known === undefined || row.version >= known.version) ? row : known;
}

function tellOf(id: string): Tell {
  return (text) => {
    if (selectedId.value === id) notice.value = text;
  };
}

/** The token of the caller's own claim: should it have been overtaken, the answer is no. */
function fenceOf(id: string, department: string | null | undefined): { fence?: number } {
  if (detail.value?.id !== id) return {};
  const mine = detail.value.tasks.filter((task) => task.holder === user.value?.login);
  const task = department == null ? (mine.find((one) => one.lead) ?? mine[0]) : mine.find((one) => one.department === department);
  return task === undefined ? {} : { fence: task.fence };
}

const HELD: readonly Verb[] = ["arrive", "progress", "hand_back", "resolve"];

/** `seen`: the incident as it was when it was decided, if that is a while ago. Says why it was not done, or null. */
async function run(id: string, verb: Verb, words: Words, tell: Tell, seen?: IncidentItem): Promise<string | null> {
  const item = seen ?? latest(id);
  if (item === undefined) return null;
  const refused = whyNot(known(id), verb, words.department ?? null);
  if (refused !== null) {
    tell(refused);
    return refused;
  }
  busy.value = verb;
  tell(null);
  const said = HELD.includes(verb) ? { ...fenceOf(id, words.department), ...words } : words;
  try {
    let answer: Incident;
    try {
      answer = await api.command(id, verb, { expected_version: item.version, ...said }, newKey());
    } catch (e) {
      const now = e instanceof ApiError && e.problem.code === "version_conflict" ? e.problem.current : null;
      if (!now) throw e;
      putIncident(now);
      // what the operator saw of the work still holds, or does not matter
      if (!ASIDE.includes(verb) && !isSameWork(item, now)) throw e;
      answer = await api.command(id, verb, { expected_version: now.version, ...said }, newKey());
    }
    if (selectedId.value === id) {
      take(answer);
      if (form.value === verb) closeForm();
      if (verb === "merge") tell(t("notice.merged", { key: keyBehind("unmerge") }));
    } else putIncident(answer);
    return null;
  } catch (e) {
    // what was typed stays: the form is not closed
    const why = (verb === "acknowledge" ? await whoAcknowledged(id) : null) ?? explain(e, verb);
    tell(why);
    if (e instanceof ApiError && e.problem.status === 401) sessionEnded();
    if (e instanceof ApiError && e.problem.current && selectedId.value === id) take(e.problem.current);
    void refresh();
    return why;
  } finally {
    busy.value = null;
  }
}

/** Somebody was faster: the refusal does not always say who. */
async function whoAcknowledged(id: string): Promise<string | null> {
  const now = await api.incident(id).catch(() => null);
  if (now === null) return null;
  putIncident(now);
  if (now.acknowledged_by === null) return null;
  return t("notice.conflict", { actor: actorName(now.acknowledged_by), time: timeOf(now.acknowledged_at), act: word("act", "acknowledge") });
}

function isSameWork(a: IncidentItem, b: IncidentItem): boolean {
  return a.state === b.state && a.holder === b.holder && a.acknowledged_at === b.acknowledged_at && a.severity === b.severity;
}

/** Lets an alarm that was put aside ring again: not a step of the incident, which goes on as it is. */
export function unshelve(alarm: Alarm): void {
  const id = selectedId.value;
  if (id === null) return;
  sendHeld(id);
  void queued(() => putAside(id, alarm, null, tellOf(id)));
}

async function putAside(id: string, alarm: Alarm, how: { minutes: number; reason: string } | null, tell: Tell): Promise<string | null> {
  const verb = how === null ? "unshelve" : "shelve";
  let why: string | null = null;
  busy.value = verb;
  tell(null);
  try {
    if (how === null) await api.unshelve(alarm, newKey());
    else await api.shelve(alarm, how.minutes, how.reason, newKey());
  } catch (e) {
    why = explainAlarm(e, word("verb", verb));
    tell(why);
  } finally {
    busy.value = null;
  }
  if (selectedId.value === id) await refresh();
  return why;
}
