/** One table of keys. Nothing is bound with Ctrl, Alt or Meta, and nothing fires while somebody types. */

import type { Verb } from "./api/types";

/** What is asked of an incident by a key; ticking the procedure off is done in its list. */
export type Asked = Exclude<Verb, "tick" | "untick"> | "shelve";
export type Action =
  | "down"
  | "up"
  | "open"
  | "escape"
  | Asked
  | "silence"
  | "freeze"
  | "newest"
  | "search"
  | "map"
  | "theme"
  | "help"
  | "severity1"
  | "severity2"
  | "severity3"
  | "severity4";

/** The letter of each; merging and its undoing are never possible at the same time and share one. */
export const KEY_OF: Readonly<Record<string, string>> = {
  acknowledge: "A",
  verify: "Y",
  dispatch: "D",
  claim: "C",
  arrive: "V",
  progress: "P",
  resolve: "R",
  note: "N",
  escalate: "E",
  shelve: "S",
  dismiss: "I",
  hand_back: "H",
  assign: "L",
  merge: "U",
  unmerge: "U",
  force_close: "Q",
  cancel: "O",
  close: "X",
  answer: "Z",
  reopen: "B",
} satisfies Record<Asked, string>;

const ASKED = Object.fromEntries(
  Object.entries(KEY_OF)
    .filter(([action]) => action !== "unmerge")
    .map(([action, key]) => [key.toLowerCase(), action as Asked]),
);

export function isAsked(action: Action): action is Asked {
  return action in KEY_OF;
}

export const KEYS: Readonly<Record<string, Action>> = {
  ...ASKED,
  j: "down",
  ArrowDown: "down",
  k: "up",
  ArrowUp: "up",
  Enter: "open",
  Escape: "escape",
  " ": "silence",
  f: "freeze",
  g: "newest",
  "/": "search",
  m: "map",
  t: "theme",
  "?": "help",
  "1": "severity1",
  "2": "severity2",
  "3": "severity3",
  "4": "severity4",
};

interface Press {
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
  const action = KEYS[key] ?? null;
  if (action === "escape") return action;
  if (target === "input" || target === "textarea" || target === "select") return null;
  if (["button", "a", "summary", "checkbox"].includes(target) && (key === "Enter" || key === " ")) return null;
  return action;
}
