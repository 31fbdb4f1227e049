import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ApiError, api } from "../api/client";
import type { FireMode, IncidentItem } from "../api/types";
import { Line, type Listener } from "./line";
import type { Change, Snapshot } from "./messages";

class FakeSource extends EventTarget {
  static readonly CLOSED = 2;
  static last: FakeSource;
  static opened: string[] = [];
  readyState = 1;
  onerror: (() => void) | null = null;
  constructor(readonly url: string) {
    super();
    FakeSource.last = this;
    FakeSource.opened.push(url);
    this.addEventListener("error", () => this.onerror?.());
  }
  close(): void {
    this.readyState = FakeSource.CLOSED;
  }
  say(name: string, data: unknown, id = ""): void {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data), lastEventId: id }));
  }
  /** The connection broke; `isRefused`: the server answered that it will not. */
  breaks(isRefused = false): void {
    this.readyState = isRefused ? FakeSource.CLOSED : 0;
    this.onerror?.();
  }
}

const item = (id: string) => ({ id, version: 1, state: "open" }) as IncidentItem;
let board: IncidentItem[];
let revision: number;
let told: { snapshots: Snapshot[]; changes: Change[]; pulses: number; ended: number };
let line: Line;

beforeEach(async () => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", FakeSource);
  FakeSource.opened = [];
  board = [item("a")];
  revision = 7;
  vi.spyOn(api, "meta").mockImplementation(async () => ({ server_time: new Date().toISOString() }) as never);
  vi.spyOn(api, "activeIncidents").mockImplementation(async () => ({ items: board, revision }));
  vi.spyOn(api, "devices").mockImplementation(async () => ({ items: [], next: null, revision }));
  vi.spyOn(api, "storms").mockImplementation(async () => ({ items: [] }));
  vi.spyOn(api, "fireModes").mockImplementation(async () => ({ items: [] }));
  vi.spyOn(api, "quarantine").mockRejectedValue(new Error("not for this role"));
  told = { snapshots: [], changes: [], pulses: 0, ended: 0 };
  const to: Listener = {
    snapshot: (snapshot) => void told.snapshots.push(snapshot),
    change: (change) => void told.changes.push(change),
    pulse: () => void told.pulses++,
    ended: () => void told.ended++,
  };
  line = new Line(to);
  line.start("wang");
  await vi.advanceTimersByTimeAsync(0);
});
afterEach(() => {
  line.stop();
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

const beat = (at: number) => FakeSource.last.say("hb", { revision: at, server_time: new Date().toISOString(), version: "1", ui_hash: "x" });

test("a snapshot, then what came after it", () => {
  expect(told.snapshots.map((s) => [s.login, s.incidents.length, s.quarantine, s.revision])).toEqual([["wang", 1, null, 7]]);
  expect(FakeSource.opened).toEqual(["/api/v1/live?from=7"]);
  FakeSource.last.say("incident", item("b"), "8");
  FakeSource.last.say("incident", item("b"), "8");
  FakeSource.last.say("notification", { incident: "b" }, "9");
  FakeSource.last.say("maintenance", {}, "10");
  expect(told.changes.map((c) => [c.kind, c.revision])).toEqual([["incident", 8], ["about", 9], ["other", 10]]);
  expect(told.changes[1]).toMatchObject({ incident: "b" });
});

test("no kind of the feed looks like a gap", async () => {
  const kinds = ["incident", "device", "quarantine", "storm", "alarm", "notification", "maintenance", "command", "fire_mode", "hidden"];
  kinds.forEach((kind, i) => FakeSource.last.say(kind, item("b"), String(8 + i)));
  beat(8 + kinds.length - 1);
  beat(8 + kinds.length - 1);
  await vi.advanceTimersByTimeAsync(0);
  expect(told.changes.map((c) => c.revision)).toEqual(kinds.map((_, i) => 8 + i));
  expect(told.snapshots).toHaveLength(1);
});

test("a line that broke goes on where it was, and only one is ever open", async () => {
  const before = FakeSource.last;
  FakeSource.last.say("incident", item("b"), "8");
  before.breaks();
  await vi.advanceTimersByTimeAsync(1000);
  expect(FakeSource.opened.at(-1)).toBe("/api/v1/live?from=8");
  expect(before.readyState).toBe(FakeSource.CLOSED);
  before.say("incident", item("c"), "9");
  expect(told.changes).toHaveLength(1);
});

test.each([
  ["a gap", () => FakeSource.last.say("incident", item("z"), "12")],
  ["a reset", () => FakeSource.last.say("reset", { revision: 40 }, "40")],
  ["a tail that does not come", () => (beat(9), beat(9))],
])("%s leads to a new snapshot", async (_, happens) => {
  [board, revision] = [[item("c")], 40];
  happens();
  await vi.advanceTimersByTimeAsync(0);
  expect(told.snapshots.at(-1)).toMatchObject({ incidents: [item("c")], revision: 40 });
  expect(told.changes).toEqual([]);
  expect(FakeSource.opened.at(-1)).toBe("/api/v1/live?from=40");
});

test("whoever may not see fire modes has a board without; one that could not be read is read again", async () => {
  const refuse = (status: number) => vi.mocked(api.fireModes).mockRejectedValueOnce(new ApiError({ type: "", status, code: "", title: "", detail: "" }));
  refuse(403);
  FakeSource.last.say("reset", {}, "8");
  await vi.advanceTimersByTimeAsync(0);
  expect(told.snapshots.map((s) => s.fires)).toEqual([[], []]);
  refuse(503);
  FakeSource.last.say("reset", {}, "8");
  await vi.advanceTimersByTimeAsync(0);
  expect(told.snapshots).toHaveLength(2);
  vi.mocked(api.fireModes).mockResolvedValue({ items: [{ id: "f", state: "active" } as FireMode] });
  await vi.advanceTimersByTimeAsync(1000);
  expect(told.snapshots[2]?.fires.map((fire) => fire.id)).toEqual(["f"]);
});

test("a server that began anew at a lower revision is believed", async () => {
  [board, revision] = [[], 2];
  FakeSource.last.say("reset", { revision: 2 }, "2");
  await vi.advanceTimersByTimeAsync(0);
  FakeSource.last.say("incident", item("n"), "3");
  expect(told.snapshots.at(-1)).toMatchObject({ incidents: [], revision: 2 });
  expect(told.changes.map((c) => c.revision)).toEqual([3]);
});

test("a line that only looks open is opened anew", async () => {
  beat(7);
  await vi.advanceTimersByTimeAsync(9000);
  expect(FakeSource.opened).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(4000);
  expect(FakeSource.opened).toHaveLength(2);
});

test("a server that is away is asked again, and the end of the session is told", async () => {
  vi.mocked(api.meta).mockRejectedValue(new ApiError({ type: "", status: 0, code: "unreachable", title: "", detail: "" }));
  FakeSource.last.breaks(true);
  await vi.advanceTimersByTimeAsync(5000);
  expect(told.ended).toBe(0);
  vi.mocked(api.meta).mockRejectedValue(new ApiError({ type: "", status: 401, code: "unauthenticated", title: "", detail: "" }));
  await vi.advanceTimersByTimeAsync(1000);
  expect(told.ended).toBe(1);
  const asked = vi.mocked(api.meta).mock.calls.length;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(vi.mocked(api.meta).mock.calls.length).toBe(asked);
});
