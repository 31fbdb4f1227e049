import { expect, test } from "vitest";
import type { Device, FireMode, IncidentItem, Meta, QuarantineItem } from "../api/types";
import type { Snapshot } from "./messages";
import { Picture } from "./picture";

const incident = (id: string, version: number, state: IncidentItem["state"] = "open") => ({ id, version, state, revision: version }) as IncidentItem;
const first = (quarantine: QuarantineItem[] | null): Snapshot => ({
  login: "wang",
  meta: {} as Meta,
  incidents: [incident("a", 3), incident("b", 1)],
  devices: [{ id: "d", state: "normal" } as Device],
  storms: [],
  fires: [],
  quarantine,
  revision: 10,
});

test("a tab that joins late gets what the others have", () => {
  const picture = new Picture(first([]));
  picture.apply({ kind: "incident", item: incident("c", 1), revision: 11 });
  picture.apply({ kind: "incident", item: incident("b", 2, "closed"), revision: 12 });
  picture.apply({ kind: "incident", item: incident("a", 2), revision: 13 });
  picture.apply({ kind: "device", item: { id: "d", state: "offline" } as Device, revision: 14 });
  picture.apply({ kind: "quarantine", item: { id: "q" } as QuarantineItem, revision: 15 });
  picture.apply({ kind: "other", revision: 16 });
  const now = picture.snapshot();
  expect(now.incidents).toEqual([incident("a", 3), incident("c", 1)]);
  expect(now.devices.map((d) => d.state)).toEqual(["offline"]);
  expect(now.quarantine?.map((q) => q.id)).toEqual(["q"]);
  expect(now.revision).toBe(16);
});

test("a fire mode stays until it is over", () => {
  const picture = new Picture(first([]));
  const fire = (id: string, state: FireMode["state"], revision: number) => picture.apply({ kind: "fire", item: { id, state } as FireMode, revision });
  fire("f1", "proposed", 11);
  fire("f2", "active", 12);
  fire("f1", "active", 13);
  expect(picture.snapshot().fires.map(({ id, state }) => [id, state])).toEqual([["f2", "active"], ["f1", "active"]]);
  fire("f2", "ended", 14);
  expect(picture.snapshot().fires.map(({ id }) => id)).toEqual(["f1"]);
});

test("what a role may not read does not come by the feed either", () => {
  const picture = new Picture(first(null));
  picture.apply({ kind: "quarantine", item: { id: "q" } as QuarantineItem, revision: 11 });
  expect(picture.snapshot().quarantine).toBe(null);
});
