/** Which pages of the administration somebody is offered. The server decides; this only leaves out what it would refuse. */
import type { User } from "../api/types";
import { mayCall } from "../session";

export const ROLES: readonly User["role"][] = ["operator", "responder", "station_lead", "property_manager", "grid_captain", "auditor", "administrator"];

export const TABS = [
  { name: "users", path: "/admin/users", route: "POST /api/v1/users" },
  { name: "tokens", path: "/admin/tokens", route: "POST /api/v1/tokens" },
  { name: "audit", path: "/admin/audit", route: "POST /api/v1/audit/verification" },
  { name: "system", path: "/admin/system", route: "POST /api/v1/audit/verification" },
] as const;

export const offered = () => TABS.filter((tab) => mayCall(tab.route));
