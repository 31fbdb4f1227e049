/** What an event says, in one line. */
import { m, said } from "./words";

function valueOf(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return m(value ? "yes" : "no");
  if (typeof value === "object") return JSON.stringify(value);
  return said("value", String(value));
}

/** Name and value, as people read them. */
export function pairsOf(attrs: Record<string, unknown>): [string, string][] {
  return Object.entries(attrs).map(([name, value]) => [said("attr", name), valueOf(value)]);
}

export function lineOf(attrs: Record<string, unknown>): string {
  return pairsOf(attrs)
    .map(([name, value]) => `${name} ${value}`)
    .join(" · ");
}

/** One of them, or nothing. */
export function attrOf(attrs: Record<string, unknown>, name: string): string {
  return name in attrs ? valueOf(attrs[name]) : "";
}
