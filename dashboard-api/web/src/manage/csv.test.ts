import { expect, test } from "vitest";
import { csv } from "./csv";

const one = (text: string) => csv(["a"], [[text]]).slice("\u{feff}a\r\n".length, -2);

test("a file begins with a byte order mark and ends each line for Windows", () => {
  expect(csv(["时间", "设备"], [["20:58", "烟感-215"]])).toBe("\u{feff}时间,设备\r\n20:58,烟感-215\r\n");
});

test("a cell that a spreadsheet would compute is text", () => {
  for (const text of ["=1+1", "+1", "-69", "@SUM(A1)", "\tx", "\rx", "\nx", " =1+1", "＝1+1"]) expect(one(text).replace(/^"|"$/g, "")).toBe(`'${text}`);
  expect(one("=HYPERLINK(\"http://x\",\"y\")")).toBe(`"'=HYPERLINK(""http://x"",""y"")"`);
});

test("a cell that is none stays as it is", () => {
  for (const text of ["", "浙G32***", "a=1", "1-2", "x@y", "–"]) expect(one(text)).toBe(text);
});

test("commas, quotes and line ends stay inside their cell", () => {
  expect(one("a,b")).toBe('"a,b"');
  expect(one('say "no"')).toBe('"say ""no"""');
  expect(one("a\nb")).toBe('"a\nb"');
});
