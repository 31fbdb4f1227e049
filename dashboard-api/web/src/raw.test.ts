import { expect, test } from "vitest";
import { byteLength, readable } from "./raw";

test("text is shown as text, other bytes as a dump", () => {
  expect(readable(btoa('{"id":1}'))).toBe('{"id":1}');
  expect(readable(btoa("\x00\xffA"))).toMatch(/^0000 {2}00 ff 41 +\.\.A$/);
});

test("the length of what a base64 text holds", () => {
  for (const text of ["", "a", "ab", "abc", "abcd"]) expect(byteLength(btoa(text))).toBe(text.length);
});
