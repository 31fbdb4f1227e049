/** What the phone page and the API say to each other, and what the phone keeps. */

export interface Zone {
  id: string;
  name_zh: string;
  name_en: string;
}
export interface Site extends Zone {
  zones: Zone[];
}
export interface ReportKind {
  type: string;
  title_zh: string;
  title_en: string;
}
export interface ReportForm {
  types: ReportKind[];
  sites: Site[];
  limits: { text_chars: number; photos: number; photo_bytes: number };
  emergency_zh: string;
  emergency_en: string;
  /** What a contact is for, and how long it is kept. */
  contact_zh: string;
  contact_en: string;
}
export interface Contact {
  name: string;
  phone: string;
}
export interface NewReport {
  type: string;
  site: string;
  zone?: string;
  text: string;
  place?: string;
  occurred_at: string;
  photos: string[];
  contact?: Contact;
  secret: string;
}
export interface Taken {
  id: string;
  number: number;
  state: string;
}
export type Satisfaction = "satisfied" | "dissatisfied";
export interface Step {
  at: string;
  state: string;
}
export interface Status {
  id: string;
  number: number;
  type: string;
  site: string;
  zone?: string | null;
  place?: string | null;
  text?: string | null;
  created_at: string;
  occurred_at: string;
  is_late: boolean;
  progress: Step[];
  state: string;
  asks: boolean;
  satisfaction?: Satisfaction | null;
}
export interface Answer {
  satisfaction: Satisfaction;
  note?: string;
}

export interface Photo {
  /** SHA-256 of its bytes, hex. */
  hash: string;
  bytes: number;
  /** A small picture as a data URL, for this screen only. */
  thumb: string;
}

/** Why the server did not take something, and what may be done about it. */
export interface Refusal {
  status: number;
  detail: string;
  /** The member of the report that is not as it must be. */
  field?: string;
}
/** `kept`: waits to be sent. `refused`: the server wants it mended. `sent`: the server has it. */
export type Stage = "kept" | "refused" | "sent";

/** One report as it lies on the phone. Times are milliseconds. */
export interface Kept {
  /** Also its Idempotency-Key: however often it is sent, it is one report. */
  key: string;
  secret: string;
  stage: Stage;
  body: Omit<NewReport, "photos" | "secret">;
  photos: Photo[];
  /** Hashes of those that the server has: they do not go over a poor line twice. */
  passed?: string[];
  kept_at: number;
  tries: number;
  /** Not before. */
  next_at: number;
  refusal?: Refusal;
  id?: string;
  number?: number;
  /** What the server said of it last, and when. */
  status?: Status;
  status_at?: number;
  /** An answer that has not arrived yet. */
  answer?: Answer & { key: string; tries: number; next_at: number };
  /** Why the last answer was not taken. */
  answer_refused?: Refusal;
}
