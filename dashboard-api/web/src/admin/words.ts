/** The words of the administration's pages: a table of their own, which nothing else loads. */
import { fill, language } from "../i18n";
import { en } from "./words/en";
import { zh } from "./words/zh";

export type AdminKey = keyof typeof zh;

export function a(key: AdminKey, values: Record<string, string | number> = {}): string {
  return fill((language.value === "en" ? en : zh)[key], values);
}

/** For words of the server: one this version does not know is shown as it is. */
export function named(group: string, value: string): string {
  const key = `${group}.${value}`;
  return key in zh ? a(key as AdminKey) : value;
}
