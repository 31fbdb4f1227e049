import { describe, expect, it } from "vitest";
import type { IncidentItem } from "../api/types";
import { fold, gather, nextWaiting } from "./fold";

function row(id: string, storm: string | null, extra: Partial<IncidentItem> = {}): IncidentItem {
  return { id, storm, state: "open", severity: "P3", acknowledged_at: null, opened_at: `2026-11-26T00:00:0${id}Z`, ...extra } as IncidentItem;
}
const ids = (rows: readonly IncidentItem[], opened: string[] = []) => fold(rows, new Set(opened)).map((line) => line.id);

describe("folding", () => {
  it("leaves alone what no flood has folded", () => {
    expect(ids([row("1", null), row("2", null)])).toEqual(["1", "2"]);
  });

  it("shows one line for a card, where its first incident would stand", () => {
    const rows = [row("1", null), row("2", "a"), row("3", "b"), row("4", "a"), row("5", "b"), row("6", "a")];
    expect(ids(rows)).toEqual(["1", "a", "b"]);
    const card = fold(rows, new Set())[1];
    expect(card).toMatchObject({ kind: "storm", count: 3, waiting: 3, since: "2026-11-26T00:00:02Z" });
  });

  it("shows what an opened card holds below it", () => {
    const rows = [row("2", "a"), row("3", null), row("4", "a")];
    expect(ids(rows, ["a"])).toEqual(["a", "2", "4", "3"]);
  });

  it("needs two: the last one open stands by itself", () => {
    const rows = [row("1", "a"), row("2", "a", { state: "resolved" })];
    expect(ids(rows)).toEqual(["1", "2"]);
  });

  it("counts who waits for a person", () => {
    const rows = [row("1", "a"), row("2", "a", { state: "acknowledged", acknowledged_at: "2026-11-26T00:00:09Z" })];
    expect(fold(rows, new Set())[0]).toMatchObject({ count: 2, waiting: 1 });
  });
});

describe("the next that waits for a person", () => {
  const seen = { state: "acknowledged", acknowledged_at: "2026-11-26T00:00:09Z" } as const;
  const lines = fold([row("1", null), row("2", "a"), row("3", "a"), row("4", null, seen), row("5", null)], new Set());
  const next = (from: string | null, ...underWay: string[]) => nextWaiting(lines, from, (id) => underWay.includes(id));

  it("leaves out cards, what is acknowledged, and what is on its way", () => {
    expect(next("1")).toBe("5");
    expect(next("1", "5")).toBeNull();
  });

  it("goes round, and begins at the top when nothing is selected", () => {
    expect(next("5")).toBe("1");
    expect(next(null)).toBe("1");
  });
});

describe("a flood", () => {
  const rows = [
    row("1", null, { severity: "P1" }),
    row("2", null, { severity: "P2" }),
    row("3", "a"),
    row("4", "a"),
    row("5", null),
    row("6", null, { severity: "P4" }),
    row("7", null, { severity: "P4", state: "acknowledged", acknowledged_at: "2026-11-26T00:00:09Z" }),
    row("8", null, { state: "resolved" }),
  ];
  const gathered = (opened: string[] = [], selected: string | null = null) => gather(fold(rows, new Set(opened)), new Set(opened), selected);

  it("leaves a line of P3 and one of P4; P1, P2 and what is over stand by themselves", () => {
    expect(gathered().map((line) => line.id)).toEqual(["1", "2", "level-P3", "level-P4", "8"]);
    expect(gathered()[2]).toMatchObject({ count: 3, waiting: 3, isOpened: false });
    expect(gathered()[3]).toMatchObject({ count: 2, waiting: 1 });
  });

  it("shows what a line holds, cards too", () => {
    expect(gathered(["level-P3", "a"]).map((line) => line.id)).toEqual(["1", "2", "level-P3", "a", "3", "4", "5", "level-P4", "8"]);
  });

  it("leaves alone what is selected, and what is the only one", () => {
    expect(gathered([], "6").map((line) => line.id)).toEqual(["1", "2", "level-P3", "6", "7", "8"]);
  });
});

describe("what is selected", () => {
  const rows = [row("2", "a"), row("3", "a"), row("4", "a")];

  it("stands by itself while its card is closed, and in it while that is open", () => {
    expect(fold(rows, new Set(), "3").map((line) => line.id)).toEqual(["a", "3"]);
    expect(fold(rows, new Set(["a"]), "3").map((line) => line.id)).toEqual(["a", "2", "3", "4"]);
    const opened = new Set(["a", "level-P3"]);
    expect(gather(fold([...rows, row("5", null)], opened, "3"), opened, "3").map((line) => line.id)).toEqual(["level-P3", "a", "2", "3", "4", "5"]);
  });
});
