import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { sha256 } from "./sha256";

test("agrees with another implementation around every edge of a block", () => {
  for (const length of [0, 1, 3, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 300_001]) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 0xff);
    expect([length, sha256(bytes)]).toEqual([length, createHash("sha256").update(bytes).digest("hex")]);
  }
});
