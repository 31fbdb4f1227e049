/** One sender at a time: tabs and the service worker share the queue. A second one under way is left to it. */

const NAME = "jiming-report";
let busy = false;

export async function alone(act: () => Promise<void>): Promise<void> {
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
  await navigator.locks.request(NAME, { ifAvailable: true }, async (lock) => {
    if (lock !== null) await act();
  });
}
