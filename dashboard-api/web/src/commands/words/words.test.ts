import { expect, test } from "vitest";
import { en } from "./en";
import { zh } from "./zh";

test("both languages have the same keys and the same placeholders", () => {
  expect(Object.keys(en).sort()).toEqual(Object.keys(zh).sort());
  const names = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
  for (const [key, text] of Object.entries(zh)) expect([key, names(en[key as keyof typeof zh])]).toEqual([key, names(text)]);
});

test("no message is empty", () => {
  for (const text of [...Object.values(zh), ...Object.values(en)]) expect(text.trim()).not.toBe("");
});
