/** The words of the report about alarms: they come with it. */
import { fill, language } from "../i18n";
import { en } from "./words/en";
import { zh } from "./words/zh";

export type ReportKey = keyof typeof zh;

export function r(key: ReportKey, values: Record<string, string | number> = {}): string {
  return fill((language.value === "en" ? en : zh)[key], values);
}

/** For words of the server: one this version does not know is shown as it is. */
export function figureName(name: string): string {
  const key = `figure.${name}`;
  return key in zh ? r(key as ReportKey) : name;
}
