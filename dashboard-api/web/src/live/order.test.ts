import { expect, test } from "vitest";
import type { IncidentItem } from "../api/types";
import { compare, insert, isPinned, remove } from "./order";

const item = (id: string, change: Partial<IncidentItem> = {}): IncidentItem =>
  ({ id, severity: "P3", state: "open", opened_at: "2026-03-01T08:00:00.000Z", acknowledged_at: null, ...change }) as IncidentItem;

test("rows put in one by one stand as a sort would put them", () => {
  const states = ["open", "acknowledged", "dispatched", "resolved"] as const;
  const all = Array.from({ length: 400 }, (_, n) =>
    item(`i${(n * 7919) % 400}`, {
      severity: `P${1 + (n % 4)}` as IncidentItem["severity"],
      state: states[(n * 31) % 4]!,
      acknowledged_at: n % 3 === 0 ? "2026-03-01T08:01:00.000Z" : null,
      opened_at: `2026-03-01T08:00:${String((n * 13) % 60).padStart(2, "0")}.000Z`,
    }),
  );
  const rows: IncidentItem[] = [];
  for (const one of all) insert(rows, one);
  expect(rows).toEqual([...all].sort(compare));
  for (const one of all) expect(remove(rows, one)).toBe(true);
  expect(rows).toEqual([]);
});

test("a running P1 stands first, even when others wait and it does not", () => {
  const rows: IncidentItem[] = [];
  insert(rows, item("waits", { severity: "P2" }));
  insert(rows, item("runs", { severity: "P1", state: "dispatched", acknowledged_at: "2026-03-01T08:01:00.000Z" }));
  expect(rows.map((row) => row.id)).toEqual(["runs", "waits"]);
  expect(isPinned(rows[0]!)).toBe(true);
});

test("what is not there is not removed", () => {
  const rows = [item("a")];
  expect(remove(rows, item("b"))).toBe(false);
  expect(rows).toHaveLength(1);
});
