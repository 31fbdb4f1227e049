/** Answers of the server that are a no, in words: what is now, and who was faster. */
import { ApiError } from "../api/client";
import type { Verb } from "../api/types";
import { timeOf } from "../format";
import { t, word } from "../i18n";
import { personName, ruleTitle } from "../station";
import { reasonText } from "./may";

export function actorName(actor: string): string {
  if (actor === "clock") return t("actor.clock");
  if (actor.startsWith("report:")) return t("actor.reporter");
  return actor.startsWith("rule:") ? t("actor.ruleLine", { rule: ruleTitle(actor.slice(5)) }) : personName(actor);
}

/** What every call can answer. */
export function general(e: unknown): string | null {
  if (!(e instanceof ApiError)) return t("notice.failed", { detail: String(e) });
  if (e.problem.status === 0) return t("notice.unreachable");
  return e.problem.status === 403 ? t("notice.forbidden") : null;
}

export function explain(e: unknown, verb: Verb): string {
  const known = general(e);
  if (known !== null || !(e instanceof ApiError)) return known ?? "";
  const { code, reason, current: now, state, detail: text } = e.problem;
  const holder = e.problem.holder ? personName(e.problem.holder) : null;
  if (code === "version_conflict") {
    const line = now?.timeline?.at(-1);
    if (line === undefined) return t("notice.conflictPlain");
    return t("notice.conflict", { actor: actorName(line.actor), time: timeOf(line.at), act: word("act", line.verb) });
  }
  if (code !== "not_allowed" || !reason) return t("notice.failed", { detail: text || code });
  const what = reasonText(reason, verb, state ?? "–", e.problem.holder ?? null);
  if (reason === "wrong_state" || !state) return what;
  if (!holder || what.includes(holder)) return t("notice.holderNow", { what, state: word("state", state) });
  return t("notice.holderOf", { what, state: word("state", state), holder });
}

export function explainAlarm(e: unknown, what: string): string {
  const known = general(e);
  if (known !== null || !(e instanceof ApiError)) return known ?? "";
  const { code, alarm, holder, detail: text } = e.problem;
  if (code === "version_conflict") return t("notice.alarmChanged");
  if (code === "not_allowed" && alarm?.shelved) return t("reason.shelved", { holder: personName(holder ?? alarm.shelved.by) });
  if (code === "not_allowed" && alarm) return t("notice.holderNow", { what: `${what}: ${text}`, state: word("alarm", alarm.state) });
  return t("notice.failed", { detail: text || code });
}
