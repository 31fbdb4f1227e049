/** Several lists of the same kind, each newest first and read page by page, shown as one. */

export interface Page<T> {
  items: T[];
  next: string | null;
}
export type Read<T> = (cursor: string | null) => Promise<Page<T>>;

interface Source<T> {
  read: Read<T>;
  waiting: T[];
  cursor: string | null;
  isOver: boolean;
}

export class Merged<T> {
  private readonly sources: Source<T>[];

  /** `order` is larger for what is newer. */
  constructor(
    reads: readonly Read<T>[],
    private readonly order: (item: T) => number,
  ) {
    this.sources = reads.map((read) => ({ read, waiting: [], cursor: null, isOver: false }));
  }

  /** Whether there may be more. */
  get hasMore(): boolean {
    return this.sources.some((source) => !source.isOver || source.waiting.length > 0);
  }

  /** The next `count`, or what there still is. What fails leaves everything in its place, so that asking again loses nothing. */
  async take(count: number): Promise<T[]> {
    const taken: { source: Source<T>; item: T }[] = [];
    while (taken.length < count) {
      try {
        // which is the newest of all is known only when each source shows its newest
        await Promise.all(this.sources.filter((source) => source.waiting.length === 0 && !source.isOver).map(fill));
      } catch (e) {
        for (const { source, item } of taken.reverse()) source.waiting.unshift(item);
        throw e;
      }
      const newest = this.newest();
      const item = newest?.waiting.shift();
      if (newest === undefined || item === undefined) break;
      taken.push({ source: newest, item });
    }
    return taken.map(({ item }) => item);
  }

  private newest(): Source<T> | undefined {
    let found: Source<T> | undefined;
    let most = -Infinity;
    for (const source of this.sources) {
      const first = source.waiting[0];
      if (first === undefined || this.order(first) <= most) continue;
      found = source;
      most = this.order(first);
    }
    return found;
  }
}

async function fill<T>(source: Source<T>): Promise<void> {
  const page = await source.read(source.cursor);
  source.waiting.push(...page.items);
  source.cursor = page.next;
  source.isOver = page.next === null;
}
