/** The words of charts: they come with a chart. */
import { fill, language } from "../i18n";
import { en } from "./words/en";
import { zh } from "./words/zh";

export function c(key: keyof typeof zh, values: Record<string, string | number> = {}): string {
  return fill((language.value === "en" ? en : zh)[key], values);
}
