/** Names from the registry, as the page shows them. */
import type { IncidentItem } from "../api/types";
import { pick, title } from "../phone/look";
import { storeyOf } from "../storey";
import { names } from "./live";
import { t } from "./prefs";

export function whatOf({ rule }: IncidentItem): string {
  const known = names.value?.rules.find(({ id }) => id === rule);
  return known === undefined ? rule : title(known);
}

export function sopOf({ rule }: IncidentItem): string[] {
  const known = names.value?.rules.find(({ id }) => id === rule);
  if (known === undefined) return [];
  return pick("zh", "en") === "en" && known.sop_en.length > 0 ? known.sop_en : known.sop_zh;
}

/** Quarter, building, floor, zone. */
export function whereOf({ site, building_name, floor, zone_name }: IncidentItem): string {
  const known = names.value?.sites.find(({ id }) => id === site);
  const said = storeyOf(floor, zone_name);
  const storey = said.floor === "" ? "" : t("card.floor", { floor: said.floor });
  return [known ? pick(known.name, known.name_en) : site, building_name, storey, said.zone].filter(Boolean).join(" ");
}

export function deviceOf({ device_name, device, subject }: IncidentItem): string {
  return device_name ?? device ?? subject;
}

export function departmentName(id: string): string {
  const known = names.value?.departments.find((department) => department.id === id);
  return known === undefined ? id : pick(known.name, known.name_en);
}

export function personName(login: string): string {
  return names.value?.staff.find((known) => known.login === login)?.name ?? login;
}

export function actorName(actor: string): string {
  if (actor === "clock") return t("actor.clock");
  if (actor.startsWith("report:")) return t("actor.reporter");
  return actor.startsWith("rule:") ? `${t("actor.system")} (${actor.slice(5)})` : personName(actor);
}
