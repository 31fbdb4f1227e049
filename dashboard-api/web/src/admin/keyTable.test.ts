import { expect, test } from "vitest";
import { USUAL, parse } from "../keys";
import { choose, differing } from "./keyTable";

const press = (key: string, more = {}) => ({ key, ctrlKey: false, altKey: false, metaKey: false, isComposing: false, ...more });

test("a free character is taken, in small letters", () => {
  expect(choose(USUAL, "acknowledge", press("9"))).toBe("9");
  expect(choose({ ...USUAL, theme: "" }, "acknowledge", press("T"))).toBe("t");
  expect(choose({ ...USUAL, silence: "" }, "acknowledge", press(" "))).toBe(" ");
});

test("its own key is no conflict, another's is", () => {
  expect(choose(USUAL, "acknowledge", press("a"))).toBe("a");
  expect(choose(USUAL, "acknowledge", press("K"))).toEqual({ why: "taken", by: "up" });
});

test("nothing with Ctrl, Alt or Meta, no fixed key, nothing that an input method takes", () => {
  for (const held of ["ctrlKey", "altKey", "metaKey"]) expect(choose(USUAL, "acknowledge", press("9", { [held]: true }))).toEqual({ why: "held" });
  for (const key of ["Enter", "Tab", "Escape", "F5", "ArrowUp", "Backspace"]) expect(choose(USUAL, "acknowledge", press(key))).toEqual({ why: "named" });
  for (const key of ["Process", "Dead", "é", "确"]) expect(choose(USUAL, "acknowledge", press(key))).toEqual({ why: "typed" });
  expect(choose(USUAL, "acknowledge", press("9", { isComposing: true }))).toEqual({ why: "typed" });
});

test("whoever holds Shift or Ctrl has not chosen yet", () => {
  for (const key of ["Shift", "Control", "Alt", "Meta", "CapsLock"]) expect(choose(USUAL, "help", press(key, { ctrlKey: key === "Control" }))).toBeNull();
});

test("only what differs is kept, and comes back as it was", () => {
  expect(differing({ isOn: true, of: USUAL })).toEqual({});
  const own = { isOn: false, of: { ...USUAL, theme: "", acknowledge: "t" } };
  expect(differing(own)).toEqual({ off: true, of: { acknowledge: "t", theme: "" } });
  expect(parse(JSON.stringify(differing(own)))).toEqual(own);
});
