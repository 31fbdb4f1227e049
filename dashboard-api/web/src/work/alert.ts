/** Rings and vibrates while a P1 of the department is claimed by nobody. Browsers want a tap first. */
import { computed, ref } from "vue";
import { arm, isArmed, isSilenced, ring, soundIn } from "../sound";
import { jobs, now } from "./live";
import { ringing } from "./tasks";

export { arm, isArmed } from "../sound";

const LOUD_MS = 30_000;
const VIBRATE_EVERY_MS = 3000;
const PATTERN_MS = [400, 150, 400, 150, 400];

/** Silence lasts until the next one: these were heard. */
const heard = ref<ReadonlySet<string>>(new Set());
const due = computed(() => ringing(jobs.value));
export const isRinging = computed(() => due.value.some((id) => !heard.value.has(id)));
let vibratedAt = 0;

export function silence(): void {
  heard.value = new Set(due.value);
  navigator.vibrate?.(0);
}

/** Called a few times a second. */
export function alertNow(): void {
  // a phone sounds for itself, and silences by task
  soundIn.value = "here";
  isSilenced.value = false;
  if (!isRinging.value) return ring(null, false, false);
  const oldest = Math.min(...jobs.value.filter(({ held, task }) => held.severity === "P1" && task.state === "dispatched").map(({ task }) => Date.parse(task.dispatched_at)));
  ring("P1", now.value - oldest > LOUD_MS, false);
  if (!isArmed.value || Date.now() - vibratedAt < VIBRATE_EVERY_MS) return;
  vibratedAt = Date.now();
  // phones without a motor, and browsers without the call, only ring
  navigator.vibrate?.(PATTERN_MS);
}

export function armByTap(): void {
  if (!isArmed.value) void arm();
}
