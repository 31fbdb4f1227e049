/** Lines of the board: an incident by itself, or the card into which a flood has folded several. */
import type { IncidentItem } from "../api/types";
import { isOpen, isUnacknowledged } from "./order";

/** A card is a line when it holds at least so many. */
const CARD_FROM = 2;

export interface IncidentLine {
  kind: "incident";
  id: string;
  item: IncidentItem;
  /** It stands below its opened card. */
  isMember: boolean;
}
export interface StormLine {
  kind: "storm";
  id: string;
  /** The most urgent and newest: it says what and where. */
  first: IncidentItem;
  count: number;
  waiting: number;
  /** When the oldest that is still open was opened. */
  since: string;
  isOpened: boolean;
}
export type Line = IncidentLine | StormLine;

function isFolded(row: IncidentItem): row is IncidentItem & { storm: string } {
  return row.storm !== null && isOpen(row.state);
}

/** `rows` in the order of the board; a card stands where the first of its incidents would. */
export function fold(rows: readonly IncidentItem[], opened: ReadonlySet<string>): Line[] {
  const cards = new Map<string, IncidentItem[]>();
  for (const row of rows) {
    if (!isFolded(row)) continue;
    const card = cards.get(row.storm);
    if (card === undefined) cards.set(row.storm, [row]);
    else card.push(row);
  }
  const lines: Line[] = [];
  const told = new Set<string>();
  const one = (item: IncidentItem, isMember: boolean) => lines.push({ kind: "incident", id: item.id, item, isMember });
  for (const row of rows) {
    const held = isFolded(row) ? cards.get(row.storm)! : [];
    if (!isFolded(row) || held.length < CARD_FROM) {
      one(row, false);
      continue;
    }
    if (told.has(row.storm)) continue;
    told.add(row.storm);
    const isOpened = opened.has(row.storm);
    const waiting = held.filter(isUnacknowledged).length;
    const since = held.reduce((oldest, item) => (item.opened_at < oldest ? item.opened_at : oldest), row.opened_at);
    lines.push({ kind: "storm", id: row.storm, first: row, count: held.length, waiting, since, isOpened });
    if (isOpened) for (const item of held) one(item, true);
  }
  return lines;
}

/** The next incident that waits for a person, from this line on and round; cards are opened first. */
export function nextWaiting(lines: readonly Line[], from: string | null, isUnderWay: (id: string) => boolean): string | null {
  const start = lines.findIndex((line) => line.id === from) + 1;
  for (let n = 0; n < lines.length; n += 1) {
    const line = lines[(start + n) % lines.length];
    if (line?.kind === "incident" && line.id !== from && isUnacknowledged(line.item) && !isUnderWay(line.id)) return line.id;
  }
  return null;
}
