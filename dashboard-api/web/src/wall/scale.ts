/** How large the wall is drawn: `/wall?px=28` asks for letters of 28 px. What to ask for says the system page. */

/** Letters of the wall as it is drawn by itself, in px. */
export const LETTER_PX = 24;
const SCALE_MIN = 0.75;
const SCALE_MAX = 3;

export function scaleOf(px: unknown): number {
  const asked = typeof px === "string" && px !== "" ? Number(px) : NaN;
  return asked > 0 ? Math.min(SCALE_MAX, Math.max(SCALE_MIN, asked / LETTER_PX)) : 1;
}
