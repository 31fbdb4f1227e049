/** What the page remembers on this phone while somebody is logged in: the list that was seen last, and what could not be sent. */
import type { Meta, User } from "../api/types";
import { forget, read, write } from "../prefs";
import type { Asked } from "./ask";
import type { Held } from "./tasks";

/** Of `/meta` what the page shows. */
export type Names = Pick<Meta, "departments" | "sites" | "rules" | "causes" | "time_zone" | "staff">;

export interface Kept {
  user: User;
  department: string;
  names: Names;
  held: Held[];
  /** The server's time up to which the list is known, in milliseconds. */
  as_of: number;
  unsent: Asked[];
}

const NAME = "work.kept";
/** Changes with the shape: what another version has left is not read. */
const SHAPE = 4;

export function readKept(): Kept | null {
  try {
    const { shape, ...kept } = JSON.parse(read(NAME) ?? "null") as Kept & { shape: number };
    return shape === SHAPE ? kept : null;
  } catch {
    return null;
  }
}

export function writeKept(kept: Kept): void {
  write(NAME, JSON.stringify({ shape: SHAPE, ...kept }));
}

export function forgetKept(): void {
  forget(NAME);
}
