import { expect, test } from "vitest";
import { type Tab, Tabs } from "./tabs";

const tab = (isArmed = false): Tab => ({ isArmed, heardAt: 0, isBehind: false });

test("one tab sounds, and it stays the same one", () => {
  const tabs = new Tabs();
  const [a, b] = [tab(true), tab(true)];
  tabs.heard(a, 0);
  tabs.heard(b, 0);
  expect(tabs.sounds(0)).toBe(a);
  tabs.heard(b, 2900);
  tabs.heard(a, 3000);
  expect(tabs.sounds(3000)).toBe(a);
});

test("a tab that was closed, or answers no more, is followed by another", () => {
  const tabs = new Tabs();
  const [a, b, c] = [tab(true), tab(true), tab(true)];
  for (const one of [a, b, c]) tabs.heard(one, 0);
  tabs.sounds(0);
  tabs.left(a);
  expect(tabs.sounds(0)).toBe(b);
  tabs.heard(c, 4000);
  expect(tabs.sounds(4000)).toBe(c);
  expect(tabs.sounds(20_000)).toBe(null);
});

test("a tab that may make no sound gives way to one that may", () => {
  const tabs = new Tabs();
  const [mute, armed] = [tab(), tab()];
  tabs.heard(mute, 0);
  tabs.heard(armed, 0);
  expect(tabs.sounds(0)).toBe(mute);
  armed.isArmed = true;
  expect(tabs.sounds(0)).toBe(armed);
  mute.isArmed = true;
  expect(tabs.sounds(0)).toBe(armed);
});

test("a tab that sleeps hears of nothing until it wakes", () => {
  const tabs = new Tabs();
  const [a, b] = [tab(), tab()];
  tabs.heard(a, 0);
  tabs.heard(b, 0);
  tabs.heard(b, 60_001);
  expect(tabs.awake(60_001)).toEqual([b]);
  expect(a.isBehind).toBe(true);
  tabs.heard(a, 70_000);
  expect(tabs.awake(70_000)).toContain(a);
  tabs.awake(8_000_000);
  expect(tabs.size).toBe(0);
});
