import { describe, expect, test } from "vitest";
import { type Reply, type Sent, WAITING_MAX, type World, answer, isSettled, keep, nextAt, refresh, send, tidy, waiting } from "./queue";
import type { Photo } from "../phone/picture";
import type { Kept, NewReport, Status, Taken } from "./types";

const DAY_MS = 24 * 3600_000;
const body: Sent = { type: "person.fire", site: "d1", text: "烟", occurred_at: "2026-11-24T10:00:00Z" };
const photo = (hash: string): { photo: Photo; bytes: Blob } => ({ photo: { hash, bytes: 3, thumb: "" }, bytes: new Blob([hash]) });

/** A phone in memory, and a server that answers as it is told. */
class Bench implements World {
  time = Date.parse("2026-11-24T10:00:00Z");
  reports = new Map<string, Kept>();
  photos = new Map<string, Blob>();
  calls: string[] = [];
  posted: NewReport[] = [];
  keys = 0;
  photoReply: Reply<void> = { is: "ok", value: undefined };
  postReply: Reply<Taken> = { is: "ok", value: { id: "rep_1", number: 7, state: "open" } };
  statusReply: Reply<Status> = { is: "again" };
  answerReply: Reply<void> = { is: "ok", value: undefined };
  duringPost: () => unknown = () => undefined;

  now = () => this.time;
  random = () => 0.5;
  newKey = () => `key-${(this.keys += 1)}`;
  newSecret = () => "s".repeat(43);

  store: World["store"] = {
    all: async () => structuredClone([...this.reports.values()]),
    add: async (report, photos) => {
      this.reports.set(report.key, structuredClone(report));
      for (const [hash, bytes] of photos) this.photos.set(hash, bytes);
    },
    update: async (key, change) => {
      const held = this.reports.get(key);
      if (held !== undefined) this.reports.set(key, change(structuredClone(held)));
    },
    remove: async (key) => void this.reports.delete(key),
    removePhotos: async (report) => report.photos.forEach(({ hash }) => this.photos.delete(hash)),
    photo: async (hash) => this.photos.get(hash),
  };
  server: World["server"] = {
    putPhoto: async (hash) => (this.calls.push(`photo ${hash}`), this.photoReply),
    post: async (key, report) => {
      this.calls.push(`post ${key}`);
      this.posted.push(report);
      await this.duringPost();
      return this.postReply;
    },
    status: async (id) => (this.calls.push(`status ${id}`), this.statusReply),
    answer: async (id, key, _secret, said) => (this.calls.push(`answer ${id} ${key} ${said.satisfaction}`), this.answerReply),
  };

  one(): Kept {
    const [report] = [...this.reports.values()];
    if (report === undefined) throw new Error("nothing is held");
    return report;
  }
  status(state: string, asks = false): Status {
    const at = new Date(this.time).toISOString();
    return { id: "rep_1", number: 7, type: body.type, site: "d1", zone: null, place: null, text: "", photos: [], created_at: at, occurred_at: at, is_late: false, progress: [{ at, state }], state, asks, satisfaction: null };
  }
}

