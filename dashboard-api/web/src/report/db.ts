/** The phone's own storage: IndexedDB, shared by page and service worker. */
import { storage } from "../phone/storage";
import type { Store } from "./queue";
import type { Kept } from "./types";

const { read, change } = storage<"reports" | "photos" | "values">("jiming-report", (made) => {
  made.createObjectStore("reports", { keyPath: "key" });
  made.createObjectStore("photos");
  made.createObjectStore("values");
});

/** Photos of `report` that no other unsent report has. */
async function lonePhotos(report: Kept): Promise<string[]> {
  const others = (await database.all()).filter((other) => other.key !== report.key && other.stage !== "sent");
  const used = new Set(others.flatMap((other) => other.photos.map(({ hash }) => hash)));
  return report.photos.map(({ hash }) => hash).filter((hash) => !used.has(hash));
}

export const database: Store = {
  all: () => read("reports", (store) => store.getAll() as IDBRequest<Kept[]>),
  add: (report, photos) =>
    change(["reports", "photos"], (store) => {
      store("reports").put(report);
      for (const [hash, bytes] of photos) store("photos").put(bytes, hash);
    }),
  update: (key, turn) =>
    change(["reports"], (store) => {
      const reports = store("reports");
      const request = reports.get(key) as IDBRequest<Kept | undefined>;
      request.onsuccess = () => request.result !== undefined && reports.put(turn(request.result));
    }),
  async remove(key) {
    const report = (await this.all()).find((held) => held.key === key);
    const hashes = report === undefined ? [] : await lonePhotos(report);
    await change(["reports", "photos"], (store) => {
      store("reports").delete(key);
      for (const hash of hashes) store("photos").delete(hash);
    });
  },
  async removePhotos(report) {
    const hashes = await lonePhotos(report);
    await change(["photos"], (store) => hashes.forEach((hash) => store("photos").delete(hash)));
  },
  photo: (hash) => read("photos", (store) => store.get(hash) as IDBRequest<Blob | undefined>),
};

/** The last form, and what somebody was writing. */
export const values = {
  get: <T>(name: string) => read("values", (store) => store.get(name) as IDBRequest<T | undefined>),
  put: (name: string, value: unknown) => change(["values"], (store) => store("values").put(value, name)),
  remove: (name: string) => change(["values"], (store) => store("values").delete(name)),
};
