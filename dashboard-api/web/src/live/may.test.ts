import { expect, test } from "vitest";
import type { Incident, May, Reason, Verb } from "../api/types";
import { offers, offersFor, whyNot } from "./may";

const may = (verb: Verb, reason: Reason | null = null, department: string | null = null, holder: string | null = null): May => ({ verb, department, reason, holder });

test("what the role may not do is absent, what cannot be now says why", () => {
  const { first, more } = offers([may("claim", "held_by_other", null, "li"), may("acknowledge")], "dispatched");
  expect(first.map((o) => [o.verb, o.why])).toEqual([
    ["acknowledge", null],
    ["claim", "已由li负责"],
  ]);
  expect(more).toEqual([]);
});

test("what belongs to another time of its life is not offered", () => {
  const all = [may("claim", "wrong_state"), may("close"), may("reopen"), may("unmerge", "wrong_state"), may("note")];
  expect(offers(all, "resolved").first.map((o) => o.verb)).toEqual(["close", "reopen", "note"]);
  const merged = [may("close", "wrong_state"), may("unmerge", "too_late"), may("note", "wrong_state")];
  expect(offers(merged, "merged").first.map((o) => [o.verb, o.why])).toEqual([
    ["unmerge", "已超过时限"],
    ["note", "当前状态（已合并）不能备注"],
  ]);
});

test("verbs of tasks are offered for the department that is named", () => {
  const all = [may("claim", "held_already"), may("claim", null, "police"), may("arrive", "not_claimed", "police")];
  expect(offersFor(all, "police")).toEqual(["claim"]);
  expect(offersFor(all, "fire")).toEqual([]);
});

test("before anything is known the server is asked; a word from a newer server is shown as it is", () => {
  expect(whyNot(null, "claim")).toBeNull();
  const incident = { state: "open", may: [may("claim", "moon_is_full" as Reason)] } as unknown as Incident;
  expect(whyNot(incident, "claim")).toBe("moon_is_full");
  expect(whyNot(incident, "cancel")).toBe("您的角色不能作废");
});
