import { expect, test } from "vitest";
import { incident, task } from "./sample";
import { clocksOf, hold, isTheirs, jobsOf, mayBurn, mustWait, ringing, verbsFor } from "./tasks";

const jobs = (all: ReturnType<typeof incident>[]) => jobsOf(all.map(hold), "fire", "mao");
const order = (all: ReturnType<typeof incident>[]) => jobs(all).map(({ held }) => held.id);

test("the most urgent stands first, and nobody's before one's own before a colleague's", () => {
  const theirs = incident("a-theirs", [task({ state: "on_scene", holder: "yang" })]);
  const mine = incident("b-mine", [task({ state: "claimed", holder: "mao" })]);
  const free = incident("c-free", [task()]);
  const small = incident("a-small", [task()], { severity: "P3" });
  expect(order([small, theirs, mine, free])).toEqual(["c-free", "b-mine", "a-theirs", "a-small"]);
});

test("of two alike the one whose clock ends first stands first", () => {
  const late = incident("late", [task({ due: { claim: "2026-11-26T08:02:00Z" } })]);
  const soon = incident("soon", [task({ due: { claim: "2026-11-26T08:01:00Z" } })]);
  const never = incident("never", [task({ due: {} })]);
  expect(order([never, late, soon])).toEqual(["soon", "late", "never"]);
});

test("what is over, handed back, another department's or not dispatched is no task of ours", () => {
  const gone = (["resolved", "released", "handed_back"] as const).map((state) => incident(state, [task({ state })]));
  const other = incident("other", [task({ department: "police" })]);
  const closed = incident("closed", [task()], { state: "resolved" });
  expect(order([...gone, other, closed])).toEqual([]);
});

test("the next step comes first, and a colleague's task offers none", () => {
  const verbs = (change: Parameters<typeof task>[0]) => verbsFor(jobs([incident("i", [task(change)])])[0]!, "mao");
  expect(verbs({})).toEqual(["claim", "hand_back"]);
  expect(verbs({ state: "claimed", holder: "mao" })[0]).toBe("arrive");
  expect(verbs({ state: "on_scene", holder: "mao" })[0]).toBe("resolve");
  expect(verbs({ state: "on_scene", holder: "yang" })).toEqual([]);
});

test("only the lead waits for the device, the others are done when they are", () => {
  const [lead] = jobs([incident("i", [task()])]);
  const [helper] = jobs([incident("i", [task({ lead: false })])]);
  const [cleared] = jobs([incident("i", [task()], { is_lasting: false })]);
  expect([lead, helper, cleared].map((job) => mustWait(job!))).toEqual([true, false, false]);
});

test("clocks stand as the work goes, and a claim ends when nothing is said", () => {
  const held = task({ state: "claimed", due: { arrive: "2026-11-26T08:03:00Z" }, lease_until: "2026-11-26T08:04:00Z" });
  expect(clocksOf(held).map(({ name }) => name)).toEqual(["arrive", "report"]);
  expect(clocksOf({ ...held, progress_due: "2026-11-26T08:02:00Z" })[1]?.at).toBe("2026-11-26T08:02:00Z");
});

test("a P1 rings until somebody has claimed it, and again when it comes back", () => {
  const rings = (change: Parameters<typeof task>[0], severity: "P1" | "P2" = "P1") => ringing(jobs([incident("i", [task(change)], { severity })]));
  expect(rings({})).toHaveLength(1);
  expect(rings({ state: "claimed", holder: "yang" })).toEqual([]);
  expect(rings({}, "P2")).toEqual([]);
  expect(rings({ fence: 1, dispatched_at: "2026-11-26T09:00:00Z" })).not.toEqual(rings({}));
});

test("what the phone does not show it does not keep", () => {
  const line = { at: "", actor: "", verb: "progress" as const, from: "", to: "", department: null, note: null };
  const held = hold(incident("i", [task()], { timeline: Array.from({ length: 40 }, (_, n) => ({ ...line, note: String(n) })) }));
  expect(held.timeline).toHaveLength(12);
  expect(held.timeline.at(-1)?.note).toBe("39");
  expect(Object.keys(held)).not.toContain("events");
});

test("a grid captain acts where the server lets them: on the lead's part, or on a department's by name", () => {
  const may = (department: string | null) => ({ verb: "claim" as const, department, reason: null, holder: null });
  const parts = [task({ department: "fire", lead: true }), task({ id: "tsk_2", department: "police", lead: false })];
  const theirs = (list: ReturnType<typeof may>[], department: string) => isTheirs(jobsOf([hold(incident("i", parts, { may: list }))], department, "zhou")[0]!);
  expect([theirs([may(null)], "fire"), theirs([may(null)], "police"), theirs([may("police")], "police"), theirs([], "fire")]).toEqual([true, false, true, false]);
});

test("who needs help out is asked for a P1 and for a fire, and for nothing else", () => {
  const of = (change: object) => mayBurn(hold(incident("a", [task()], change)));
  expect([{}, { lead: "police" }, { severity: "P2" }, { severity: "P2", lead: "police" }, { severity: "P3" }].map(of)).toEqual([true, true, true, false, false]);
});
