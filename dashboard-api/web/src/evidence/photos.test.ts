import { expect, it } from "vitest";
import type { IncidentSnapshot } from "../api/types";
import { incident } from "../work/sample";
import { photosOf, wordsOf } from "./photos";

const snapshot = (change: Partial<IncidentSnapshot>): IncidentSnapshot => ({
  sha256: "a1",
  device: "cam-1",
  event: "evt_1",
  shows: "scene",
  media_type: "image/jpeg",
  bytes: 1,
  width: 1,
  height: 1,
  received_at: "2026-11-26T08:00:00Z",
  refused: null,
  is_masked: false,
  url: "/api/v1/snapshots/x",
  expires_at: "2026-11-26T08:10:00Z",
  ...change,
});

it("shows pictures of devices by their links, and says of others why they are not shown", () => {
  const hidden = { sha256: null, url: null, expires_at: null, is_masked: true };
  const one = incident("inc_1", [], {
    snapshots: [
      snapshot({}),
      snapshot({ ...hidden, shows: "plate" }),
      snapshot({ ...hidden, shows: "plate" }),
      snapshot({ ...hidden, shows: "face" }),
      snapshot({ sha256: "b2", url: null, expires_at: null, refused: "broken" }),
    ],
  });
  expect(photosOf(one).map(({ name, url }) => [name, url])).toEqual([["a1", "/api/v1/snapshots/x"]]);
  const words = wordsOf(one);
  expect(words).toHaveLength(3);
  expect(words.every((text) => text.includes("cam-1"))).toBe(true);
});
