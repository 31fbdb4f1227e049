import { expect, test } from "vitest";
import { type Asked, type Reply, ask, asking, holderOf, settled } from "./ask";
import { incident, task } from "./sample";
import { type Job, hold, jobsOf } from "./tasks";

type Change = Parameters<typeof task>[0];
const whole = (change: Change = {}, version = 1) => incident("inc_1", [task(change)], { version });
const job = (change: Change = {}, version = 1): Job => jobsOf([hold(whole(change, version))], "fire", "mao")[0]!;
const claim = asking(job(), "claim", {}, "key-1", 0);
const conflict = (current: ReturnType<typeof incident>): Reply => ({
  is: "refused",
  refusal: { status: 409, code: "version_conflict", detail: "", reason: null, holder: null, state: null },
  current,
});

/** A server that answers so one after the other, and what it was sent. */
function server(...replies: Reply[]) {
  const sent: Asked[] = [];
  let keys = 1;
  const post = (asked: Asked) => {
    sent.push(asked);
    return Promise.resolve(replies.shift() ?? { is: "unsent" as const });
  };
  return { sent, ask: (asked: Asked) => ask(asked, post, () => `key-${++keys}`) };
}

test("a claim names the version and the department that were on the screen; whoever holds it shows the token", () => {
  expect(claim.body).toEqual({ expected_version: 1, department: "fire" });
  const arrive = asking(job({ state: "claimed", holder: "mao", fence: 3 }, 7), "arrive", {}, "k", 0);
  expect(arrive.body).toEqual({ expected_version: 7, department: "fire", fence: 3 });
});

test("what could not be sent keeps its key: sent again it is the same", async () => {
  const { ask, sent } = server({ is: "unsent" }, { is: "ok", incident: whole({ state: "claimed", holder: "mao" }, 2) });
  const first = await ask(claim);
  expect(first.reply.is).toBe("unsent");
  const second = await ask(first.asked);
  expect(second.reply.is).toBe("ok");
  expect(sent[1]).toEqual(sent[0]);
});

test("when only something else has changed it goes out with the new version, under a new key", async () => {
  const { ask, sent } = server(conflict(whole({}, 4)), { is: "ok", incident: whole({ state: "claimed", holder: "mao" }, 5) });
  expect((await ask(claim)).reply.is).toBe("ok");
  expect(sent.map(({ key, body }) => [key, body.expected_version])).toEqual([
    ["key-1", 1],
    ["key-2", 4],
  ]);
});

test("the key of what went out last is kept", async () => {
  const { ask } = server(conflict(whole({}, 4)), { is: "unsent" });
  const { reply, asked } = await ask(claim);
  expect([reply.is, asked.key, asked.body.expected_version]).toEqual(["unsent", "key-2", 4]);
});

test("a claim that somebody else was faster with is not tried again, and says who", async () => {
  const taken = conflict(whole({ state: "claimed", holder: "yang", fence: 1 }, 4));
  const { ask, sent } = server(taken);
  const { reply, asked } = await ask(claim);
  expect(sent).toHaveLength(1);
  expect(reply.is === "refused" && holderOf(reply, asked)).toBe("yang");
});

test("a task that went round and came back is another one", async () => {
  const { ask, sent } = server(conflict(whole({ fence: 2 }, 9)));
  expect((await ask(claim)).reply.is).toBe("refused");
  expect(sent).toHaveLength(1);
});

test("a version is made up for a few times, not for ever", async () => {
  const { ask, sent } = server(...Array.from({ length: 9 }, (_, n) => conflict(whole({}, n + 2))));
  expect((await ask(claim)).reply.is).toBe("refused");
  expect(sent.length).toBeLessThan(6);
});

test("the list tells what became of a claim without an answer", () => {
  const now = (change?: Change) => settled(claim, change === undefined ? undefined : job(change), "mao");
  expect(now({})).toBe("open");
  expect(now({ state: "claimed", holder: "mao", fence: 1 })).toBe("done");
  expect(now({ state: "claimed", holder: "yang", fence: 1 })).toBe("moot");
  expect(now()).toBe("moot");
});

test("and of what its holder said", () => {
  const mine = job({ state: "claimed", holder: "mao", fence: 1 });
  const now = (verb: "arrive" | "progress" | "resolve", change?: Change) =>
    settled(asking(mine, verb, {}, "k", 0), change === undefined ? undefined : job(change), "mao");
  expect(now("arrive", { state: "claimed", holder: "mao", fence: 1 })).toBe("open");
  expect(now("arrive", { state: "on_scene", holder: "mao", fence: 1 })).toBe("done");
  // perhaps the desk ended it
  expect(now("resolve")).toBe("moot");
  // whether words arrived cannot be seen: whoever wrote them decides
  expect(now("progress", { state: "claimed", holder: "mao", fence: 1 })).toBe("open");
  // the claim has lapsed, even if the same person has it anew
  expect(now("arrive", { state: "claimed", holder: "mao", fence: 2 })).toBe("moot");
  expect(now("arrive", { state: "dispatched", holder: null, fence: 1 })).toBe("moot");
});
