/** One table of keys. Nothing is bound with Ctrl, Alt or Meta, and nothing fires while somebody types. */

export type Action =
  | "down"
  | "up"
  | "open"
  | "escape"
  | "acknowledge"
  | "dispatch"
  | "claim"
  | "arrive"
  | "resolve"
  | "close"
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

export const KEYS: Readonly<Record<string, Action>> = {
  j: "down",
  ArrowDown: "down",
  k: "up",
  ArrowUp: "up",
  Enter: "open",
  Escape: "escape",
  a: "acknowledge",
  d: "dispatch",
  c: "claim",
  v: "arrive",
  r: "resolve",
  x: "close",
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

/** `target`: what has the focus, as its tag name in lower case. */
export function actionOf(press: Press, target: string): Action | null {
  if (press.ctrlKey || press.altKey || press.metaKey || press.isComposing) return null;
  const key = press.key.length === 1 ? press.key.toLowerCase() : press.key;
  const action = KEYS[key] ?? null;
  if (action === "escape") return action;
  if (target === "input" || target === "textarea" || target === "select") return null;
  if ((target === "button" || target === "a" || target === "summary") && (key === "Enter" || key === " ")) return null;
  return action;
}
