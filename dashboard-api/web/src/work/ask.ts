/**
 * A verb on its way to the server.
 *
 * It goes out when somebody taps, and never by itself later: what could not be sent is kept with its key and told; the next tap sends the
 * same again, so that one that had arrived after all happens once. The server judges what is late.
 */
import type { Command, Incident } from "../api/types";
import { type Job, type WorkVerb, isOpen, taskOf } from "./tasks";

export interface Asked {
  id: string;
  number: number;
  verb: WorkVerb;
  body: Command;
  key: string;
  /** When it was tapped first, in milliseconds. */
  at: number;
  /** The task as it was on the screen. */
  seen: { department: string; state: string; holder: string | null; fence: number };
}

export interface Refusal {
  status: number;
  code: string;
  /** Why a verb is not to be had, where that is the answer. */
  reason: string | null;
  detail: string;
  holder: string | null;
  state: string | null;
}
export type Reply = { is: "ok"; incident: Incident } | { is: "unsent" } | { is: "refused"; refusal: Refusal; current: Incident | null };
export type Post = (asked: Asked) => Promise<Reply>;

export type Words = Pick<Command, "cause" | "note" | "evidence">;

export function asking({ held, task }: Job, verb: WorkVerb, words: Words, key: string, at: number): Asked {
  const { department, state, holder, fence } = task;
  // a claim makes the token, whoever holds it shows it
  const token = state === "dispatched" ? {} : { fence };
  return {
    id: held.id,
    number: held.number,
    verb,
    body: { expected_version: held.version, department, ...token, ...words },
    key,
    at,
    seen: { department, state, holder, fence },
  };
}

/** Whether the task is still as it was on the screen of whoever tapped: only other things of the incident have changed. */
function isSameTask(asked: Asked, now: Incident): boolean {
  const task = taskOf(now, asked.seen.department);
  return task !== undefined && task.state === asked.seen.state && task.holder === asked.seen.holder && task.fence === asked.seen.fence;
}

/** How often a version is made up for within one tap. */
const VERSIONS_MAX = 3;

export async function ask(asked: Asked, post: Post, newKey: () => string): Promise<{ reply: Reply; asked: Asked }> {
  let reply = await post(asked);
  for (let n = 0; n < VERSIONS_MAX; n += 1) {
    if (reply.is !== "refused" || reply.refusal.code !== "version_conflict" || reply.current === null || !isSameTask(asked, reply.current)) break;
    asked = { ...asked, key: newKey(), body: { ...asked.body, expected_version: reply.current.version } };
    reply = await post(asked);
  }
  return { reply, asked };
}

/** Who has the task now, as a refusal tells it. */
export function holderOf({ refusal, current }: { refusal: Refusal; current: Incident | null }, asked: Asked): string | null {
  if (refusal.holder !== null) return refusal.holder;
  return current === null ? null : (taskOf(current, asked.seen.department)?.holder ?? null);
}

/**
 * What the list says of a verb of which no answer came: `done` it had arrived, `moot` it can no longer mean anything, else `open`. Of a task
 * that is over nobody can say by whom.
 */
export function settled(asked: Asked, job: Job | undefined, me: string): "open" | "done" | "moot" {
  if (job === undefined || !isOpen(job.task)) return "moot";
  const { state, holder, fence } = job.task;
  if (asked.verb === "claim") return state === "dispatched" ? "open" : holder === me ? "done" : "moot";
  if (holder !== asked.seen.holder || fence !== asked.seen.fence) return "moot";
  return asked.verb === "arrive" && state === "on_scene" ? "done" : "open";
}
