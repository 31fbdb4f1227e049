/** Which rung of a ladder was told last, for one line in the drawer. */
import type { Notified } from "../api/types";

export interface LastTold {
  at: string;
  department: string;
  level: number;
  toldLevel: number | null;
  isOffDuty: boolean;
  isDelivered: boolean;
  names: string[];
}

/** The last rung of the lead's ladder; of anybody's while the lead's has not been told. */
export function lastTold(notified: readonly Notified[], lead: string): LastTold | null {
  const own = notified.filter((rung) => rung.department === lead);
  const last = (own.length > 0 ? own : notified).at(-1);
  if (last === undefined) return null;
  const names = last.told.flatMap((told) => (told.person == null ? [] : [told.person.name ?? told.person.id]));
  return {
    at: last.at,
    department: last.department,
    level: last.level,
    toldLevel: last.told_level,
    isOffDuty: last.is_off_duty && last.told_level !== null,
    isDelivered: last.told.some((told) => told.state === "delivered"),
    names: [...new Set(names)],
  };
}
