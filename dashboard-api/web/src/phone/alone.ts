/** One sender at a time: tabs and the service worker share a queue. */

export type Queue = "jiming-report" | "jiming-work";
const busy = new Set<Queue>();

/** `skip`: a sender under way is left to it. `wait`: after that one. */
export async function alone(queue: Queue, other: "skip" | "wait", act: () => Promise<void>): Promise<void> {
  // on plain HTTP there are no locks, and no service worker either
  if (!("locks" in navigator)) {
    if (busy.has(queue)) return;
    busy.add(queue);
    try {
      await act();
    } finally {
      busy.delete(queue);
    }
    return;
  }
  await navigator.locks.request(queue, { ifAvailable: other === "skip" }, async (lock) => {
    if (lock !== null) await act();
  });
}
