/** Language and theme of the phone pages: the phone's, until somebody chooses otherwise on one of them. */
import { ref } from "vue";
import { read, write } from "../prefs";

export type Language = "zh-CN" | "en";

function firstLanguage(): Language {
  const chosen = read("report.language");
  if (chosen === "en" || chosen === "zh-CN") return chosen;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

export const language = ref<Language>(firstLanguage());

/** The page's own words, with `{name}` placeholders; it is called `title` and has a manifest in each language. */
export function phoneWords<Key extends string>(messages: Record<Language, Record<Key, string>>, title: Key, manifest: Record<Language, string>) {
  function t(key: Key, values: Record<string, string | number> = {}): string {
    return messages[language.value][key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  }
  /** For words of the server: one that this version does not know is shown as it is. */
  function word(group: string, value: string): string {
    const key = `${group}.${value}`;
    return key in messages["zh-CN"] ? t(key as Key) : value;
  }
  function setLanguage(to: Language): void {
    language.value = to;
    document.documentElement.lang = to;
    document.title = t(title);
    document.querySelector("link[rel=manifest]")?.setAttribute("href", manifest[to]);
  }
  function switchLanguage(): void {
    setLanguage(language.value === "en" ? "zh-CN" : "en");
    write("report.language", language.value);
  }
  return { t, word, setLanguage, switchLanguage };
}

export function pick(chinese: string, english: string): string {
  return language.value === "en" ? english || chinese : chinese;
}

/** Rules have their English titles in lower case, for the middle of a sentence. */
export function title(kind: { title_zh: string; title_en: string }): string {
  const text = pick(kind.title_zh, kind.title_en);
  return text.charAt(0).toUpperCase() + text.slice(1);
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
