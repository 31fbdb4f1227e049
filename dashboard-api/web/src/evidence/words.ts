/** The words of what shows how an incident was: they come with the panel. */
import { fill, language } from "../i18n";
import { en } from "./words/en";
import { zh } from "./words/zh";

export function e(key: keyof typeof zh, values: Record<string, string | number> = {}): string {
  return fill((language.value === "en" ? en : zh)[key], values);
}
