/** What is known of an incident, and what findings say of it (`detail`), in words. A key or value that this version does not know is shown as it is. */
import type { IncidentItem } from "../api/types";
import { dateTimeOf, duration, placeOf } from "../format";
import { pick, t, word } from "../i18n";
import { departmentName, personName, ruleTitle, siteName } from "../station";
import { devices } from "./board";
import { said } from "./facts/words";

const SECONDS: readonly string[] = ["held_s", "allowed_s", "skew_s"];
const MILLISECONDS: readonly string[] = ["off_ms", "step_ms"];
const MOMENTS: readonly string[] = ["last_heard", "started_at"];
const PERCENT: readonly string[] = ["percent", "used_percent"];
/** Names of the maintenance window or work order behind it: of use to programs only. */
const HIDDEN: readonly string[] = ["subject"];

function number(text: string): number | null {
  const value = Number(text);
  return text.trim() === "" || !Number.isFinite(value) ? null : value;
}

function value(key: string, text: string): string {
  const n = number(text);
  if (SECONDS.includes(key) && n !== null) return duration(Math.abs(n) * 1000);
  if (MILLISECONDS.includes(key) && n !== null) return Math.abs(n) < 1000 ? `${n} ms` : duration(Math.abs(n));
  if (MOMENTS.includes(key) && !Number.isNaN(Date.parse(text))) return dateTimeOf(text);
  if (PERCENT.includes(key) && n !== null) return `${n} %`;
  if ((key === "confidence" || key === "score") && n !== null && n <= 1) return `${Math.round(n * 100)} %`;
  if (key === "available_bytes" && n !== null) return `${Math.round(n / 1e6)} MB`;
  if (key === "kind") return said("kind", text);
  if (key === "rule" || key === "first") return ruleTitle(text);
  if (key === "held_back") return word("flag", text);
  if (key === "stage") return word("stage", text);
  if (key === "report") return said("reported", text);
  if (key === "drill") return said("value", "true");
  if (key === "devices") {
    const names = new Map(devices.value.map((device) => [device.id, device.name]));
    return text.split(" ").map((id) => names.get(id) ?? id).join(pick("、", ", "));
  }
  return said("value", text);
}

export interface Fact {
  name: string;
  text: string;
}

export function facts(detail: Readonly<Record<string, string>>): Fact[] {
  const { unit, ...rest } = detail;
  return Object.entries(rest)
    .filter(([key]) => !HIDDEN.includes(key))
    .map(([key, text]) => ({
      name: said("detail", key),
      // a reading and its unit are one fact
      text: key === "level" && unit !== undefined ? `${text} ${unit}` : value(key, text),
    }));
}

export function factsOf(item: IncidentItem): Fact[] {
  const named = (login: string | null) => (login === null ? null : personName(login));
  const known: [string, string | null][] = [
    [t("fact.rule"), `${ruleTitle(item.rule)} (${item.rule})`],
    [t("fact.place"), placeOf(item, siteName(item.site))],
    [t("fact.device"), `${item.device_name ?? item.device ?? item.subject} · ${word("class", item.class)}`],
    [t("fact.condition"), word("condition", item.condition)],
    [t("fact.occurred"), dateTimeOf(item.occurred_at)],
    [t("fact.last"), dateTimeOf(item.last_event_at)],
    [t("task.lead"), departmentName(item.lead)],
    [t("drawer.acknowledged"), named(item.acknowledged_by)],
    [t("drawer.verifying"), named(item.verifying_by)],
    [t("fact.holder"), named(item.holder)],
    [t("fact.cause"), item.cause === null ? null : word("cause", item.cause)],
    [t("drawer.satisfaction"), item.satisfaction === "not_asked" ? null : word("satisfaction", item.satisfaction)],
    [t("step.open"), item.round > 1 ? t("drawer.round", { round: item.round }) : null],
  ];
  return [...known.flatMap(([name, text]) => (text === null ? [] : [{ name, text }])), ...facts(item.detail)];
}
