import { expect, test } from "vitest";
import { byteLength, hex, text } from "./raw";

test("text is shown as text, other bytes are none", () => {
  expect(text(btoa('{"id":1}\n'))).toBe('{"id":1}\n');
  for (const bytes of ["\x00\xffA", "a\x01", "\xe7\x83"]) expect(text(btoa(bytes))).toBeNull();
});

test("every byte stands in the dump, sixteen in a line", () => {
  expect(hex(btoa("\x00\xffA"))).toMatch(/^0000 {2}00 ff 41 +\.\.A$/);
  expect(hex(btoa("0123456789abcdefX")).split("\n")).toEqual([
    "0000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  0123456789abcdef",
    expect.stringMatching(/^0010 {2}58 +X$/),
  ]);
});

test("the length of what a base64 text holds", () => {
  for (const content of ["", "a", "ab", "abc", "abcd"]) expect(byteLength(btoa(content))).toBe(content.length);
});
