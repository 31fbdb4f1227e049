/** Language and theme: the phone's, until somebody chooses otherwise on the page. */
import { ref } from "vue";
import { read, write } from "../prefs";
import { en } from "./words/en";
import { zh } from "./words/zh";

export type Language = "zh-CN" | "en";
export type MessageKey = keyof typeof zh;

const MANIFEST: Record<Language, string> = { "zh-CN": "/report.zh.webmanifest", en: "/report.en.webmanifest" };
const messages: Record<Language, Record<MessageKey, string>> = { "zh-CN": zh, en };

function firstLanguage(): Language {
  const chosen = read("report.language");
  if (chosen === "en" || chosen === "zh-CN") return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

export const language = ref<Language>(firstLanguage());

export function setLanguage(to: Language): void {
  language.value = to;
  document.documentElement.lang = to;
  document.title = t("app.title");
  document.querySelector("link[rel=manifest]")?.setAttribute("href", MANIFEST[to]);
}

export function switchLanguage(): void {
  setLanguage(language.value === "en" ? "zh-CN" : "en");
  write("report.language", language.value);
}

export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return messages[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** For words of the server: one that this version does not know is shown as it is. */
export function word(group: string, value: string): string {
  const key = `${group}.${value}`;
  return key in zh ? t(key as MessageKey) : value;
}

export function pick(chinese: string, english: string): string {
  return language.value === "en" ? english || chinese : chinese;
}

/** Rules have their English titles in lower case, for the middle of a sentence. */
export function title(kind: { title_zh: string; title_en: string }): string {
  const text = pick(kind.title_zh, kind.title_en);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

export function timeOf(at: string | number): string {
  const shape = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  return new Intl.DateTimeFormat(language.value, shape).format(new Date(at));
}

type Theme = "dark" | "light";

const wantsLight = matchMedia("(prefers-color-scheme: light)");
const chosenTheme = ref(read("report.theme"));
const systemTheme = ref<Theme>(wantsLight.matches ? "light" : "dark");
wantsLight.addEventListener("change", () => {
  systemTheme.value = wantsLight.matches ? "light" : "dark";
  showTheme();
});

export function theme(): Theme {
  const chosen = chosenTheme.value;
  return chosen === "dark" || chosen === "light" ? chosen : systemTheme.value;
}

export function showTheme(): void {
  document.documentElement.dataset["theme"] = theme();
}

export function switchTheme(): void {
  chosenTheme.value = theme() === "dark" ? "light" : "dark";
  write("report.theme", chosenTheme.value);
  showTheme();
}
