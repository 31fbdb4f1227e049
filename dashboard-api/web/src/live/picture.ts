/** The board as the worker keeps it, so that a tab that joins late gets all of it without asking the server. */
import type { Device, FireMode, IncidentItem, QuarantineItem, Storm } from "../api/types";
import type { Change, Snapshot } from "./messages";
import { isOlder, isOnBoard } from "./order";

export const QUARANTINE_ROWS = 500;

/** Fire modes with one as it is now, the newest first; those that are over are left out. */
export function withFire(fires: readonly FireMode[], item: FireMode): FireMode[] {
  const others = fires.filter((other) => other.id !== item.id);
  const isOver = item.state === "ended" || item.state === "void";
  return isOver ? others : [item, ...others].sort((a, b) => (a.id < b.id ? 1 : -1));
}

export class Picture {
  private readonly incidents = new Map<string, IncidentItem>();
  private readonly devices = new Map<string, Device>();
  private readonly storms = new Map<string, Storm>();
  private fires: FireMode[];
  private quarantine: QuarantineItem[] | null;
  private revision: number;

  constructor(private readonly first: Snapshot) {
    for (const item of first.incidents) if (isOnBoard(item.state)) this.incidents.set(item.id, item);
    for (const item of first.devices) this.devices.set(item.id, item);
    for (const item of first.storms) this.storms.set(item.id, item);
    this.fires = first.fires;
    this.quarantine = first.quarantine;
    this.revision = first.revision;
  }

  apply(change: Change): void {
    this.revision = change.revision;
    if (change.kind === "incident") {
      const before = this.incidents.get(change.item.id);
      if (before !== undefined && isOlder(change.item, before)) return;
      if (isOnBoard(change.item.state)) this.incidents.set(change.item.id, change.item);
      else this.incidents.delete(change.item.id);
    } else if (change.kind === "device") this.devices.set(change.item.id, change.item);
    else if (change.kind === "storm") this.storms.set(change.item.id, change.item);
    else if (change.kind === "fire") this.fires = withFire(this.fires, change.item);
    else if (change.kind === "quarantine" && this.quarantine !== null) {
      const { item } = change;
      this.quarantine = [item, ...this.quarantine.filter((other) => other.id !== item.id)].slice(0, QUARANTINE_ROWS);
    }
  }

  /** As it is now. */
  snapshot(): Snapshot {
    const { login, meta } = this.first;
    const [incidents, devices, storms] = [[...this.incidents.values()], [...this.devices.values()], [...this.storms.values()]];
    return { login, meta, incidents, devices, storms, fires: this.fires, quarantine: this.quarantine, revision: this.revision };
  }
}
