/** The words of logging in at an identity provider: a table of their own, which the board does not load. */
import { fill, language } from "../i18n";
import { en } from "./words/en";
import { zh } from "./words/zh";

export type EntryKey = keyof typeof zh;

export function e(key: EntryKey): string {
  return fill((language.value === "en" ? en : zh)[key], {});
}

/** Why nobody was logged in: what this version does not know is told as what could not be verified. */
export function said(why: string): string {
  const key = `said.${why}`;
  return e(key in zh ? (key as EntryKey) : "said.invalid");
}
