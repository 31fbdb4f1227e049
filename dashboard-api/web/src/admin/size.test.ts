import { expect, test } from "vitest";
import { LETTER_PX, scaleOf } from "../wall/scale";
import { EASY_ARC_MIN, LEAST_ARC_MIN, bytesOf, letterPx, percentOf } from "./size";

test("bytes have the largest unit that fits", () => {
  expect([0, 1023, 1024, 1536, 150 * 1024 ** 2, 5 * 1024 ** 3].map(bytesOf)).toEqual(["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "150 MiB", "5.0 GiB"]);
});

test("percent are whole, and everything of nothing", () => {
  expect([percentOf(799, 1000), percentOf(1, 1), percentOf(0, 0)]).toEqual([79, 100, 100]);
});

test("55 inches at three metres need 27.5 px, at least 22; 24 inches at 0.7 m 14.7", () => {
  const wall = { diagonal_in: 55, distance_m: 3, width_px: 1920, height_px: 1080 };
  expect(letterPx(wall, EASY_ARC_MIN)).toBeCloseTo(27.5, 1);
  expect(letterPx(wall, LEAST_ARC_MIN)).toBeCloseTo(22, 1);
  expect(letterPx({ ...wall, diagonal_in: 24, distance_m: 0.7 }, EASY_ARC_MIN)).toBeCloseTo(14.7, 1);
  expect(letterPx({ ...wall, width_px: 3840, height_px: 2160 }, EASY_ARC_MIN)).toBeCloseTo(55, 0);
});

test("a screen that cannot be has no size of letters", () => {
  for (const wrong of [{ diagonal_in: 0 }, { distance_m: 0 }, { width_px: Number.NaN }, { distance_m: -1 }])
    expect(letterPx({ diagonal_in: 55, distance_m: 3, width_px: 1920, height_px: 1080, ...wrong }, EASY_ARC_MIN)).toBeNull();
});

test("the wall takes a size within bounds, and its own for anything else", () => {
  expect(scaleOf(String(LETTER_PX))).toBe(1);
  expect(scaleOf("36")).toBe(1.5);
  expect([scaleOf("5"), scaleOf("500")]).toEqual([0.75, 3]);
  for (const other of [undefined, null, "", "large", "-1", ["24", "36"]]) expect(scaleOf(other)).toBe(1);
});
