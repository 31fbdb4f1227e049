import { expect, test } from "vitest";
import { withMarks } from "./marks";

test("marks that turn or hide are shown by their number, and nothing else changes", () => {
  expect(withMarks("\u202e浙B12345\u202c")).toBe("⟨U+202E⟩浙B12345⟨U+202C⟩");
  expect(withMarks("浙\u200bA")).toBe("浙⟨U+200B⟩A");
  expect(withMarks("浙A·12345 <b>é́</b>")).toBe("浙A·12345 <b>é́</b>");
});
