import { expect, test } from "vitest";
import type { IncidentItem } from "../api/types";
import { keepOrder } from "./hold";

const item = (id: string, change: Partial<IncidentItem> = {}): IncidentItem =>
  ({ id, severity: "P3", state: "open", storm: null, opened_at: "2026-03-01T08:00:00.000Z", acknowledged_at: null, version: 1, ...change }) as IncidentItem;
const ids = (rows: readonly IncidentItem[]) => rows.map((row) => row.id);

test("rows keep their order while the hand is over them, and are told as they are now", () => {
  const held = [item("a"), item("b")];
  const seen = item("a", { version: 2, state: "acknowledged", acknowledged_at: "2026-03-01T08:00:09.000Z" });
  expect(keepOrder(held, [item("new"), item("b"), seen])).toEqual([seen, item("b")]);
});

test("a new P1 comes at once, below those that run", () => {
  const runs = item("runs", { severity: "P1" });
  const comes = item("comes", { severity: "P1" });
  expect(ids(keepOrder([runs, item("a")], [comes, runs, item("new"), item("a")]))).toEqual(["runs", "comes", "a"]);
});

test("what becomes a P1 goes to the others at once", () => {
  const raised = item("b", { severity: "P1", version: 2 });
  expect(ids(keepOrder([item("a"), item("b"), item("c")], [raised, item("a"), item("c")]))).toEqual(["b", "a", "c"]);
});

test("what has gone, folded or ended stays until the hand rests: nothing moves up", () => {
  const held = [item("gone"), item("folded"), item("ended", { severity: "P1" })];
  const after = keepOrder(held, [item("folded", { storm: "s" }), item("ended", { severity: "P1", state: "resolved" })]);
  expect(after).toEqual(held);
});
