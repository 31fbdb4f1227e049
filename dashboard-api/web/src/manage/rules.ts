/** Calls of the rules, and what a page makes of their answers: what changed line by line, and alarms by day. */
import { answered, client } from "../api/client";
import type { components } from "../api/schema";

type Schemas = components["schemas"];
export type RuleItem = Schemas["RuleItem"];
export type RulePage = Schemas["RulePage"];
export type RuleDetail = Schemas["RuleDetail"];
export type RuleTrial = Schemas["RuleTrial"];
export type TrialRun = Schemas["TrialRun"];

export const rules = {
  list: (cursor: string | null = null): Promise<RulePage> => answered(client.GET("/api/v1/rules", { params: { query: cursor === null ? {} : { cursor } } })),
  one: (id: string): Promise<RuleDetail> => answered(client.GET("/api/v1/rules/{id}", { params: { path: { id } } })),
  /** The signal ends it at the server too. */
  trial: (body: { rule: string; text: string; days: number }, signal: AbortSignal): Promise<RuleTrial> =>
    answered(client.POST("/api/v1/rules/trial", { body, signal })),
  save: (id: string, body: { text: string; expected_version: string | null; note: string }): Promise<Schemas["RuleSaved"]> =>
    answered(client.PUT("/api/v1/rules/{id}", { params: { path: { id } }, body })),
};

export interface Line {
  sign: "+" | "-";
  /** From 1: of the text after it for what is new, of the one before for what is gone. */
  number: number;
  text: string;
}

/** Lines that are gone and lines that are new, in their order. */
export function changes(before: string, after: string): Line[] {
  const a = before.trimEnd().split("\n");
  const b = after.trimEnd().split("\n");
  // how long the longest common sequence of lines is from each pair on
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  }
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      i++;
      j++;
    } else if (i < a.length && (j === b.length || at(i + 1, j) >= at(i, j + 1))) lines.push({ sign: "-", number: i + 1, text: a[i++] ?? "" });
    else lines.push({ sign: "+", number: j + 1, text: b[j++] ?? "" });
  }
  return lines;
}

export interface Day {
  day: string;
  was: number;
  would: number;
}

/** Alarms by day, in the community's days; days without any are left out. */
export function byDay(run: Pick<TrialRun, "was" | "would">, dayOf: (at: string) => string): Day[] {
  const days = new Map<string, Day>();
  for (const side of ["was", "would"] as const) {
    for (const { at, n } of run[side].hours) {
      const day = dayOf(at);
      const known = days.get(day) ?? { day, was: 0, would: 0 };
      known[side] += n;
      days.set(day, known);
    }
  }
  return [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1));
}

/** How a new rule begins. */
export const template = (id: string): string => `[[rule]]
id = "${id}"
title_zh = ""
title_en = ""
severity = "P4"
subject = "device"
dedupe_s = 300
lead = "property"
sop_zh = [""]
sop_en = [""]

[rule.when]
is = "match"
kinds = ["device.fault"]

[[rule.case]]
name = "it rings"
events = [{ at_s = 0, device = "device-1", kind = "device.fault", phase = "raised" }]
expect = [{ at_s = 0, what = "raised", subject = "device:device-1" }]

[[test_device]]
id = "device-1"
class = "fire_sensor"
zone = "zone-1"
`;