describe("sending", () => {
  test("a report is kept whole before anything is sent, and its photos go first", async () => {
    const bench = new Bench();
    await keep(bench, body, [photo("aa"), photo("bb")]);
    expect(bench.one()).toMatchObject({ stage: "kept", body, kept_at: bench.time });
    expect([...bench.photos.keys()]).toEqual(["aa", "bb"]);
    expect(bench.calls).toEqual([]);

    await send(bench);
    expect(bench.calls).toEqual(["photo aa", "photo bb", "post key-1"]);
    expect(bench.posted[0]).toMatchObject({ ...body, photos: ["aa", "bb"], secret: "s".repeat(43) });
    expect(bench.one()).toMatchObject({ stage: "sent", id: "rep_1", number: 7 });
    expect(bench.photos.size).toBe(0);
    await send(bench, true);
    expect(bench.calls).toHaveLength(3);
  });

  test("a report whose answer was lost goes again under the same key", async () => {
    const bench = new Bench();
    await keep(bench, body, []);
    bench.postReply = { is: "again" };
    await send(bench);
    bench.postReply = { is: "ok", value: { id: "rep_1", number: 7, state: "open" } };
    await send(bench, true);
    expect(bench.calls).toEqual(["post key-1", "post key-1"]);
    expect(bench.one().stage).toBe("sent");
  });

  test("tries come apart further and further, never more than ten minutes, and as late as the server asks", async () => {
    const bench = new Bench();
    await keep(bench, body, []);
    bench.postReply = { is: "again" };
    const waits: number[] = [];
    for (let i = 0; i < 10; i += 1) {
      await send(bench);
      waits.push(bench.one().next_at - bench.time);
      bench.time = bench.one().next_at;
    }
    expect(waits.slice(0, 4)).toEqual([2250, 4500, 9000, 18_000]);
    expect(waits.at(-1)).toBe(450_000);
    bench.postReply = { is: "again", after_ms: 500_000 };
    await send(bench);
    expect(bench.one().next_at - bench.time).toBe(500_000);
    const calls = bench.calls.length;
    await send(bench);
    expect(bench.calls).toHaveLength(calls);
    expect(nextAt([...bench.reports.values()])).toBe(bench.one().next_at);
  });

  test("a photo that does not pass holds its report back", async () => {
    const bench = new Bench();
    await keep(bench, body, [photo("aa"), photo("bb")]);
    bench.photoReply = { is: "again" };
    await send(bench);
    expect(bench.calls).toEqual(["photo aa"]);
    expect(bench.one().stage).toBe("kept");
    expect(bench.photos.size).toBe(2);
  });

  test("a photo that arrived does not go again, unless the server has forgotten it meanwhile", async () => {
    const bench = new Bench();
    await keep(bench, body, [photo("aa")]);
    bench.postReply = { is: "again" };
    await send(bench);
    await send(bench, true);
    expect(bench.calls).toEqual(["photo aa", "post key-1", "post key-1"]);
    bench.calls = [];
    bench.postReply = { is: "refused", refusal: { status: 422, detail: "a photo is missing" } };
    await send(bench, true);
    expect(bench.one().stage).toBe("kept");
    await send(bench, true);
    expect(bench.calls).toEqual(["post key-1", "photo aa", "post key-1"]);
    expect(bench.one().stage).toBe("refused");
  });

  test("a hub without room for photos gets the report without them, and under its key never with them", async () => {
    const bench = new Bench();
    await keep(bench, body, [photo("aa")]);
    bench.photoReply = { is: "refused", refusal: { status: 507, detail: "no room" } };
    bench.postReply = { is: "again" };
    await send(bench);
    bench.photoReply = { is: "ok", value: undefined };
    bench.postReply = { is: "ok", value: { id: "rep_1", number: 7, state: "received" } };
    await send(bench, true);
    expect(bench.calls).toEqual(["photo aa", "post key-1", "post key-1"]);
    expect(bench.posted.map(({ photos }) => photos)).toEqual([[], []]);
    expect(bench.one()).toMatchObject({ stage: "sent", left_out: ["aa"] });
  });

  test("what the server refuses stays, with the reason, and does not hold up the next", async () => {
    const bench = new Bench();
    await keep(bench, body, [photo("aa")]);
    bench.postReply = { is: "refused", refusal: { status: 422, detail: "the text is empty" } };
    await send(bench);
    expect(bench.one()).toMatchObject({ stage: "refused", refusal: { detail: "the text is empty" } });
    expect(bench.photos.size).toBe(1);
    bench.postReply = { is: "ok", value: { id: "rep_2", number: 8, state: "open" } };
    bench.time += 1;
    await keep(bench, body, []);
    await send(bench, true);
    expect(bench.calls).toEqual(["photo aa", "post key-1", "post key-2"]);
    expect(nextAt([...bench.reports.values()])).toBeNull();
  });

  test("a report removed while it is on its way does not come back", async () => {
    const bench = new Bench();
    await keep(bench, body, []);
    bench.duringPost = () => bench.store.remove("key-1");
    await send(bench);
    expect(bench.reports.size).toBe(0);
  });
});

