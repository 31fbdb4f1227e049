/** What was done with an incident and who was told of it, in words. */
import type { Incident, Notified, TimelineEntry } from "../api/types";
import { timeOf } from "../format";
import { pick, t, word } from "../i18n";
import { departmentName, ruleTitle } from "../station";
import { actorName } from "./explain";

export interface Line {
  at: string;
  key: string;
  who: string;
  what: string;
  more: string;
  note: string | null;
}

/** `from` and `to` are words of many kinds: states, stages, departments, rules, rungs, numbers. */
function named(value: string): string {
  for (const group of ["state", "task", "stage", "satisfaction", "severity"]) {
    const text = word(group, value);
    if (text !== value) return text;
  }
  const department = departmentName(value);
  return department === value ? ruleTitle(value) : department;
}

function change({ verb, from, to }: TimelineEntry): string {
  if (verb === "tick" || verb === "untick") return t("drawer.step", { step: to });
  if (verb === "escalate") return t("drawer.rung", { level: to, rung: word("ladder", to) });
  if (verb === "exhaust") return named(to);
  if (from === to || to === "") return "";
  return from === "" ? named(to) : `${named(from)} → ${named(to)}`;
}

function ofStep(entry: TimelineEntry, index: number): Line {
  const department = entry.department === null ? "" : departmentName(entry.department);
  return {
    at: entry.at,
    key: `s${index}`,
    who: actorName(entry.actor),
    what: word("act", entry.verb),
    more: [department, change(entry)].filter(Boolean).join(" · "),
    note: entry.note,
  };
}

function ofRung(rung: Notified): Line {
  const people = rung.told.map((told) => {
    const name = told.person == null ? t("drawer.nobody") : (told.person.name ?? told.person.id);
    const how = `${word("channel", told.channel)} ${word("told", told.state)}`;
    const acted = told.answered_at == null ? "" : `, ${t("told.answered")} ${timeOf(told.answered_at)}`;
    return `${name} (${how}${acted})`;
  });
  const values = { department: departmentName(rung.department), level: rung.level, rung: word("ladder", String(rung.level)), names: people.join(pick("、", ", ")) };
  const hints = [
    rung.is_off_duty && rung.told_level !== null ? t("drawer.offDutyShort") : "",
    rung.fell_through && rung.told_level !== null && rung.told_level !== rung.level ? t("drawer.fellShort", { level: rung.told_level }) : "",
  ];
  return { at: rung.at, key: `n${rung.id}`, who: t("actor.system"), what: t("drawer.toldLine", values), more: hints.filter(Boolean).join(" · "), note: null };
}

/** In the order in which it was. Steps come before the people who were told because of them. */
export function timelineOf({ timeline, notified }: Incident): Line[] {
  const all = [...timeline.map(ofStep), ...notified.map(ofRung)];
  return all
    .map((line, index) => ({ line, index }))
    .sort((a, b) => Date.parse(a.line.at) - Date.parse(b.line.at) || a.index - b.index)
    .map(({ line }) => line);
}
