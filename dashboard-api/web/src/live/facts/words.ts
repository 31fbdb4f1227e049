/** The words of what findings say: a table of their own, which comes with the drawer and not with the board. */
import { language } from "../../i18n";
import { en } from "./en";
import { zh } from "./zh";

/** One that this version does not know is shown as it is. */
export function said(group: string, value: string): string {
  const key = `${group}.${value}`;
  return key in zh ? (language.value === "en" ? en : zh)[key as keyof typeof zh] : value;
}
