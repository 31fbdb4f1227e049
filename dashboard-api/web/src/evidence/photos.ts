/** Photos of an incident, as the drawer shows them: of its evidence, of what people reported, and what devices sent. */
import type { Incident } from "../api/types";
import { timeOf } from "../format";
import { word } from "../i18n";
import { personName } from "../station";
import { e } from "./words";

export interface Shown {
  name: string;
  /** Who sent it, and when: also what is read out. */
  text: string;
  url: string;
}

export function photosOf(incident: Incident): Shown[] {
  const url = (name: string) => `/api/v1/incidents/${incident.id}/photos/${name}`;
  const reported = incident.reports.flatMap((report) =>
    report.photos.map((name) => ({ name, text: e("photoOfReport", { time: timeOf(report.created_at) }), url: url(name) })),
  );
  const shown = incident.photos.map(({ sha256, sent_by, sent_at }) => ({
    name: sha256,
    text: e("photo", { name: personName(sent_by), time: timeOf(sent_at) }),
    url: url(sha256),
  }));
  const sent = incident.snapshots.flatMap(({ sha256, device, received_at, url: link }) =>
    sha256 && link ? [{ name: sha256, text: e("snapshot", { name: nameOf(incident, device), time: timeOf(received_at) }), url: link }] : [],
  );
  // one picture may be both
  return [...new Map([...sent, ...reported, ...shown].map((photo) => [photo.name, photo])).values()];
}

function nameOf(incident: Incident, device: string): string {
  const known = incident.alarms.find((alarm) => alarm.device === device);
  return known?.device_name ?? device;
}

/** What else shows it, in words. Photos that are not shown say why. */
export function wordsOf(incident: Incident): string[] {
  const shown = new Set(incident.photos.map(({ sha256 }) => sha256));
  const unseen = incident.snapshots
    .filter(({ url }) => !url)
    .map(({ device, is_masked, shows }) => {
      const name = nameOf(incident, device);
      if (!is_masked) return e("snapshotRefused", { name });
      return e(shows === "face" ? "snapshotOfFace" : "snapshotOfPlate", { name });
    });
  const words = incident.evidence
    .filter(({ kind, reference }) => kind !== "photo" || !shown.has(reference))
    .map(({ kind, reference }) => {
      const name = word("evidence", kind);
      if (kind === "photo" && reference.endsWith("***")) return e("hidden");
      if (kind === "photo" && /^[0-9a-f]{64}$/.test(reference)) return e("gone");
      return reference === name ? name : `${name} · ${reference}`;
    });
  return [...words, ...new Set(unseen)];
}
