import type { zh } from "./zh";

export const en: Record<keyof typeof zh, string> = {
  "title": "Evidence",
  "photo": "Photo sent by {name} at {time}",
  "photoOfReport": "Photo from whoever reported, {time}",
  "open": "Enlarge: {photo}",
  "failed": "The photo could not be read; press to try again",
  "hidden": "Photo · shown to those who handle this only",
  "gone": "Photo · taken away when its time was over",
  "viewer": "Photo {at} of {count}",
  "before": "Previous",
  "after": "Next",
  "close": "Close",
  "onRecord": "Who looks at photos is on record.",
  "pick": "Choose a photo",
  "sending": "Sending…",
  "sent": "{count} sent",
  "has": "The {count} photos that are there",
  "needed": "Choose a photo",
  "bad": "This photo cannot be read, choose another one",
  "big": "This photo is too large, choose another one",
  "unsent": "It was not sent, try again",
};
