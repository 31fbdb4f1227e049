import { expect, test } from "vitest";
import { KEYS, KEY_OF, actionOf } from "./keys";

const press = (key: string, more = {}) => ({ key, ctrlKey: false, altKey: false, metaKey: false, isComposing: false, ...more });

test("keys of the board, in small and capital letters", () => {
  expect(actionOf(press("a"), "body")).toBe("acknowledge");
  expect(actionOf(press("A"), "body")).toBe("acknowledge");
  expect(actionOf(press("ArrowDown"), "div")).toBe("down");
  expect(actionOf(press(" "), "body")).toBe("silence");
  expect(actionOf(press("?"), "body")).toBe("help");
  expect(actionOf(press("w"), "body")).toBeNull();
});

test("nothing fires while somebody types, but Esc leaves the field", () => {
  expect(actionOf(press("a"), "input")).toBeNull();
  expect(actionOf(press("Escape"), "input")).toBe("escape");
  expect(actionOf(press("a", { isComposing: true }), "body")).toBeNull();
});

test("a focused button keeps Enter and Space to itself", () => {
  expect(actionOf(press("Enter"), "button")).toBeNull();
  expect(actionOf(press(" "), "button")).toBeNull();
  expect(actionOf(press("c"), "button")).toBe("claim");
  expect(actionOf(press(" "), "checkbox")).toBeNull();
  expect(actionOf(press("c"), "checkbox")).toBe("claim");
});

test("nothing is bound with Ctrl, Alt or Meta", () => {
  for (const held of ["ctrlKey", "altKey", "metaKey"]) expect(actionOf(press("a", { [held]: true }), "body")).toBeNull();
});

test("every verb has a letter of its own, but merging and its undoing share one", () => {
  for (const [verb, key] of Object.entries(KEY_OF)) expect(KEYS[key.toLowerCase()]).toBe(verb === "unmerge" ? "merge" : verb);
  expect(Object.keys(KEYS).filter((key) => /^[a-z]$/.test(key))).toHaveLength(25);
});
