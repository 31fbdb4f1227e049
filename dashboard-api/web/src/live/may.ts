/** What may be asked of an incident now, as the server says it, and why not. The server decides again when it is asked. */
import type { Incident, IncidentState, May, Severity, Verb } from "../api/types";
import { t, word } from "../i18n";
import { mayCall, user } from "../session";
import { personName } from "../station";
import { isOpen } from "./order";

/** Verbs in the order of their buttons: what the work is made of, what is rarer, what comes after it. */
const WORK: readonly Verb[] = ["acknowledge", "verify", "dispatch", "claim", "arrive", "progress", "resolve", "note", "escalate"];
const RARE: readonly Verb[] = ["dismiss", "hand_back", "assign", "merge", "force_close", "cancel"];
const AFTER: readonly Verb[] = ["close", "answer", "reopen", "unmerge", "note"];

/** Verbs that count as no step of the work: whoever else was faster, they still mean the same. */
export const ASIDE: readonly Verb[] = ["note", "tick", "untick", "escalate"];

export interface Offer {
  verb: Verb;
  department: string | null;
  /** Why it cannot be had now; null when it can. */
  why: string | null;
}

/** The sentence for a reason of the server's; one that this version does not know is shown as it is. */
export function reasonText(reason: string, verb: Verb, state: string, holder: string | null): string {
  const values = { state: word("state", state), verb: word("verb", verb), holder: holder === null ? t("task.none") : personName(holder) };
  return word("reason", reason, values);
}

function offer(one: May, state: IncidentState): Offer {
  const { verb, department, reason, holder } = one;
  return { verb, department, why: reason === null ? null : reasonText(reason, verb, state, holder) };
}

/** Buttons of the whole: those of the role, in order; what belongs to another time of its life is left out. */
export function offers(may: readonly May[], state: IncidentState): { first: Offer[]; more: Offer[] } {
  const of = (verbs: readonly Verb[]) =>
    verbs.flatMap((verb) => {
      const one = may.find((m) => m.verb === verb && m.department === null);
      return one === undefined ? [] : [offer(one, state)];
    });
  if (isOpen(state)) return { first: of(WORK), more: of(RARE) };
  return { first: of(AFTER).filter((o) => o.why === null || o.verb !== (state === "merged" ? "close" : "unmerge")), more: [] };
}

/** What can be done now for a department by name, for those who act for more than one. */
export function offersFor(may: readonly May[], department: string): Verb[] {
  return may.filter((m) => m.department === department && m.reason === null).map((m) => m.verb);
}

/** Whether the role acknowledges at all, before anything is read of the incident: who acknowledges a card acknowledges what is in it. */
export function mayAcknowledge(severity: Severity): boolean {
  const isSmall = severity === "P3" || severity === "P4";
  return mayCall("POST /api/v1/storms/{id}/acknowledge") && (isSmall || user.value?.role !== "property_manager");
}

/** Why a verb is not to be had: null when it is, or when nothing is known yet and the server is to say. */
export function whyNot(incident: Incident | null, verb: Verb, department: string | null = null): string | null {
  if (incident?.may === undefined) return null;
  const one = incident.may.find((m) => m.verb === verb && m.department === department);
  if (one === undefined) return t("notice.notYours", { verb: word("verb", verb) });
  return offer(one, incident.state).why;
}
