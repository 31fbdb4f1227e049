import type { zh } from "./zh";

export const en: Record<keyof typeof zh, string> = {
  "building": "Building",
  "allBuildings": "Whole quarter",
  "floor": "Floor",
  "allFloors": "All",
  "noFloor": "No floor",
  "floorOf": "{floor}",
  "layers": "Layers",
  "layer.fire": "Fire",
  "layer.video": "Video",
  "layer.access": "Access",
  "layer.parking": "Parking",
  "closer": "Zoom in",
  "wider": "Zoom out",
  "fit": "Fit",
  "print": "Print",
  "open": "Open incident",
  "building.label": "{name}, {severity} {count}, {waiting} unacknowledged",
  "building.calm": "{name}, no incidents",
  "keys": "Arrow keys move, + − zoom, 0 fits",
  "more": "Building badge: highest unacknowledged severity, and how many are open",
};
