/** Which changes of the feed may be applied. */

export type Verdict = "apply" | "drop" | "gap";

/** Revisions are gap-free: one that was seen is dropped, one that is missing means the picture is not whole. */
export function judge(last: number, revision: number): Verdict {
  if (revision <= last) return "drop";
  return revision === last + 1 ? "apply" : "gap";
}

/**
 * Finds a lost tail without new traffic. A heartbeat may be ahead of changes still under way, so that the picture is called
 * incomplete only when a second one finds it no further.
 */
export class TailWatch {
  private behindAt: number | null = null;

  isLost(last: number, heartbeat: number): boolean {
    if (heartbeat <= last) {
      this.behindAt = null;
      return false;
    }
    const lost = this.behindAt === last;
    this.behindAt = lost ? null : last;
    return lost;
  }
}
