import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { HELD_MS, begin, drop, entries, hold, leaveAll, sendAll, sendHeld, underWay, undo } from "./outbox";

const what = (incident: string, verb = "resolve") => ({ incident, number: 1001, verb });
const work = (answer: string | null = null) => ({ send: vi.fn(() => Promise.resolve(answer)), leave: vi.fn(), back: vi.fn() });
const stages = () => entries.value.map(({ incident, stage }) => [incident, stage]);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  leaveAll();
  vi.useRealTimers();
});

test("what is not taken back goes out after five seconds, once", async () => {
  const one = work();
  hold(what("a"), one);
  await vi.advanceTimersByTimeAsync(HELD_MS - 1);
  expect(one.send).not.toHaveBeenCalled();
  expect(underWay.value.get("a")).toBe("held");
  await vi.advanceTimersByTimeAsync(HELD_MS);
  expect(one.send).toHaveBeenCalledTimes(1);
  expect(stages()).toEqual([]);
});

test("what was taken back is never sent, and leads back to its form; the last one first", async () => {
  const [one, two] = [work(), work()];
  hold(what("a"), one);
  hold(what("b"), two);
  expect(undo()).toBe(true);
  expect(stages()).toEqual([["a", "held"]]);
  expect(undo()).toBe(true);
  expect(undo()).toBe(false);
  await vi.advanceTimersByTimeAsync(2 * HELD_MS);
  for (const { send, back } of [one, two]) {
    expect(send).not.toHaveBeenCalled();
    expect(back).toHaveBeenCalledTimes(1);
  }
});

test("the next command about the same incident, and logging out, send it first", async () => {
  const [one, two] = [work(), work()];
  hold(what("a"), one);
  hold(what("b"), two);
  sendHeld("a");
  expect(one.send).toHaveBeenCalledTimes(1);
  expect(two.send).not.toHaveBeenCalled();
  await sendAll();
  expect(two.send).toHaveBeenCalledTimes(1);
});

test("a page that goes away sends what it holds, and no timer sends it again", async () => {
  const one = work();
  hold(what("a"), one);
  leaveAll();
  expect(one.leave).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(2 * HELD_MS);
  expect(one.send).not.toHaveBeenCalled();
});

test("a refusal stays until it was read; it is under way no longer", async () => {
  begin(what("a", "acknowledge"), { send: () => Promise.resolve("陈静已确认") });
  expect(underWay.value.get("a")).toBe("sending");
  expect(undo()).toBe(false);
  await vi.advanceTimersByTimeAsync(0);
  expect(underWay.value.size).toBe(0);
  expect(entries.value).toMatchObject([{ stage: "refused", why: "陈静已确认", hasForm: false }]);
  drop(entries.value[0]!.key);
  expect(entries.value).toEqual([]);
});

test("what was refused can be filled in again", async () => {
  const one = work("现场尚未恢复正常");
  hold(what("a"), one);
  await vi.advanceTimersByTimeAsync(HELD_MS);
  expect(undo()).toBe(false);
  expect(undo(entries.value[0]!.key)).toBe(true);
  expect(one.back).toHaveBeenCalledTimes(1);
});
