/** One table of keys. Nothing is bound with Ctrl, Alt or Meta, and nothing fires while somebody types. Everybody may change their own, or
 * switch single keys off (WCAG 2.1.4): `admin/KeyTable.vue`. */

import { computed, shallowRef } from "vue";
import type { Verb } from "./api/types";
import { read } from "./prefs";

/** What is asked of an incident by a key; ticking the procedure off is done in its list, and the key that merges undoes it too. */
export type Asked = Exclude<Verb, "tick" | "untick" | "unmerge"> | "shelve";
type Own =
  | "undo"
  | "down"
  | "up"
  | "silence"
  | "freeze"
  | "newest"
  | "search"
  | "severity1"
  | "severity2"
  | "severity3"
  | "severity4"
  | "map"
  | "theme"
  | "help";
/** What has a key that can be changed. */
export type Bound = Asked | Own;
export type Action = Bound | "open" | "escape";

export const VERBS: Readonly<Record<Asked, string>> = {
  acknowledge: "a",
  verify: "y",
  dispatch: "d",
  claim: "c",
  arrive: "v",
  progress: "p",
  resolve: "r",
  note: "n",
  escalate: "e",
  shelve: "s",
  dismiss: "i",
  hand_back: "h",
  assign: "l",
  merge: "w",
  force_close: "q",
  cancel: "o",
  close: "x",
  answer: "z",
  reopen: "b",
};

const OWN: Readonly<Record<Own, string>> = {
  undo: "u",
  down: "j",
  up: "k",
  silence: " ",
  freeze: "f",
  newest: "g",
  search: "/",
  severity1: "1",
  severity2: "2",
  severity3: "3",
  severity4: "4",
  map: "m",
  theme: "t",
  help: "?",
};

export type Table = Readonly<Record<Bound, string>>;
/** An action without a key has the empty string. */
export interface Keys {
  isOn: boolean;
  of: Table;
}

export const USUAL: Table = { ...VERBS, ...OWN };

/** These are no characters: they stay as they are, also when single keys are off. */
const FIXED: Readonly<Record<string, Action>> = { ArrowDown: "down", ArrowUp: "up", Enter: "open", Escape: "escape" };

function keptIn(text: string | null): { off?: unknown; of?: unknown } | null {
  try {
    return JSON.parse(text ?? "{}") as { off?: unknown; of?: unknown } | null;
  } catch {
    return null;
  }
}

/** What was kept for somebody. What this version does not know is passed over; where somebody's own key is the usual one of another, that one has none. */
export function parse(text: string | null): Keys {
  const kept = keptIn(text);
  const own: Partial<Record<string, string>> = {};
  const taken = new Set<string>();
  for (const [action, key] of Object.entries(kept?.of ?? {}) as [string, unknown][]) {
    if (!Object.hasOwn(USUAL, action) || typeof key !== "string" || !/^[ -@[-~]?$/.test(key)) continue;
    own[action] = taken.has(key) ? "" : key;
    if (key !== "") taken.add(key);
  }
  const of = Object.entries(USUAL).map(([action, key]) => [action, own[action] ?? (taken.has(key) ? "" : key)]);
  return { isOn: kept?.off !== true, of: Object.fromEntries(of) as Table };
}

export const keys = shallowRef<Keys>({ isOn: true, of: USUAL });
const byKey = computed(() => new Map(Object.entries(keys.value.of).flatMap(([action, key]) => (key === "" ? [] : [[key, action as Bound] as const]))));

/** In this browser, and for this account: several people take turns at one desk. */
export const placeOf = (login: string) => `keys.${login}`;

export function loadKeys(login: string | undefined): void {
  keys.value = parse(login === undefined ? null : read(placeOf(login)));
}

/** As it stands on the key. */
export const capOf = (key: string) => (key === " " ? "Space" : key.toUpperCase());

/** What to press, as it stands on the key; empty when there is nothing to press. */
export function keyOf(action: Bound | Verb): string {
  const { isOn, of } = keys.value;
  return isOn ? capOf(of[(action === "unmerge" ? "merge" : action) as Bound] ?? "") : "";
}

/** The key before or behind some words, where there is one. */
export const keyBefore = (action: Bound, text: string) => `${keyOf(action)} ${text}`.trim();
export const keyBehind = (action: Bound | Verb) => (keyOf(action) === "" ? "" : ` · ${keyOf(action)}`);

export function isAsked(action: Action): action is Asked {
  return action in VERBS;
}

export interface Press {
  key: string;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
  isComposing: boolean;
}

/** What has the focus, for `actionOf`: its tag name, or `checkbox` for one that stands for itself and not in a form. */
export function kindOf(target: Element | null): string {
  const isOwn = target instanceof HTMLInputElement && target.type === "checkbox" && target.form === null;
  return isOwn ? "checkbox" : (target?.tagName.toLowerCase() ?? "");
}

/** `target`: what has the focus, by `kindOf`. */
export function actionOf(press: Press, target: string): Action | null {
  if (press.ctrlKey || press.altKey || press.metaKey || press.isComposing) return null;
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  const action = FIXED[key] ?? (keys.value.isOn ? byKey.value.get(key) : undefined) ?? null;
  if (action === "escape") return action;
  if (target === "input" || target === "textarea" || target === "select") return null;
  if (["button", "a", "summary", "checkbox"].includes(target) && (key === "Enter" || key === " ")) return null;
  return action;
}
