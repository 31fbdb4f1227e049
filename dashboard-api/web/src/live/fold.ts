/** Lines of the board: an incident by itself, or the card into which a flood has folded several. */
import type { IncidentItem, Severity } from "../api/types";
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
/** In a flood, all that is open of a level that can wait. */
export interface LevelLine {
  kind: "level";
  id: string;
  severity: Severity;
  count: number;
  waiting: number;
  isOpened: boolean;
}
export type Folded = IncidentLine | StormLine;
export type Line = Folded | LevelLine;

const LEVELS: readonly Severity[] = ["P3", "P4"];

/** The line of an incident that stands by itself, made once: the board is folded anew ten times a second, whatever its length. */
const alone = new WeakMap<IncidentItem, IncidentLine>();

function lineOf(item: IncidentItem): IncidentLine {
  let line = alone.get(item);
  if (line === undefined) alone.set(item, (line = { kind: "incident", id: item.id, item, isMember: false }));
  return line;
}

function isFolded(row: IncidentItem): row is IncidentItem & { storm: string } {
  return row.storm !== null && isOpen(row.state);
}

/** `rows` in the order of the board; a card stands where the first of its incidents would. The selected one stays by itself. */
export function fold(rows: readonly IncidentItem[], opened: ReadonlySet<string>, selected: string | null = null): Folded[] {
  // what an opened card holds stays in it
  const isOne = (row: IncidentItem) => row.id === selected && !opened.has(row.storm ?? "");
  const cards = new Map<string, IncidentItem[]>();
  for (const row of rows) {
    if (!isFolded(row) || isOne(row)) continue;
    const card = cards.get(row.storm);
    if (card === undefined) cards.set(row.storm, [row]);
    else card.push(row);
  }
  const lines: Folded[] = [];
  const told = new Set<string>();
  for (const row of rows) {
    const held = isFolded(row) && !isOne(row) ? cards.get(row.storm)! : [];
    if (!isFolded(row) || held.length < CARD_FROM) {
      lines.push(lineOf(row));
      continue;
    }
    if (told.has(row.storm)) continue;
    told.add(row.storm);
    const isOpened = opened.has(row.storm);
    const waiting = held.filter(isUnacknowledged).length;
    const since = held.reduce((oldest, item) => (item.opened_at < oldest ? item.opened_at : oldest), row.opened_at);
    lines.push({ kind: "storm", id: row.storm, first: row, count: held.length, waiting, since, isOpened });
    if (isOpened) for (const item of held) lines.push({ ...lineOf(item), isMember: true });
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

const levelId = (severity: Severity) => `level-${severity}`;

interface Level {
  lines: Line[];
  count: number;
  waiting: number;
}

/** Puts P3 and P4 into a line each, where the first of them stands. The selected one stays by itself: nothing goes away under the hand. */
export function gather(lines: readonly Line[], opened: ReadonlySet<string>, selected: string | null): Line[] {
  const levels = new Map<Severity, Level>();
  const levelOf = (line: Line): Severity | null => {
    if (line.kind === "level") return null;
    const item = line.kind === "storm" ? line.first : line.item;
    if (line.id === selected && !opened.has(levelId(item.severity))) return null;
    return isOpen(item.state) && LEVELS.includes(item.severity) ? item.severity : null;
  };
  for (const line of lines) {
    const severity = levelOf(line);
    if (severity === null) continue;
    const level = levels.get(severity) ?? { lines: [], count: 0, waiting: 0 };
    levels.set(severity, level);
    level.lines.push(line);
    // the members of an opened card are counted with it
    if (line.kind === "storm") [level.count, level.waiting] = [level.count + line.count, level.waiting + line.waiting];
    else if (line.kind === "incident" && !line.isMember) [level.count, level.waiting] = [level.count + 1, level.waiting + Number(isUnacknowledged(line.item))];
  }
  const told = new Set<Severity>();
  return lines.flatMap((line): Line[] => {
    const severity = levelOf(line);
    const level = severity === null ? undefined : levels.get(severity);
    if (severity === null || level === undefined || level.lines.length < CARD_FROM) return [line];
    if (told.has(severity)) return [];
    told.add(severity);
    const id = levelId(severity);
    const isOpened = opened.has(id);
    return [{ kind: "level", id, severity, count: level.count, waiting: level.waiting, isOpened }, ...(isOpened ? level.lines : [])];
  });
}
