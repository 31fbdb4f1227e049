/** The lane of running P1 above the list, and where the list must be scrolled to so that a row stays where it is on the screen. */
import type { IncidentLine, Line } from "./fold";
import { isPinned } from "./order";

export const LANE_MAX = 5;

const isInLane = (line: Line): line is IncidentLine => line.kind === "incident" && isPinned(line.item);

export interface Lanes {
  lane: readonly IncidentLine[];
  rest: readonly Line[];
  /** P1 that run and are not in the lane: they stand first in the rest. */
  more: number;
}

/** `before`: ids of the lane as it is on the screen; the selected one keeps its place among them. */
export function laneOf(lines: readonly Line[], selected: string | null, before: readonly string[]): Lanes {
  const urgent: IncidentLine[] = [];
  for (const line of lines) {
    if (!isInLane(line)) break;
    urgent.push(line);
  }
  const lane = urgent.slice(0, LANE_MAX);
  const place = selected === null ? -1 : before.indexOf(selected);
  const own = place < 0 ? undefined : urgent.find((line) => line.id === selected);
  if (own !== undefined) {
    const others = urgent.filter((line) => line !== own);
    lane.splice(0, lane.length, ...others.slice(0, place), own, ...others.slice(place, LANE_MAX - 1));
  }
  const isFirst = lane.every((line, index) => line === lines[index]);
  const inLane = new Set<Line>(lane);
  return { lane, rest: isFirst ? lines.slice(lane.length) : lines.filter((line) => !inLane.has(line)), more: urgent.length - lane.length };
}

/** Pixels. */
export interface View {
  /** Of the anchor below the upper edge of the list. */
  y: number;
  index: number;
  count: number;
  row: number;
  height: number;
}

/** How far to scroll, and how much room to leave above the first and below the last row, so that the anchor stands at `y`. */
export function anchored({ y, index, count, row, height }: View): { scroll: number; above: number; below: number } {
  const scroll = Math.max(0, index * row - y);
  const above = Math.max(0, y - index * row);
  return { scroll, above, below: Math.max(0, scroll + height - above - count * row) };
}
