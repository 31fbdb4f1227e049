import { expect, test } from "vitest";
import { Merged, type Read } from "./merged";

interface Item {
  seq: number;
}

/** Pages of two. */
function list(seqs: readonly number[]): Read<Item> {
  return (cursor) => {
    const at = cursor === null ? 0 : Number(cursor);
    const items = seqs.slice(at, at + 2).map((seq) => ({ seq }));
    return Promise.resolve({ items, next: at + 2 < seqs.length ? String(at + 2) : null });
  };
}
const merged = (...lists: Read<Item>[]) => new Merged(lists, (item) => item.seq);
const seqs = (items: Item[]) => items.map((item) => item.seq);

test("several lists are one, newest first, over all their pages", async () => {
  const all = merged(list([9, 6, 5, 1]), list([8, 7]), list([]), list([10, 4, 3, 2]));
  expect(seqs(await all.take(4))).toEqual([10, 9, 8, 7]);
  expect(all.hasMore).toBe(true);
  expect(seqs(await all.take(100))).toEqual([6, 5, 4, 3, 2, 1]);
  expect(all.hasMore).toBe(false);
  expect(await all.take(5)).toEqual([]);
});

test("a page that fails loses nothing", async () => {
  let fails = true;
  const first = list([9, 7, 5, 3]);
  const broken: Read<Item> = (cursor) => (cursor !== null && fails ? Promise.reject(new Error("no network")) : first(cursor));
  const all = merged(broken, list([8, 6, 4]));
  await expect(all.take(6)).rejects.toThrow("no network");
  fails = false;
  expect(seqs(await all.take(100))).toEqual([9, 8, 7, 6, 5, 4, 3]);
});

test("nothing is read before it is needed", async () => {
  const asked: (string | null)[] = [];
  const watched: Read<Item> = (cursor) => {
    asked.push(cursor);
    return list([4, 3, 2, 1])(cursor);
  };
  await merged(watched).take(2);
  expect(asked).toEqual([null]);
});
