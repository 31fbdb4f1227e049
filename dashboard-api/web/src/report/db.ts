/** The phone's own storage: IndexedDB, shared by page and service worker. */
import type { Store } from "./queue";
import type { Kept } from "./types";

const NAME = "jiming-report";

let opened: Promise<IDBDatabase> | undefined;

function open(): Promise<IDBDatabase> {
  opened ??= new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("reports", { keyPath: "key" });
      request.result.createObjectStore("photos");
      request.result.createObjectStore("values");
    };
    request.onsuccess = () => {
      // another tab brings a newer version
      request.result.onversionchange = () => request.result.close();
      request.result.onclose = () => (opened = undefined);
      resolve(request.result);
    };
    request.onerror = () => reject(request.error ?? new Error("IndexedDB cannot be opened"));
  }).catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

type Name = "reports" | "photos" | "values";

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB refused"));
  });
}

async function read<T>(name: Name, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  return done(ask((await open()).transaction(name).objectStore(name)));
}

/** Resolves when it is on the disk, as far as the browser says so. */
async function change(names: Name[], act: (store: (name: Name) => IDBObjectStore) => void): Promise<void> {
  const transaction = (await open()).transaction(names, "readwrite", { durability: "strict" });
  const finished = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave up"));
  });
  act((name) => transaction.objectStore(name));
  return finished;
}

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
