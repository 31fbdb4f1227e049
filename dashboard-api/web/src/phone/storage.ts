/** The phone's own storage: IndexedDB, opened when it is needed and again when the browser has closed it. Pages and service workers share one. */

export interface Storage<Name extends string> {
  read<T>(name: Name, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T>;
  /** Resolves when it is on the disk, as far as the browser says so. */
  change(names: Name[], act: (store: (name: Name) => IDBObjectStore) => void): Promise<void>;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("IndexedDB refused"));
  });
}

/** `make` lays out an empty one. */
export function storage<Name extends string>(database: string, make: (made: IDBDatabase) => void): Storage<Name> {
  let opened: Promise<IDBDatabase> | undefined;

  function open(): Promise<IDBDatabase> {
    opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(database, 1);
      request.onupgradeneeded = () => make(request.result);
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

  return {
    read: async (name, ask) => done(ask((await open()).transaction(name).objectStore(name))),
    async change(names, act) {
      const transaction = (await open()).transaction(names, "readwrite", { durability: "strict" });
      const finished = new Promise<void>((resolve, reject) => {
        transaction.oncomplete = () => resolve();
        transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new Error("IndexedDB gave up"));
      });
      act((name) => transaction.objectStore(name));
      return finished;
    },
  };
}
