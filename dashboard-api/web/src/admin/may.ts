/** Which pages of the administration somebody is offered. The server decides; this only leaves out what it would refuse. */
import { mayCall } from "../session";

export const TABS = [{ name: "audit", path: "/admin/audit", route: "POST /api/v1/audit/verification" }] as const;

export const offered = () => TABS.filter((tab) => mayCall(tab.route));
