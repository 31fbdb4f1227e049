/** The page's words, and times as people read them. */
import { language, phoneWords } from "../phone/look";
import { en } from "./words/en";
import { zh } from "./words/zh";

export { language, pick, showTheme, switchTheme, theme, title } from "../phone/look";
export type MessageKey = keyof typeof zh;

const MANIFEST = { "zh-CN": "/report.zh.webmanifest", en: "/report.en.webmanifest" };
export const { t, word, setLanguage, switchLanguage } = phoneWords<MessageKey>({ "zh-CN": zh, en }, "app.title", MANIFEST);

export function timeOf(at: string | number): string {
  const shape = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
  return new Intl.DateTimeFormat(language.value, shape).format(new Date(at));
}
