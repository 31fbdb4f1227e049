/** The page's words, and times as people read them: in the community's time zone. */
import { phoneWords } from "../phone/look";
import { names } from "./live";
import { en } from "./words/en";
import { zh } from "./words/zh";

export type MessageKey = keyof typeof zh;

const MANIFEST = { "zh-CN": "/work.zh.webmanifest", en: "/work.en.webmanifest" };
export const { t, word, setLanguage, switchLanguage } = phoneWords<MessageKey>({ "zh-CN": zh, en }, "app.title", MANIFEST);

export function timeOf(at: string | number): string {
  const shape = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  const zone = names.value === null ? {} : { timeZone: names.value.time_zone };
  return new Intl.DateTimeFormat("zh-CN", { ...shape, ...zone }).format(new Date(at));
}

export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const pad = (n: number) => String(n).padStart(2, "0");
  if (seconds < 60) return t("unit.s", { s: seconds });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t("unit.ms", { m: minutes, s: pad(seconds % 60) });
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return t("unit.hm", { h: hours, m: pad(minutes % 60) });
  return t("unit.dh", { d: Math.floor(hours / 24), h: hours % 24 });
}
