/** Names from the registry, and who rings: derived once for all screens. */
import { computed, watch } from "vue";
import type { IncidentItem } from "./api/types";
import { rows } from "./live/board";
import { connection, meta, now } from "./live/feed";
import { isUnacknowledged } from "./live/order";
import { language, pick, t, word } from "./i18n";
import { type Ringing, chimeBack, isSilenced, ring } from "./sound";

const LOUD_MS = 60_000;

export const ruleById = computed(() => new Map((meta.value?.rules ?? []).map((rule) => [rule.id, rule])));
export const departmentById = computed(() => new Map((meta.value?.departments ?? []).map((d) => [d.id, d])));
export const siteById = computed(() => new Map((meta.value?.sites ?? []).map((site) => [site.id, site])));

export function ruleTitle(id: string): string {
  const rule = ruleById.value.get(id);
  return rule === undefined ? id : pick(rule.title_zh, rule.title_en);
}

export function siteName(id: string): string {
  const site = siteById.value.get(id);
  return site === undefined ? id : pick(site.name, site.name_en);
}

export function departmentName(id: string): string {
  const department = departmentById.value.get(id);
  return department === undefined ? id : pick(department.name, department.name_en);
}

const staff = computed(() => new Map(meta.value?.staff?.map(({ login, name }) => [login, name])));

/** Who a log-in stands for; one that the registry does not know stands for itself. */
export function personName(login: string): string {
  return staff.value.get(login) ?? login;
}

/** One character, or two letters in English. */
export function departmentChip(id: string): string {
  const department = departmentById.value.get(id);
  if (department === undefined) return id.slice(0, 2);
  return language.value === "en" ? department.name_en.slice(0, 2) : department.chip;
}

const unacknowledged = computed(() => rows.value.filter((row) => isUnacknowledged(row) && (row.severity === "P1" || row.severity === "P2")));

export const ringing = computed<Ringing>(() => {
  if (unacknowledged.value.some((row) => row.severity === "P1")) return "P1";
  return unacknowledged.value.length > 0 ? "P2" : null;
});

// silence lasts until the next P1 or P2
let known = new Set<string>();
watch(unacknowledged, (urgent) => {
  if (urgent.some((row) => !known.has(row.id))) isSilenced.value = false;
  known = new Set(urgent.map((row) => row.id));
});

watch(connection, (is, was) => {
  if (is === "live" && was === "stale") chimeBack();
  // the loss of the alarm system is itself an alarm
  if (is === "stale") isSilenced.value = false;
});

export function ringNow(): void {
  const oldest = unacknowledged.value.reduce((least, row) => (row.severity === "P1" ? Math.min(least, Date.parse(row.opened_at)) : least), Infinity);
  ring(ringing.value, now.value - oldest > LOUD_MS, connection.value === "stale");
}

/** How the work stands, in a few words. */
export function stateOf(item: IncidentItem): string {
  const { state, condition, holder, acknowledged_by } = item;
  const isWaiting = isUnacknowledged(item);
  if (isWaiting && state === "dispatched" && holder === null) return t("state.dispatchedOpen");
  if (isWaiting && state === "open" && condition === "normal") return t("state.clearedOpen");
  if (state === "dispatched" && holder !== null) return `${t("state.inProgress")} · ${personName(holder)}`;
  if (state === "acknowledged" && acknowledged_by !== null) return `${t("state.acknowledged")} · ${personName(acknowledged_by)}`;
  return word("state", state);
}
