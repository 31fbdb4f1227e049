/** Sizes as people read them: bytes, and how large letters on a wall must be. */

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

export function bytesOf(bytes: number): string {
  let [size, step] = [bytes, 0];
  while (size >= 1024 && step < STEPS.length - 1) [size, step] = [size / 1024, step + 1];
  return `${size.toFixed(step === 0 || size >= 100 ? 0 : 1)} ${STEPS[step] ?? ""}`;
}

/** Whole percent that are taken; everything of nothing. */
export const percentOf = (used: number, of: number): number => (of <= 0 ? 100 : Math.floor((used / of) * 100));

export interface Screen {
  /** Of the screen, in inches. */
  diagonal_in: number;
  /** From the eyes to the screen, in metres. */
  distance_m: number;
  width_px: number;
  height_px: number;
}

/** Heights of letters in minutes of arc (ISO 9241-303): what is read with ease, and the least. */
export const EASY_ARC_MIN = 20;
export const LEAST_ARC_MIN = 16;
const MM_PER_INCH = 25.4;

/** Pixels that a letter needs to be seen under so many minutes of arc; none for a screen that cannot be. */
export function letterPx({ diagonal_in, distance_m, width_px, height_px }: Screen, arc_min: number): number | null {
  const pitch_mm = (diagonal_in * MM_PER_INCH) / Math.hypot(width_px, height_px);
  const px = (distance_m * 1000 * Math.tan(((arc_min / 60) * Math.PI) / 180)) / pitch_mm;
  return Number.isFinite(px) && px > 0 ? px : null;
}
