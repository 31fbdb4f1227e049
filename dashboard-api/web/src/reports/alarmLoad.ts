/** Figures of the alarm system as people read them, and how they stand beside what is asked. */
import type { components } from "../api/schema";

export type Figure = components["schemas"]["KpiFigure"];
export type Verdict = "good" | "fair" | "over" | "none";

/** Thousandths have their unit in their name. */
export function shown(figure: string, value: number | null): string {
  if (value === null) return "–";
  if (figure.endsWith("_permille")) return `${(value / 10).toFixed(1)} %`;
  if (figure.endsWith("_milli")) return (value / 1000).toFixed(value >= 100_000 ? 0 : 2);
  return String(value);
}

/** A share that should be about so much is not judged: there is no most. */
export function verdictOf({ value, good, at_most }: Pick<Figure, "value" | "good" | "at_most">): Verdict {
  if (value === null || at_most === null) return "none";
  if (value > at_most) return "over";
  return good === null || value <= good ? "good" : "fair";
}

/** Heights of columns from 0 to 1, and of a line across them: the line never leaves the picture. */
export function columnsOf(values: readonly number[], line: number | null): { heights: number[]; line: number | null } {
  const most = Math.max(1, line ?? 0, ...values);
  return { heights: values.map((value) => value / most), line: line === null ? null : line / most };
}
