/** No message is kept that nothing shows. A key stands in the source as it is, or begins with a group that is completed there: `word("state", …)`. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const src = fileURLToPath(new URL(".", import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((name) => /\.(ts|vue)$/.test(name) && !name.endsWith(".test.ts"));
const tables = files.filter((name) => /(^|\/)zh\.ts$/.test(name));
const source = files.filter((name) => !/(^|\/)(zh|en)\.ts$/.test(name)).map((name) => readFileSync(src + name, "utf8")).join("\n");

const literals = new Set([...source.matchAll(/["'`]([\w.-]+)["'`]/g)].map((found) => found[1]));
const groups = new Set(
  [...source.matchAll(/(?:word|said|named)\(\s*["']([\w.]+)["']/g), ...source.matchAll(/[`"']([\w.]+?)[._]?\$\{/g)].map((found) => found[1]!),
);

for (const table of tables) {
  test(`every message of ${table} is shown somewhere`, () => {
    const keys = [...readFileSync(src + table, "utf8").matchAll(/^ {2}"?([\w.-]+)"?:/gm)].map((found) => found[1]!);
    const isUsed = (key: string) => literals.has(key) || [...groups].some((group) => key.startsWith(`${group}.`) || key.startsWith(`${group}_`));
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key) => !isUsed(key))).toEqual([]);
  });
}
