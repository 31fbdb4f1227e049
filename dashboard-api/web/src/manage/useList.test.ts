import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type EffectScope, effectScope, nextTick } from "vue";
import type { Page } from "./merged";

const { revision } = await vi.hoisted(async () => ({ revision: (await import("vue")).ref(0) }));
vi.mock("../live/feed", () => ({ revision }));
vi.mock("./calls", () => ({ told: String }));
const { useList } = await import("./useList");

interface Item {
  id: string;
  says: string;
}
const item = (id: string, says = "") => ({ id, says });
let scope: EffectScope;
/** Answers to reads, in the order in which they were asked; each is given when a test says so. */
let asked: { cursor: string | null; answer: (page: Page<Item>) => void; fail: (e: Error) => void }[];

function list(follows?: "nothing") {
  return scope.run(() =>
    useList<Item>(() => (cursor) => new Promise((answer, fail) => asked.push({ cursor, answer, fail })), follows),
  ) as ReturnType<typeof useList<Item>>;
}
const settle = async () => {
  for (let i = 0; i < 5; i++) await Promise.resolve();
};

beforeEach(() => {
  vi.useFakeTimers();
  scope = effectScope();
  asked = [];
});
afterEach(() => {
  scope.stop();
  vi.useRealTimers();
});

test("pages follow one another, and a change reads the first again and keeps the rest", async () => {
  const { items, next, reload, more } = list();
  void reload();
  asked[0]?.answer({ items: [item("c"), item("b")], next: "1" });
  await settle();
  void more();
  expect(asked[1]?.cursor).toBe("1");
  asked[1]?.answer({ items: [item("b"), item("a")], next: null });
  await settle();
  expect([items.value.map((one) => one.id).join(""), next.value]).toEqual(["cba", null]);
  revision.value += 1;
  revision.value += 1;
  await nextTick();
  vi.advanceTimersByTime(10_000);
  expect(asked.length).toBe(3); // many changes, one question
  asked[2]?.answer({ items: [item("d"), item("c", "new")], next: "1" });
  await settle();
  expect(items.value.map((one) => one.id + one.says)).toEqual(["d", "cnew", "b", "a"]);
});

test("a list of what is over is read when somebody asks, and not because the board moves", async () => {
  const { items, reload } = list("nothing");
  void reload();
  asked[0]?.answer({ items: [item("a")], next: null });
  await settle();
  revision.value += 1;
  await nextTick();
  vi.advanceTimersByTime(60_000);
  expect(asked.length).toBe(1);
  void reload();
  asked[1]?.answer({ items: [item("b")], next: null });
  await settle();
  expect(items.value).toEqual([item("b")]);
});

test("what left the list goes away, and a list that is all new begins anew", async () => {
  const { items, next, reload } = list();
  void reload();
  asked[0]?.answer({ items: [item("c"), item("b"), item("a")], next: "1" });
  await settle();
  const again = async (page: Page<Item>) => {
    revision.value += 1;
    await nextTick();
    vi.advanceTimersByTime(10_000);
    asked.at(-1)?.answer(page);
    await settle();
    return items.value.map((one) => one.id).join("");
  };
  expect(await again({ items: [item("c"), item("a")], next: "1" })).toBe("ca");
  expect(await again({ items: [item("f"), item("e")], next: "9" })).toBe("fe");
  expect(next.value).toBe("9");
  expect(await again({ items: [item("f")], next: null })).toBe("f");
  expect(next.value).toBeNull();
});

test("what a command answered is not overwritten by a read that began before it", async () => {
  const { items, reload, put } = list();
  void reload();
  asked[0]?.answer({ items: [item("a", "old")], next: null });
  await settle();
  revision.value += 1;
  await nextTick();
  vi.advanceTimersByTime(10_000);
  put(item("a", "done"));
  asked[1]?.answer({ items: [item("a", "old")], next: null });
  await settle();
  expect(items.value).toEqual([item("a", "done")]);
  vi.advanceTimersByTime(10_000);
  expect(asked.length).toBe(3); // and it is asked again
});

test("a read that fails says so and leaves what was read", async () => {
  const { items, failure, reload, more } = list();
  void reload();
  asked[0]?.answer({ items: [item("a")], next: "1" });
  await settle();
  void more();
  asked[1]?.fail(new Error("no network"));
  await settle();
  expect([items.value.length, failure.value]).toEqual([1, "Error: no network"]);
});

test("an answer for filters that were left is dropped", async () => {
  const { items, reload } = list();
  void reload();
  void reload();
  asked[1]?.answer({ items: [item("new")], next: null });
  asked[0]?.answer({ items: [item("old")], next: null });
  await settle();
  expect(items.value).toEqual([item("new")]);
});
