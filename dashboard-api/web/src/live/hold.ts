/** The rows as they stood while the hand is over them: nothing moves under the pointer, and what is urgent comes all the same. */
import type { IncidentItem } from "../api/types";
import { isOpen, isPinned } from "./order";

/** So long after the pointer has moved. */
export const HOLD_MS = 600;

/** Whether a row would still be drawn as one line of the same kind. */
function isSameLine(before: IncidentItem, now: IncidentItem): boolean {
  return before.storm === now.storm && isOpen(before.state) === isOpen(now.state) && isPinned(before) === isPinned(now);
}

/**
 * `held` in its order with what is known of each now. What is new as P1 stands after those that run already; other rows that are new wait. A row
 * that has gone, or would be another line, stays as it was.
 */
export function keepOrder(held: readonly IncidentItem[], rows: readonly IncidentItem[]): IncidentItem[] {
  const now = new Map(rows.map((row) => [row.id, row]));
  const ran = new Set(held.filter(isPinned).map((row) => row.id));
  const urgent = rows.filter((row) => isPinned(row) && !ran.has(row.id));
  const raised = new Set(urgent.map((row) => row.id));
  const kept = held.flatMap((before) => {
    if (raised.has(before.id)) return [];
    const after = now.get(before.id);
    return [after !== undefined && isSameLine(before, after) ? after : before];
  });
  const lane = kept.findIndex((row) => !isPinned(row));
  kept.splice(lane < 0 ? kept.length : lane, 0, ...urgent);
  return kept;
}
