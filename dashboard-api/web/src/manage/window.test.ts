import { expect, test } from "vitest";
import { type Draft, mistakeOf } from "./window";

const now = Date.parse("2026-11-23T12:00:00Z");
const H = 3_600_000;
const good: Draft = { site: "q1", from: null, to: now + 2 * H, reason: "更换探测器" };

test("a window that can be planned has no mistake", () => {
  for (const draft of [good, { ...good, from: now - H }, { ...good, from: now + 90 * 24 * H, to: now + 97 * 24 * H }]) expect(mistakeOf(draft, now)).toBeNull();
});

test("each mistake has its name", () => {
  const cases: [Partial<Draft>, string][] = [
    [{ site: "" }, "site"],
    [{ from: NaN }, "from"],
    [{ to: NaN }, "to"],
    [{ from: now + 3 * H }, "order"],
    [{ from: now - 3 * H, to: now - H }, "past"],
    [{ to: now + 7 * 24 * H + 1 }, "long"],
    [{ from: now + 91 * 24 * H, to: now + 92 * 24 * H }, "ahead"],
    [{ reason: "  " }, "reason"],
    [{ reason: "长".repeat(501) }, "reason"],
  ];
  for (const [change, mistake] of cases) expect([change, mistakeOf({ ...good, ...change }, now)]).toEqual([change, mistake]);
});
