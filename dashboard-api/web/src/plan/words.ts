/** The words of plans: they come with a plan. */
import { fill, language } from "../i18n";
import { en } from "./words/en";
import { zh } from "./words/zh";

export function p(key: keyof typeof zh, values: Record<string, string | number> = {}): string {
  return fill((language.value === "en" ? en : zh)[key], values);
}
