/** Floors and zones as they stand side by side: a zone that is whole storeys is called by them, and would say the floor twice. */

const STOREYS = /^(-?\d+(?:[–—~-]\d+)?)层$/;

/** What of a place is said as a floor, and what of it as a zone; empty where there is nothing to say. */
export function storeyOf(floor: number | null, zone: string | null): { floor: string; zone: string } {
  const name = zone ?? "";
  if (floor === null) return { floor: "", zone: name };
  const storeys = STOREYS.exec(name)?.[1] ?? "";
  const isSaid = storeys === `${floor}` || (storeys.startsWith(`${floor}`) && !/^\d/.test(storeys.slice(`${floor}`.length)));
  return isSaid ? { floor: storeys, zone: "" } : { floor: `${floor}`, zone: name };
}
