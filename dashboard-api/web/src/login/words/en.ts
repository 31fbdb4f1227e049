import type { zh } from "./zh";

export const en: Record<keyof typeof zh, string> = {
  "code": "The identity provider knows you. Now the 6 digits that your app shows, or a recovery code",
  "submit": "Go on",
  "busy": "Logging in…",
  "codeWrong": "This code is not right, or was used already: wait for the next one",
  "said.unknown": "The identity provider knows you, but this account is not known here, or is disabled. Ask an administrator.",
  "said.stale": "This log-in is over, was used already, or began in another browser. Log in again.",
  "said.refused": "The identity provider did not agree to this log-in.",
  "said.unreachable": "The identity provider cannot be reached now. Log in with your name and password.",
  "said.invalid": "What the identity provider answered could not be verified, so nobody was logged in. Ask an administrator.",
  "said.throttled": "Too many attempts: try again a little later.",
  "failed": "The server cannot be reached: try again.",
};
