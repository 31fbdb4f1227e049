/** What the phone page and the API say to each other (generated from the API's document), and what the phone keeps. */
import type { components } from "../api/schema";
import type { Photo } from "../phone/picture";

type Schemas = components["schemas"];

export type ReportForm = Schemas["ReportForm"];
export type NewReport = Schemas["NewReportBody"];
export type Taken = Schemas["ReportTaken"];
export type Status = Schemas["Report"];
export type Satisfaction = "satisfied" | "dissatisfied";
export interface Answer {
  satisfaction: Satisfaction;
  note?: string;
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
  /** Hashes of those for which the server had no room. */
  left_out?: string[];
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
