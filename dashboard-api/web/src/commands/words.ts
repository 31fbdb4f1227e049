/** The words of commands to devices and of fire mode: a table of their own, which the board does not load. */
import { fill, language } from "../i18n";
import { en } from "./words/en";
import { zh } from "./words/zh";

export type WordKey = keyof typeof zh;

export function c(key: WordKey, values: Record<string, string | number> = {}): string {
  return fill((language.value === "en" ? en : zh)[key], values);
}

export const isKey = (key: string): key is WordKey => key in zh;

/** For words of the server: one this version does not know is shown as it is. */
export function said(group: string, value: string): string {
  const key = `${group}.${value}`;
  return isKey(key) ? c(key) : value;
}