describe("limits", () => {
  test("a full queue keeps no more and drops none", async () => {
    const bench = new Bench();
    for (let i = 0; i < WAITING_MAX; i += 1) expect(await keep(bench, body, [])).not.toBeNull();
    expect(await keep(bench, body, [])).toBeNull();
    expect(waiting(await bench.store.all())).toHaveLength(WAITING_MAX);
    await send(bench);
    expect(await keep(bench, body, [])).not.toBeNull();
  });

  test("when the phone holds many, the longest settled goes", async () => {
    const bench = new Bench();
    for (let i = 0; i < 200; i += 1) {
      bench.statusReply = { is: "ok", value: bench.status(i % 2 === 0 ? "closed" : "open") };
      bench.time += 1000;
      await keep(bench, body, []);
      await send(bench);
      await refresh(bench);
      bench.statusReply = { is: "again" };
    }
    expect(bench.reports.size).toBe(200);
    await keep(bench, body, []);
    expect(bench.reports.size).toBe(200);
    expect(bench.reports.has("key-1")).toBe(false);
  });

  test("a settled report is forgotten after ninety days, another never", async () => {
    const bench = new Bench();
    await keep(bench, body, []);
    await send(bench);
    bench.time += 400 * DAY_MS;
    await tidy(bench);
    expect(bench.reports.size).toBe(1);
    bench.statusReply = { is: "ok", value: bench.status("closed") };
    await refresh(bench);
    bench.time += 90 * DAY_MS - 1;
    await tidy(bench);
    expect(isSettled(bench.one())).toBe(true);
    bench.time += 1;
    await tidy(bench);
    expect(bench.reports.size).toBe(0);
  });
});

describe("following", () => {
  test("what is settled is not asked for again, and a dead line is asked once", async () => {
    const bench = new Bench();
    for (let i = 0; i < 3; i += 1) await keep(bench, body, []);
    await send(bench);
    bench.calls = [];
    await refresh(bench);
    expect(bench.calls).toEqual(["status rep_1"]);
    bench.statusReply = { is: "ok", value: bench.status("closed") };
    await refresh(bench);
    bench.calls = [];
    await refresh(bench);
    expect(bench.calls).toEqual([]);
    bench.time += 2 * 3600_000; // it may have been opened again
    await refresh(bench);
    expect(bench.calls).toHaveLength(3);
    bench.calls = [];
    bench.time += 30 * DAY_MS;
    await refresh(bench);
    expect(bench.calls).toEqual([]);
  });

  test("many are asked for in turns", async () => {
    const bench = new Bench();
    for (let i = 1; i <= 30; i += 1) {
      bench.postReply = { is: "ok", value: { id: `rep_${i}`, number: i, state: "received" } };
      await keep(bench, body, []);
      await send(bench);
    }
    bench.statusReply = { is: "ok", value: bench.status("received") };
    bench.calls = [];
    await refresh(bench);
    expect(bench.calls).toHaveLength(20);
    bench.time += 15_000;
    await refresh(bench);
    expect(new Set(bench.calls).size).toBe(30);
  });

  test("a report closed before anybody was asked is not settled while it asks", async () => {
    const bench = new Bench();
    await keep(bench, body, []);
    await send(bench);
    bench.statusReply = { is: "ok", value: bench.status("closed", true) };
    await refresh(bench);
    bench.time += 400 * DAY_MS;
    await tidy(bench);
    expect(isSettled(bench.one())).toBe(false);
  });

  test("an answer is kept until it arrives, once", async () => {
    const bench = new Bench();
    await keep(bench, body, []);
    await send(bench);
    bench.calls = [];
    bench.answerReply = { is: "again" };
    await answer(bench, "key-1", { satisfaction: "dissatisfied", note: "还在" });
    await answer(bench, "key-1", { satisfaction: "satisfied" });
    await send(bench);
    expect(bench.one().answer).toMatchObject({ satisfaction: "dissatisfied", note: "还在", tries: 1 });
    bench.answerReply = { is: "ok", value: undefined };
    await send(bench, true);
    expect(bench.calls).toEqual(["answer rep_1 key-2 dissatisfied", "answer rep_1 key-2 dissatisfied"]);
    expect(bench.one().answer).toBeUndefined();
  });

  test("an answer that came too late is told, until it is asked anew", async () => {
    const bench = new Bench();
    await keep(bench, body, []);
    await send(bench);
    bench.answerReply = { is: "refused", refusal: { status: 409, detail: "not asked now" } };
    await answer(bench, "key-1", { satisfaction: "satisfied" });
    await send(bench);
    bench.statusReply = { is: "ok", value: bench.status("dispatched") };
    await refresh(bench);
    expect(bench.one()).toMatchObject({ answer_refused: { status: 409 } });
    expect(bench.one().answer).toBeUndefined();
    bench.statusReply = { is: "ok", value: bench.status("review", true) };
    await refresh(bench);
    expect(bench.one().answer_refused).toBeUndefined();
  });
});
