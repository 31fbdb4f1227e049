import type { zh } from "./zh";

export const en: Record<keyof typeof zh, string> = {
  "title": "Telemetry",
  "titleAround": "Telemetry from 10 min before the alarm",
  "loading": "Reading…",
  "failed": "The readings could not be read",
  "retry": "Try again",
  "none": "No readings in this time",
  "which": "Reading",
  "alarm": "Alarm",
  "limit": "Threshold",
  "summary": "{name}: {count} readings, lowest {min}, highest {max}, latest {last} ({time})",
  "table": "Data table",
  "time": "Time",
  "more": "The table has the latest {count}",
};
