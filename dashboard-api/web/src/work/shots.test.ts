import { expect, test } from "vitest";
import { type Reply, SHOTS_MAX, type Shot, type World, keep, send } from "./shots";

const ok: Reply<unknown> = { is: "ok", value: undefined };
const lost: Reply<unknown> = { is: "lost" };
const refused = (code: string, status = 409, version: number | null = null): Reply<unknown> => ({ is: "refused", code, status, version });

/** A phone in memory, and a hub that answers one after the other; at the end it takes everything. */
function bench({ puts = [] as Reply<unknown>[], notes = [] as Reply<unknown>[] } = {}) {
  const shots = new Map<string, Shot>();
  const photos = new Map<string, Blob>();
  const sent: string[] = [];
  let keys = 0;
  let now = 1_000_000;
  const world: World = {
    store: {
      all: async () => structuredClone([...shots.values()]),
      add: async (shot, bytes) => void (shots.set(shot.id, shot), photos.set(shot.photo.hash, bytes)),
      put: async (shot) => void (shots.has(shot.id) && shots.set(shot.id, shot)),
      remove: async (id) => void shots.delete(id),
      bytes: async (hash) => photos.get(hash),
    },
    server: {
      putPhoto: async (_incident, hash) => (sent.push(`photo ${hash}`), puts.shift() ?? ok),
      version: async () => ({ is: "ok", value: 5 }),
      note: async (shot, version) => (sent.push(`note ${shot.key} v${version}`), notes.shift() ?? ok),
    },
    now: () => now,
    random: () => 0.5,
    newKey: () => `k${++keys}`,
  };
  const take = (hash: string, login = "mao") =>
    keep(world, { login, incident: "inc_1", number: 7, note: "" }, { photo: { hash, bytes: 3, thumb: "" }, bytes: new Blob([hash]) });
  return { world, shots, photos, sent, take, pass: (ms: number) => (now += ms) };
}

test("a photo goes first, the note that names it after it, and then it is off the phone", async () => {
  const { world, shots, sent, take } = bench();
  await take("aa");
  await send(world, "mao");
  expect(sent).toEqual(["photo aa", "note k2 v5"]);
  expect(shots.size).toBe(0);
});

test("after an answer that was lost the same goes out again, and not its bytes", async () => {
  const { world, shots, sent, take, pass } = bench({ notes: [lost] });
  await take("aa");
  await send(world, "mao");
  await send(world, "mao");
  expect(sent, "not before its time").toHaveLength(2);
  pass(3000);
  await send(world, "mao");
  expect(sent).toEqual(["photo aa", "note k2 v5", "note k2 v5"]);
  expect(shots.size).toBe(0);
});

test("when the incident has gone on it goes out anew under a new key; a refusal stays and says why", async () => {
  const { world, shots, sent, take } = bench({ notes: [refused("version_conflict", 409, 8), refused("forbidden", 403)] });
  await take("aa");
  await send(world, "mao");
  expect(sent.slice(1)).toEqual(["note k2 v5", "note k3 v8"]);
  expect([...shots.values()].map((shot) => shot.refused)).toEqual(["forbidden"]);
  await send(world, "mao", true);
  expect(sent, "it is not tried again").toHaveLength(3);
});

test("a photo that the hub has lost meanwhile is sent once more, and a hub without room is waited for", async () => {
  const { world, shots, sent, take } = bench({ puts: [refused("no_room", 507)], notes: [refused("invalid", 422)] });
  await take("aa");
  for (let n = 0; n < 3; n += 1) await send(world, "mao", true);
  expect(sent).toEqual(["photo aa", "photo aa", "note k2 v5", "photo aa", "note k2 v5"]);
  expect(shots.size).toBe(0);
});

test("what nobody is logged in for waits; nobody sends another's; a phone holds only so many", async () => {
  const { world, shots, sent, take } = bench({ puts: [refused("unauthenticated", 401)] });
  await take("aa");
  await take("bb", "yang");
  await send(world, "mao");
  expect(sent).toEqual(["photo aa"]);
  expect([...shots.values()].map((shot) => shot.refused)).toEqual([undefined, undefined]);
  for (let n = 2; n < SHOTS_MAX; n += 1) expect(await take(`c${n}`)).toBe(true);
  expect(await take("dd")).toBe(false);
});
