/** The tabs of one browser: which of them sounds, and which are asleep. Pure; times are milliseconds. */

/** A tab that answers no tick for so long cannot sound. */
const ANSWERS_MS = 3000;
/** One that has slept for so long gets no changes, which would pile up, and a snapshot when it wakes. */
const ASLEEP_MS = 60_000;
/** And one that never woke is gone. */
const GONE_MS = 3_600_000;

export interface Tab {
  isArmed: boolean;
  heardAt: number;
  /** It has missed changes. */
  isBehind: boolean;
}

export class Tabs<T extends Tab> {
  private readonly all = new Set<T>();
  private sounder: T | null = null;

  /** It said something. */
  heard(tab: T, now: number): void {
    tab.heardAt = now;
    this.all.add(tab);
  }

  left(tab: T): void {
    this.all.delete(tab);
  }

  get size(): number {
    return this.all.size;
  }

  /** Those that hear of changes now. */
  awake(now: number): T[] {
    const awake: T[] = [];
    for (const tab of this.all) {
      if (now - tab.heardAt > GONE_MS) this.all.delete(tab);
      else if (now - tab.heardAt > ASLEEP_MS) tab.isBehind = true;
      else awake.push(tab);
    }
    return awake;
  }

  /** The one that sounds: it stays, as long as it answers and no other one could sound in its place when it cannot itself. */
  sounds(now: number): T | null {
    const able = [...this.all].filter((tab) => now - tab.heardAt <= ANSWERS_MS);
    const armed = able.find((tab) => tab.isArmed);
    const stays = this.sounder !== null && able.includes(this.sounder) && (this.sounder.isArmed || armed === undefined);
    if (!stays) this.sounder = armed ?? able[0] ?? null;
    return this.sounder;
  }
}
