/** The order of the board, kept by binary search: ten thousand rows are never sorted again for one event. */
import type { IncidentItem, IncidentState } from "../api/types";

export function isOpen(state: IncidentState): boolean {
  return state === "open" || state === "acknowledged" || state === "verifying" || state === "dispatched";
}

export function isOnBoard(state: IncidentState): boolean {
  return state !== "closed" && state !== "merged" && state !== "cancelled";
}

export function isUnacknowledged(item: IncidentItem): boolean {
  return isOpen(item.state) && item.acknowledged_at === null;
}

/** Whether an item says less than one that is there already. */
export function isOlder(item: IncidentItem, than: IncidentItem): boolean {
  return item.version < than.version || (item.version === than.version && item.revision < than.revision);
}

/** P1 that still runs stays above everything. */
export function isPinned(item: IncidentItem): boolean {
  return item.severity === "P1" && isOpen(item.state);
}

function rank(item: IncidentItem): number {
  const pinned = isPinned(item) ? 0 : 10;
  if (isUnacknowledged(item)) return pinned;
  if (item.state === "dispatched") return pinned + 2;
  return isOpen(item.state) ? pinned + 1 : pinned + 3;
}

/** State, severity, newest first, id. */
export function compare(a: IncidentItem, b: IncidentItem): number {
  const byRank = rank(a) - rank(b);
  if (byRank !== 0) return byRank;
  if (a.severity !== b.severity) return a.severity < b.severity ? -1 : 1;
  if (a.opened_at !== b.opened_at) return a.opened_at > b.opened_at ? -1 : 1;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Where the item stands, or would stand. */
export function position(rows: readonly IncidentItem[], item: IncidentItem): number {
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(rows[middle]!, item) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function insert(rows: IncidentItem[], item: IncidentItem): void {
  rows.splice(position(rows, item), 0, item);
}

/** `item` as it was when it was put in. */
export function remove(rows: IncidentItem[], item: IncidentItem): boolean {
  const at = position(rows, item);
  if (rows[at]?.id !== item.id) return false;
  rows.splice(at, 1);
  return true;
}
