import { expect, test } from "vitest";
import { storeyOf } from "./storey";

const said = (floor: number | null, zone: string | null) => Object.values(storeyOf(floor, zone)).join("|");

test("a floor is said once, whatever its zone is called", () => {
  expect(said(6, "6层")).toBe("6|");
  expect(said(1, "1–3层")).toBe("1–3|");
  expect(said(-1, "-1层")).toBe("-1|");
  expect(said(6, "电梯厅")).toBe("6|电梯厅");
  // another floor's name, or one that only begins like it
  expect(said(1, "12层")).toBe("1|12层");
  expect(said(1, "12–14层")).toBe("1|12–14层");
  expect(said(4, "1–3层")).toBe("4|1–3层");
});

test("what has no floor or no zone says the other alone", () => {
  expect(said(null, "1–3层")).toBe("|1–3层");
  expect(said(3, null)).toBe("3|");
  expect(said(null, null)).toBe("|");
});
