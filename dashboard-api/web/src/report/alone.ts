/** One sender at a time: tabs and the service worker share the queue. */

const NAME = "jiming-report";
let busy = false;

/** `skip`: a sender under way is left to it. `wait`: after that one. */
export async function alone(other: "skip" | "wait", act: () => Promise<void>): Promise<void> {
  // on plain HTTP there are no locks, and no service worker either
  if (!("locks" in navigator)) {
    if (busy) return;
    busy = true;
    try {
      await act();
    } finally {
      busy = false;
    }
    return;
  }
  await navigator.locks.request(NAME, { ifAvailable: other === "skip" }, async (lock) => {
    if (lock !== null) await act();
  });
}
