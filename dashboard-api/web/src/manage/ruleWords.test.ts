/** The hub's own tests say what it says of a rule's text: each of it has Chinese words. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { language } from "../i18n";
import { ruleWords } from "./ruleWords";

const said = readFileSync(fileURLToPath(new URL("../../../../domain/src/rule/parse/tests.rs", import.meta.url)), "utf8");
const lines = [...said.matchAll(/t\.toml:\d+: (?:rule \S+: )?(?:field `[^`]*`: )?(.*?)(?: \(hint: (.*?)\))?(?:\\n\\|",?|\\n)$/gm)];

afterEach(() => (language.value = "zh-CN"));

test("what is wrong with a rule is said in Chinese, and what to write instead", () => {
  expect(lines.length).toBeGreaterThan(40);
  const unescaped = (text: string | undefined) => (text ?? "").replaceAll('\\"', '"');
  const texts = lines.flatMap(([, what, hint]) => [unescaped(what), unescaped(hint)]).filter((text) => text !== "");
  expect(texts.filter((text) => ruleWords(text) === null)).toEqual([]);
});

test("names and examples stay as they are written", () => {
  expect(ruleWords("unknown kind `fire.smok`")).toBe("未知的事件类型 `fire.smok`");
  expect(ruleWords("did you mean `fire.smoke`?")).toBe("是否想写 `fire.smoke`？");
  expect(ruleWords("`1` is not true or false")).toBe("`1` 不是 true 或 false");
  expect(ruleWords("is not an expression, at its line 2, column 14: mismatched input")).toBe("不是表达式，第 2 行第 14 列：mismatched input");
  expect(ruleWords("it needs `watch_list = true` in `[rule.when]`")).toBe("需要在 `[rule.when]` 中写 `watch_list = true`");
});

test("what nobody has words for, and whoever reads English, get it as it is", () => {
  expect(ruleWords("invalid string, expected `\"`")).toBeNull();
  expect(ruleWords("unknown planet `mars`")).toBeNull();
  language.value = "en";
  expect(ruleWords("is missing")).toBeNull();
});
