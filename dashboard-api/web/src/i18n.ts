/** Two languages, typed keys, `{name}` placeholders. Nothing is compiled at run time. */
import { ref } from "vue";
import { en } from "./locales/en";
import { zh } from "./locales/zh";
import { read, write } from "./prefs";

export type MessageKey = keyof typeof zh;
export type Language = "zh-CN" | "en";

const messages: Record<Language, Record<MessageKey, string>> = { "zh-CN": zh, en };

export const language = ref<Language>(read("language") === "en" ? "en" : "zh-CN");

export function setLanguage(to: Language): void {
  language.value = to;
  write("language", to);
  document.documentElement.lang = to;
  document.title = t("app.title");
}

/** Puts values into their `{name}` places. */
export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return fill(messages[language.value][key], values);
}

/** For words of the server: one this version does not know is shown as it is. */
export function word(group: string, value: string, values: Record<string, string | number> = {}): string {
  const key = `${group}.${value}`;
  return key in zh ? t(key as MessageKey, values) : value;
}

/** The Chinese or the English one of a pair. */
export function pick(chinese: string, english: string): string {
  return language.value === "en" ? english || chinese : chinese;
}
