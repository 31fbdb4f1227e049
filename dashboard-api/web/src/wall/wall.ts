/** What stands on the wall: P1 in a lane of their own, and of the rest as many lines as there is room for. */
import type { IncidentItem } from "../api/types";
import { type Folded, fold } from "../live/fold";
import { isOpen, isPinned } from "../live/order";

export const URGENT_MAX = 5;

export interface Wall {
  urgent: IncidentItem[];
  urgentMore: number;
  lines: Folded[];
  /** Incidents that no line shows. */
  more: number;
}

const held = (line: Folded) => (line.kind === "storm" ? line.count : 1);

/** `rows` in the order of the board; `room`: lines that fit below the lane. Folded cards stay folded: nobody stands there to open them. */
export function wallOf(rows: readonly IncidentItem[], room: number): Wall {
  const open = rows.filter((row) => isOpen(row.state));
  const urgent = open.filter(isPinned);
  const all = fold(
    open.filter((row) => !isPinned(row)),
    new Set(),
  );
  const isTight = all.length > room;
  // the last line says how many more there are
  const lines = isTight ? all.slice(0, Math.max(0, room - 1)) : all;
  return {
    urgent: urgent.slice(0, URGENT_MAX),
    urgentMore: Math.max(0, urgent.length - URGENT_MAX),
    lines,
    more: all.slice(lines.length).reduce((sum, line) => sum + held(line), 0),
  };
}

/** Between two reloads: a server that keeps saying "new" must not make the wall blink. */
export const RELOAD_EVERY_MS = 10 * 60_000;

/** Whether the wall takes the new version now: never while a P1 is open or nothing is known, and not again and again. */
export function mayReload(hasUpdate: boolean, isLive: boolean, rows: readonly IncidentItem[], at: number, reloadedAt: number): boolean {
  return hasUpdate && isLive && !rows.some(isPinned) && at - reloadedAt >= RELOAD_EVERY_MS;
}
