/** What a command can be, and where it stands, in plain words. What nobody knows is never called done or failed. */
import type { DeviceAction, DeviceCommand } from "../api/types";
import { c, isKey, said } from "./words";

/** `not`: it has certainly not been carried out. `shut`: it was tried, or refused. */
export type Mark = "underWay" | "done" | "shut" | "not" | "unknown";

export const KEPT: readonly DeviceAction[] = ["ping", "reboot", "sync-time"];
const OF_CLASS: Readonly<Record<string, readonly DeviceAction[]>> = {
  access: ["open-door", "unlock", "lock", "hold-open"],
  barrier: ["raise", "lower", "lock-open"],
  fire_sensor: ["silence", "self-test"],
};
/** They stay open. */
const TAKES_TWO: readonly DeviceAction[] = ["hold-open", "lock-open"];
/** Nothing of them is seen in the device's state. */
const SHOWS_NOTHING: readonly DeviceAction[] = ["silence", "self-test", ...KEPT];
/** Details that the sentence itself already says. */
const SAID: readonly string[] = ["seen_in_state", "state_unchanged", "taken_back", ""];

/** Shortest reason of somebody who does alone what takes two, in characters. */
export const ALONE_REASON_CHARS_MIN = 10;
export const REASON_CHARS_MAX = 200;

export const actionsOf = (ofClass: string): readonly DeviceAction[] => OF_CLASS[ofClass] ?? [];
export const takesTwo = (action: DeviceAction): boolean => TAKES_TWO.includes(action);
/** As the server counts them. */
export const charsOf = (text: string): number => [...text.trim()].length;

/** The device says done, and its state has yet to show it. */
const isClaimed = ({ stage, command, effect_seen }: DeviceCommand) => stage === "done" && !effect_seen && !SHOWS_NOTHING.includes(command);

export function markOf(command: DeviceCommand): Mark {
  if (isClaimed(command) || !command.is_over) return "underWay";
  switch (command.stage) {
    case "done":
      return "done";
    case "expired":
    case "withdrawn":
      return "not";
    case "no_effect":
    case "failed":
    case "rejected":
      return "shut";
    default:
      return "unknown";
  }
}

function why(detail: string): string {
  const key = `why.${detail}`;
  if (isKey(key)) return c(key);
  const status = /^http_(\d{3})$/.exec(detail)?.[1];
  return status === undefined ? c("why.own", { detail }) : c("why.http", { status });
}

export function outcomeOf(command: DeviceCommand): string {
  const detail = command.detail ?? "";
  const outcome = isClaimed(command) ? c("done.claimed") : command.stage === "done" && command.effect_seen ? c("done.seen") : said("stage", command.stage);
  return SAID.includes(detail) ? outcome : c("with", { outcome, why: why(detail) });
}

/** Whole seconds until it is void; null once it has left, or is over. */
export function secondsLeft(command: DeviceCommand, now: number): number | null {
  if (command.is_over) return null;
  return Math.max(0, Math.ceil((Date.parse(command.expires_at) - now) / 1000));
}

/** It has not left yet. */
export const isHeld = ({ stage }: DeviceCommand): boolean => stage === "proposed" || stage === "waiting";
