/** Changing one's own keys: what may be one, and where it is kept. */
import { type Bound, type Keys, type Press, type Table, USUAL, keys, placeOf } from "../keys";
import { forget, write } from "../prefs";

/** Why a press is no key for something: with Ctrl, Alt or Meta; a key that is fixed; no character of the keyboard; another's. */
export type Refused = { why: "held" | "named" | "typed" } | { why: "taken"; by: Bound };

/** Keys that only change what others mean: whoever presses one has not chosen yet. */
const WAITING = ["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock"];
/** What a key says whose letter goes to an input method, or waits for another. */
const ELSEWHERE = ["Process", "Dead", "Unidentified"];

/** The key that was chosen for an action, or why not; null while nothing was chosen. */
export function choose(of: Table, action: Bound, { key, ctrlKey, altKey, metaKey, isComposing }: Press): string | Refused | null {
  if (WAITING.includes(key)) return null;
  if (ctrlKey || altKey || metaKey) return { why: "held" };
  if (isComposing || ELSEWHERE.includes(key)) return { why: "typed" };
  if (key.length > 1) return { why: "named" };
  const chosen = key.toLowerCase();
  if (!/^[ -~]$/.test(chosen)) return { why: "typed" };
  const by = (Object.keys(of) as Bound[]).find((other) => of[other] === chosen && other !== action);
  return by === undefined ? chosen : { why: "taken", by };
}

/** What differs from the usual keys, as it is kept. */
export function differing({ isOn, of }: Keys): { off?: true; of?: Partial<Table> } {
  const own = (Object.keys(USUAL) as Bound[]).filter((action) => of[action] !== USUAL[action]).map((action) => [action, of[action]]);
  return { ...(isOn ? {} : { off: true as const }), ...(own.length === 0 ? {} : { of: Object.fromEntries(own) as Partial<Table> }) };
}

/** From now on, for this account in this browser. */
export function keep(login: string, next: Keys): void {
  keys.value = next;
  const kept = differing(next);
  if (Object.keys(kept).length === 0) forget(placeOf(login));
  else write(placeOf(login), JSON.stringify(kept));
}
