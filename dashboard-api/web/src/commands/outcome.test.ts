import { expect, test } from "vitest";
import type { DeviceCommand } from "../api/types";
import { charsOf, markOf, outcomeOf, secondsLeft } from "./outcome";

const OVER = ["done", "no_effect", "failed", "rejected", "expired", "unknown", "withdrawn"];
const command = (stage: DeviceCommand["stage"], detail: string | null = null, more: Partial<DeviceCommand> = {}) =>
  ({ command: "unlock", stage, detail, effect_seen: false, is_over: OVER.includes(stage), expires_at: "2026-11-27T08:00:10Z", ...more }) as DeviceCommand;

test.each<[DeviceCommand, string, string]>([
  [command("expired", "not_connected"), "not", "已过期，未执行（设备不在线）"],
  [command("expired", "not_confirmed"), "not", "已过期，未执行（无人确认）"],
  [command("unknown", "no_answer"), "unknown", "结果未知：可能已执行，请现场确认（设备没有答复）"],
  [command("unknown", "timeout"), "unknown", "结果未知：可能已执行，请现场确认（设备超时）"],
  [command("rejected", "jammed"), "shut", "被拒绝，未执行（设备答复：jammed）"],
  [command("rejected", "http_500"), "shut", "被拒绝，未执行（设备答复 HTTP 500）"],
  [command("no_effect", "state_unchanged"), "shut", "无效果：设备答复已执行，状态却没有变化，请现场查看"],
  [command("withdrawn", "fire_mode"), "not", "已撤回，未发出（由消防联动取代）"],
  [command("done", null, { effect_seen: true }), "done", "已执行，设备状态已证实"],
  [command("done"), "underWay", "设备答复已执行，等待状态证实"],
  [command("done", null, { command: "ping" }), "done", "已执行"],
  [command("released"), "underWay", "已放行，等待设备答复"],
])("what became of it, in plain words: %#", (item, mark, text) => {
  expect([markOf(item), outcomeOf(item)]).toEqual([mark, text]);
});

test("a stage that this version does not know is unknown, not done", () => {
  expect(markOf(command("melted" as "done", null, { is_over: true }))).toBe("unknown");
});

test("seconds are left until it is over", () => {
  const at = Date.parse("2026-11-27T08:00:02.500Z");
  expect([secondsLeft(command("waiting"), at), secondsLeft(command("sent"), at + 60_000), secondsLeft(command("unknown"), at)]).toEqual([8, 0, null]);
});

test("characters are counted as people count them", () => {
  expect(charsOf(" 消防到场𠮷 ")).toBe(5);
});
