/** What an event says, in one line. */
import { dateTimeOf } from "../format";
import { withMarks } from "./marks";
import { m, said } from "./words";

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function valueOf(value: unknown): string {
  if (value === null || value === undefined) return "–";
  if (typeof value === "boolean") return m(value ? "yes" : "no");
  if (typeof value === "object") return withMarks(JSON.stringify(value));
  const text = String(value);
  return INSTANT.test(text) ? dateTimeOf(text) : withMarks(said("value", text));
}

/** Name and value, as people read them. */
export function pairsOf(attrs: Record<string, unknown>): [string, string][] {
  return Object.entries(attrs).map(([name, value]) => [said("attr", name), valueOf(value)]);
}

/** Without the device's own time, which the event has. */
export function lineOf({ ts: _, ...attrs }: Record<string, unknown>): string {
  return pairsOf(attrs)
    .map(([name, value]) => `${name} ${value}`)
    .join(" · ");
}

/** One of them, or nothing. */
export function attrOf(attrs: Record<string, unknown>, name: string): string {
  return name in attrs ? valueOf(attrs[name]) : "";
}
