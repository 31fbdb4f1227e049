/** A list of the server that is read page by page, and read again when the board says that something changed or when somebody asks. */
import { onScopeDispose, ref, shallowRef, watch } from "vue";
import { revision } from "../live/feed";
import { told } from "./calls";
import type { Page, Read } from "./merged";

/** So that a flood of changes is not a flood of questions. */
const AGAIN_MS = 2500;

/**
 * `follows`: what makes it read its first page again. What is over changes rarely, and costs the server more. `again`: after how many milliseconds,
 * for what cannot wait.
 */
export function useList<T extends { id: string }>(read: () => Read<T>, follows: "feed" | "nothing" = "feed", again: () => number = () => AGAIN_MS) {
  const items = shallowRef<readonly T[]>([]);
  const next = ref<string | null>(null);
  const isLoaded = ref(false);
  const isBusy = ref(false);
  const failure = ref("");
  let turn = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function ask(cursor: string | null, take: (page: Page<T>) => void): Promise<void> {
    const mine = ++turn;
    const get = read();
    isBusy.value = true;
    try {
      const page = await get(cursor);
      if (mine !== turn) return;
      take(page);
      failure.value = "";
      isLoaded.value = true;
    } catch (e) {
      if (mine === turn) failure.value = told(e);
    } finally {
      if (mine === turn) isBusy.value = false;
    }
  }

  /** From the start, for other filters. */
  function reload(): Promise<void> {
    isLoaded.value = false;
    items.value = [];
    next.value = null;
    return ask(null, (page) => {
      items.value = page.items;
      next.value = page.next;
    });
  }

  function more(): Promise<void> {
    const cursor = next.value;
    if (cursor === null || isBusy.value) return Promise.resolve();
    return ask(cursor, (page) => {
      const known = new Set(items.value.map((item) => item.id));
      items.value = [...items.value, ...page.items.filter((item) => !known.has(item.id))];
      next.value = page.next;
    });
  }

  /** What is new and what changed on the first page; what was loaded behind it stays. A first read that failed is tried again. */
  function refresh(): Promise<void> {
    if (!isLoaded.value) return failure.value === "" ? Promise.resolve() : reload();
    return ask(null, (page) => {
      const fresh = new Set(page.items.map((item) => item.id));
      const last = page.items.at(-1)?.id;
      const at = items.value.findIndex((item) => item.id === last);
      // so much is new that what was read does not join on: it begins anew
      if (page.next === null || at < 0) {
        items.value = page.items;
        next.value = page.next;
      } else items.value = [...page.items, ...items.value.slice(at + 1).filter((item) => !fresh.has(item.id))];
    });
  }

  /** What a command answered. A read that was under way may be older than that: it is dropped and asked again. */
  function put(item: T): void {
    items.value = items.value.map((other) => (other.id === item.id ? item : other));
    if (!isBusy.value) return;
    turn += 1;
    isBusy.value = false;
    schedule();
  }

  function schedule(): void {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (isBusy.value) schedule();
      else void refresh();
    }, again());
  }

  if (follows === "feed") watch(revision, schedule);
  onScopeDispose(() => {
    turn += 1;
    clearTimeout(timer);
  });

  return { items, next, isLoaded, isBusy, failure, reload, more, refresh, put };
}
