/** What is selected and open, and the commands on it. */
import { computed, ref, shallowRef, watch } from "vue";
import { ApiError, api, newKey } from "../api/client";
import type { Alarm, Command, Incident, IncidentItem, Verb } from "../api/types";
import { t, word } from "../i18n";
import { mayCall, sessionEnded, user } from "../session";
import { current, putIncident, rows } from "./board";
import { explain, explainAlarm } from "./explain";
import { onTouched } from "./feed";
import { ASIDE, whyNot } from "./may";

/** Verbs that want more than a press. */
const WORDED = ["dispatch", "assign", "progress", "hand_back", "resolve", "dismiss", "force_close", "merge", "cancel", "answer", "reopen", "note", "escalate"] as const;
export type Form = (typeof WORDED)[number] | "shelve";
type Words = Omit<Command, "expected_version">;

export const SHELVE = "POST /api/v1/alarms/{id}/shelve";
export const UNSHELVE = "POST /api/v1/alarms/{id}/unshelve";

export const selectedId = ref<string | null>(null);
export const isOpened = ref(false);
export const form = ref<Form | null>(null);
/** Whose task the open form is about, where one is named; or which alarm. */
export const formOf = ref<string | null>(null);
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
}

let reading: Promise<void> | null = null;
let isStale = false;

/** Reads the open incident; what is asked for while it is being read is read once more after that. */
export function refresh(): Promise<void> {
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
let queue: Promise<void> = Promise.resolve();

export function act(verb: Verb, words: Words = {}): Promise<void> {
  const id = selectedId.value;
  if (id === null) return Promise.resolve();
  queue = queue.then(() => run(id, verb, words));
  return queue;
}

/** By key or button: what needs words opens its form, the rest is done at once. */
export function press(verb: Verb, department: string | null = null): void {
  const worded = WORDED.find((one) => one === verb);
  if (worded !== undefined) ask(worded, department);
  else void act(verb, department === null ? {} : { department });
}

/** Opens a form when what was asked before has been answered. */
export function ask(which: Form, of: string | null = null): void {
  const id = selectedId.value;
  if (id === null) return;
  queue = queue.then(async () => {
    if (selectedId.value !== id) return;
    isOpened.value = true;
    if (known(id) === null) await refresh();
    if (selectedId.value !== id) return;
    notice.value = which === "shelve" ? whyNotShelve() : whyNot(whole.value, which, of);
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

function tellOf(id: string): (text: string | null) => void {
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

async function run(id: string, verb: Verb, words: Words): Promise<void> {
  const item = latest(id);
  if (item === undefined) return;
  const tell = tellOf(id);
  const refused = whyNot(known(id), verb, words.department ?? null);
  if (refused !== null) return tell(refused);
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
      if (verb === "merge") tell(t("notice.merged"));
    } else putIncident(answer);
  } catch (e) {
    // what was typed stays: the form is not closed
    tell(explain(e, verb));
    if (e instanceof ApiError && e.problem.status === 401) sessionEnded();
    if (e instanceof ApiError && e.problem.current && selectedId.value === id) take(e.problem.current);
    void refresh();
  } finally {
    busy.value = null;
  }
}

function isSameWork(a: IncidentItem, b: IncidentItem): boolean {
  return a.state === b.state && a.holder === b.holder && a.acknowledged_at === b.acknowledged_at && a.severity === b.severity;
}

/** Puts an alarm aside, or back: not a step of the incident, which goes on as it is. */
export function shelve(alarm: Alarm, how: { minutes: number; reason: string } | null): Promise<void> {
  const id = selectedId.value;
  if (id === null) return Promise.resolve();
  const verb = how === null ? "unshelve" : "shelve";
  queue = queue.then(async () => {
    const tell = tellOf(id);
    busy.value = verb;
    tell(null);
    try {
      if (how === null) await api.unshelve(alarm, newKey());
      else await api.shelve(alarm, how.minutes, how.reason, newKey());
      if (form.value === "shelve") closeForm();
    } catch (e) {
      tell(explainAlarm(e, word("verb", verb)));
    } finally {
      busy.value = null;
    }
    await refresh();
  });
  return queue;
}
