import { afterEach, expect, test } from "vitest";
import { USUAL, actionOf, keyBefore, keyBehind, keyOf, keys, parse } from "./keys";

const press = (key: string, more = {}) => ({ key, ctrlKey: false, altKey: false, metaKey: false, isComposing: false, ...more });
const keep = (kept: unknown) => (keys.value = parse(JSON.stringify(kept)));

afterEach(() => keep({}));

test("keys of the board, in small and capital letters", () => {
  expect(actionOf(press("a"), "body")).toBe("acknowledge");
  expect(actionOf(press("A"), "body")).toBe("acknowledge");
  expect(actionOf(press("ArrowDown"), "div")).toBe("down");
  expect(actionOf(press(" "), "body")).toBe("silence");
  expect(actionOf(press("?"), "body")).toBe("help");
  expect(actionOf(press("9"), "body")).toBeNull();
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

test("no two actions share a key: taking back and merging have one each", () => {
  const all = Object.values(USUAL);
  expect(new Set(all).size).toBe(all.length);
  expect(actionOf(press("u"), "body")).toBe("undo");
  expect(actionOf(press("w"), "body")).toBe("merge");
  expect([keyOf("merge"), keyOf("unmerge"), keyOf("undo"), keyOf("silence")]).toEqual(["W", "W", "U", "Space"]);
});

test("a changed key does what it was changed to, and its old one nothing", () => {
  keep({ of: { acknowledge: "9" } });
  expect(actionOf(press("9"), "body")).toBe("acknowledge");
  expect(actionOf(press("a"), "body")).toBeNull();
  expect(keyOf("acknowledge")).toBe("9");
});

test("switched off, single keys do nothing and are not shown; Enter, Escape and the arrows stay", () => {
  keep({ off: true });
  for (const key of Object.values(USUAL)) expect(actionOf(press(key), "body")).toBeNull();
  expect(["Enter", "Escape", "ArrowDown", "ArrowUp"].map((key) => actionOf(press(key), "body"))).toEqual(["open", "escape", "down", "up"]);
  expect([keyOf("acknowledge"), keyBefore("search", "Find"), keyBehind("undo")]).toEqual(["", "Find", ""]);
});

test("an action can do without a key, and nothing is done by no key", () => {
  keep({ of: { theme: "" } });
  expect(actionOf(press("t"), "body")).toBeNull();
  expect(actionOf(press(""), "body")).toBeNull();
  expect([keyOf("theme"), keyBefore("search", "Find"), keyBehind("undo")]).toEqual(["", "/ Find", " · U"]);
});

test("somebody's own key wins over the usual one of another action, and the first of two", () => {
  const { of } = keep({ of: { acknowledge: "t", note: "9", claim: "9" } });
  expect([of.acknowledge, of.theme, of.note, of.claim]).toEqual(["t", "", "9", ""]);
});

test("what was kept badly is as usual", () => {
  for (const text of [null, "", "no json", "null", "7", "[]", '{"of":7}', '{"of":null}']) expect(parse(text)).toEqual({ isOn: true, of: USUAL });
  expect(parse('{"of":{"fly":"9","toString":"8","acknowledge":7,"note":"ab","claim":"é","verify":"Y","close":"\\t"}}').of).toEqual(USUAL);
});
