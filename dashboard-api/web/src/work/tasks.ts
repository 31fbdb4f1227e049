/** What a department has to do: its tasks in order, how long there is, and what may be asked of each. */
import type { Incident, IncidentItem, IncidentPhoto, May, Severity, Task, TaskState, TimelineEntry, Verb } from "../api/types";

/** What the phone keeps of an incident. */
export type Held = IncidentItem & { tasks: Task[]; timeline: TimelineEntry[]; may: May[]; photos: IncidentPhoto[] };

/** Of the timeline the latest. */
const TIMELINE_ROWS = 12;

export function hold(incident: Incident): Held {
  // events, alarms and who was told are the desk's: they would fill the phone
  const { alarms: _alarms, events: _events, evidence: _evidence, notified: _notified, reports: _reports, ...rest } = incident;
  return { ...rest, timeline: incident.timeline.slice(-TIMELINE_ROWS) };
}

/** An incident with the department's part in it. */
export interface Job {
  held: Held;
  task: Task;
}

export const VERBS = ["claim", "arrive", "progress", "resolve", "hand_back"] as const satisfies readonly Verb[];
export type WorkVerb = (typeof VERBS)[number];

const IS_OPEN: Readonly<Record<TaskState, boolean>> = { dispatched: true, claimed: true, on_scene: true, resolved: false, released: false, handed_back: false };

export function taskOf(held: { tasks: readonly Task[] }, department: string): Task | undefined {
  return held.tasks.find((task) => task.department === department);
}

export function isOpen(task: Task): boolean {
  return IS_OPEN[task.state];
}

export const CLOCKS = ["claim", "arrive", "report", "resolve"] as const;
export interface Clock {
  name: (typeof CLOCKS)[number];
  at: string;
}

/** Deadlines that still run, as the work goes; `report`: say how it stands until then. */
export function clocksOf(task: Task): Clock[] {
  const at = { claim: task.due.claim, arrive: task.due.arrive, report: task.progress_due ?? task.lease_until, resolve: task.due.resolve };
  return CLOCKS.flatMap((name) => (at[name] == null ? [] : [{ name, at: at[name] }]));
}

function nextAt(task: Task): string {
  return clocksOf(task).reduce((first, { at }) => (at < first ? at : first), "9999");
}

/** Nobody's first, then one's own, then a colleague's. */
function rank({ task }: Job, me: string): number {
  if (task.state === "dispatched") return 0;
  return task.holder === me ? 1 : 2;
}

/** The department's open tasks, the most urgent first. */
export function jobsOf(all: Iterable<Held>, department: string, me: string): Job[] {
  const jobs: Job[] = [];
  for (const held of all) {
    const task = held.state === "dispatched" ? taskOf(held, department) : undefined;
    if (task !== undefined && isOpen(task)) jobs.push({ held, task });
  }
  const by = <T extends string | number>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);
  return jobs.sort(
    (a, b) =>
      by<string>(a.held.severity, b.held.severity) ||
      by(rank(a, me), rank(b, me)) ||
      by(nextAt(a.task), nextAt(b.task)) ||
      by(a.held.opened_at, b.held.opened_at) ||
      by(a.held.id, b.held.id),
  );
}

/** What may be asked now; the next step first. */
export function verbsFor({ task }: Job, me: string): WorkVerb[] {
  if (task.state === "dispatched") return ["claim", "hand_back"];
  if (task.holder !== me) return [];
  return task.state === "claimed" ? ["arrive", "progress", "resolve", "hand_back"] : ["resolve", "progress", "hand_back"];
}

/** Whether the server lets this user act on the task at all: a grid captain acts in the own micro-grid, on whichever department's part. */
export function isTheirs({ held, task }: Job): boolean {
  const isOf = ({ department }: May) => department === task.department || (department === null && task.lead);
  return held.may.some((one) => isOf(one) && (VERBS as readonly Verb[]).includes(one.verb));
}

/** What may have people leave a building; the server knows. */
export function mayBurn({ severity, lead }: Held): boolean {
  return severity === "P1" || (severity === "P2" && lead === "fire");
}

/** The lead's "done" ends the incident: while a device says that it goes on, the server refuses. */
export function mustWait({ held, task }: Job): boolean {
  return task.lead && held.is_lasting;
}

/** Tasks that ring: P1 that nobody of the department has claimed. */
export function ringing(jobs: readonly Job[]): string[] {
  const isUrgent = (severity: Severity) => severity === "P1";
  return jobs.filter(({ held, task }) => isUrgent(held.severity) && task.state === "dispatched").map(({ task }) => `${task.id} ${task.dispatched_at}`);
}
