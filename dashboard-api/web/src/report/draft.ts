/** What somebody is writing. It outlives a reload: phones put a page away while the camera is open. */
import { reactive, shallowRef, toRaw, watch } from "vue";
import { database, values } from "./db";
import type { Picture } from "../phone/picture";
import type { Kept } from "./types";

export interface Draft {
  type: string;
  site: string;
  zone: string;
  place: string;
  text: string;
  /** When it was written first, if it is being mended; else empty. */
  occurred_at: string;
  name: string;
  phone: string;
}
export type DraftPhoto = Picture;

const EMPTY: Draft = { type: "", site: "", zone: "", place: "", text: "", occurred_at: "", name: "", phone: "" };

export const draft = reactive<Draft>({ ...EMPTY });
export const photos = shallowRef<DraftPhoto[]>([]);

export async function restore(): Promise<void> {
  Object.assign(draft, await values.get<Draft>("draft"));
  photos.value = (await values.get<DraftPhoto[]>("draft-photos")) ?? [];
  const quietly = () => undefined;
  watch(draft, (now) => void values.put("draft", { ...toRaw(now) }).catch(quietly), { flush: "post" });
  watch(photos, (now) => void values.put("draft-photos", now).catch(quietly));
}

export function isBlank(): boolean {
  return draft.text.trim() === "" && photos.value.length === 0;
}

/** The next report is probably from the same quarter and the same person. */
export function clear(): void {
  const { site, name, phone } = draft;
  Object.assign(draft, EMPTY, { site, name, phone });
  photos.value = [];
}

/** A kept report becomes the draft again. It is safe there before it leaves the queue. */
export async function mend(report: Kept): Promise<void> {
  const { body } = report;
  Object.assign(draft, EMPTY, {
    type: body.type,
    site: body.site,
    zone: body.zone ?? "",
    place: body.place ?? "",
    text: body.text,
    occurred_at: body.occurred_at,
    name: body.contact?.name ?? "",
    phone: body.contact?.phone ?? "",
  });
  const kept = await Promise.all(report.photos.map(async (photo) => ({ photo, bytes: await database.photo(photo.hash) })));
  photos.value = kept.flatMap(({ photo, bytes }) => (bytes === undefined ? [] : [{ photo, bytes }]));
  await values.put("draft", { ...toRaw(draft) });
  await values.put("draft-photos", photos.value);
  await database.remove(report.key);
}
