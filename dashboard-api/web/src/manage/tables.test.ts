import { expect, test } from "vitest";
import { decoded } from "./tables";

test("a table is read in the encodings of spreadsheets", () => {
  const gb = new Uint8Array([0xbd, 0xad, 0xb6, 0xab, 0xd4, 0xb7]);
  expect(decoded(gb.buffer)).toBe("江东苑");
  expect(decoded(new TextEncoder().encode("\ufeff江东苑").buffer as ArrayBuffer)).toBe("江东苑");
});
