/** Severity is told apart by whoever does not see all colours, and every glyph stands out from what it lies on; computed from the tokens. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

type Rgb = [number, number, number];
type Matrix = [Rgb, Rgb, Rgb];

const css = readFileSync(new URL("tokens.css", import.meta.url), "utf8");
const themeOf = (selector: string) =>
  new Map([...css.slice(css.indexOf(`${selector} {`)).split("}")[0]!.matchAll(/--([\w-]+): ([^;]+);/g)].map((found) => [found[1]!, found[2]!]));
const dark = themeOf(":root");
const light = new Map([...dark, ...themeOf(':root[data-theme="light"]')]);

/** Linear light of a colour as in `#rrggbb` or `#rgb`. */
function linear(hex: string): Rgb {
  const long = hex.length === 4 ? hex.replace(/[0-9a-f]/g, "$&$&") : hex;
  const of = (at: number) => {
    const value = parseInt(long.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return [of(1), of(3), of(5)];
}

const times = (matrix: Matrix, [r, g, b]: Rgb) => matrix.map(([x, y, z]) => x * r + y * g + z * b) as Rgb;

/** Björn Ottosson's OKLab, times 100. */
function oklab(rgb: Rgb): Rgb {
  const cones = times([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]], rgb);
  const roots = cones.map((value) => Math.cbrt(Math.max(0, value)) * 100) as Rgb;
  return times([[0.2104542553, 0.793617785, -0.0040720468], [1.9779984951, -2.428592205, 0.4505937099], [0.0259040371, 0.7827717662, -0.808675766]], roots);
}

/** Machado, Oliveira and Fernandes 2009, of full severity. */
const SIGHTS: Record<string, Matrix> = {
  normal: [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protan: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deutan: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritan: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
};
const LEAST = 12;

const colour = (theme: ReadonlyMap<string, string>, name: string) => linear(theme.get(name) ?? "");
const luminance = ([r, g, b]: Rgb) => 0.2126 * r + 0.7152 * g + 0.0722 * b;
function contrast(one: Rgb, other: Rgb): number {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

for (const [sight, matrix] of Object.entries(SIGHTS)) {
  test.each([dark, light])(`the severities' colours lie apart for ${sight} sight`, (theme) => {
    const seen = ["p1", "p2", "p3", "p4"].map((name) => ({ name, lab: oklab(times(matrix, colour(theme, name)).map((v) => Math.min(1, Math.max(0, v))) as Rgb) }));
    const pairs = seen.flatMap((one, n) => seen.slice(n + 1).map((other) => ({ pair: `${one.name} ${other.name}`, apart: Math.hypot(...one.lab.map((v, i) => v - other.lab[i]!)) })));
    expect(pairs.filter(({ apart }) => apart < LEAST)).toEqual([]);
  });
}

test("without any colour there are four shapes and four digits", () => {
  const shapes = readFileSync(new URL("components/GlyphShape.vue", import.meta.url), "utf8");
  const drawn = [...shapes.matchAll(/<(path|rect|circle) v-else[^>]*class="shape" ([^/]*)\/>/g)].map((found) => found[1]! + found[2]!);
  expect(new Set(drawn).size).toBe(4);
  expect(shapes).toContain("{{ digit }}");
});

// what draws the edge of a glyph: its ring, or its fill where it has none (glyph.css)
const EDGES = { dark: { P1: "rg", P2: "p2", P3: "p3", P4: "p4" }, light: { P1: "rg", P2: "rg", P3: "rg", P4: "p4" } };
for (const [name, theme] of Object.entries({ dark, light })) {
  test(`every glyph stands out from what it lies on, ${name}`, () => {
    const weak = Object.entries(EDGES[name as "dark" | "light"]).flatMap(([severity, edge]) =>
      ["bg", "sf", "sf2", "sel"].map((ground) => ({ severity, ground, ratio: contrast(colour(theme, edge), colour(theme, ground)) })),
    );
    expect(weak.filter(({ ratio }) => ratio < 3)).toEqual([]);
  });

  test(`words are read on every ground, ${name}`, () => {
    const weak = ["tx", "tx2", "tx3", "ac", "off"].flatMap((word) =>
      ["bg", "sf", "sf2"].map((ground) => ({ word, ground, ratio: contrast(colour(theme, word), colour(theme, ground)) })),
    );
    expect(weak.filter(({ ratio }) => ratio < 4.5)).toEqual([]);
    expect(contrast(colour(theme, "tx"), colour(theme, "sel"))).toBeGreaterThanOrEqual(4.5);
  });
}
