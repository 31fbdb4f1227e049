/** Who is offered what on the managers' pages. The server decides; this only leaves out what it would refuse to a role. */
import type { Alarm, User } from "../api/types";

type Role = User["role"];
const KEEPERS: readonly Role[] = ["operator", "station_lead", "property_manager", "auditor", "administrator"];

/** A grid captain sees the own micro-grid's. */
export const seesHistory = (role: Role): boolean => role === "responder" || role === "grid_captain" || KEEPERS.includes(role);
/** Whoever answers at the gate, and the police. */
export const searchesPeople = ({ role, department }: Pick<User, "role" | "department">): boolean =>
  role === "operator" || role === "station_lead" || role === "property_manager" || (role === "responder" && department === "police");
export const plansMaintenance = (role: Role): boolean => role === "station_lead" || role === "property_manager" || role === "administrator";

/** A P1 is never shelved, and what is over needs no shelf. */
export function mayShelve(role: Role, alarm: Alarm): boolean {
  const isOpen = alarm.state !== "normal";
  return (role === "station_lead" || role === "administrator") && isOpen && alarm.severity !== "P1" && alarm.shelved === null;
}

export function mayUnshelve(role: Role, alarm: Alarm): boolean {
  return (role === "station_lead" || role === "administrator") && alarm.shelved !== null && alarm.state !== "normal";
}

/** What an incident shows is acknowledged there. */
export function mayAcknowledge(role: Role, alarm: Alarm): boolean {
  const waits = alarm.state === "active_unacked" || alarm.state === "returned_unacked";
  if (!waits || alarm.incident !== null) return false;
  if (role === "property_manager") return alarm.severity === "P3" || alarm.severity === "P4";
  return role === "operator" || role === "station_lead" || role === "administrator";
}
