import { expect, test } from "vitest";
import { facts } from "./facts";

test("keys and values are in words, a reading has its unit", () => {
  expect(facts({ level: "9", unit: "dB/m", kind: "fire.smoke", held_s: "75", confidence: "0.93", late: "true", count: "4" })).toEqual([
    { name: "读数", text: "9 dB/m" },
    { name: "事件类型", text: "烟雾" },
    { name: "已持续", text: "1分15" },
    { name: "置信度", text: "93 %" },
    { name: "迟到补报", text: "是" },
    { name: "次数", text: "4" },
  ]);
});

test("what is not known is shown as it is", () => {
  expect(facts({ moon_phase: "full", reason: "odd_one", held_s: "long" })).toEqual([
    { name: "moon_phase", text: "full" },
    { name: "原因", text: "odd_one" },
    { name: "已持续", text: "long" },
  ]);
});
