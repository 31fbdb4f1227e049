/** Has a phone page open without a line, where the browser can: over HTTPS. `onNewPage` is called when a new page is ready. */
export async function serveOffline(page: string, onNewPage: () => void): Promise<void> {
  const workers = navigator.serviceWorker;
  if (workers === undefined || import.meta.env.DEV) return;
  // the first worker takes the page over without news; a later one brings a new page
  let isFirst = workers.controller === null;
  workers.addEventListener("controllerchange", () => {
    if (!isFirst) onNewPage();
    isFirst = false;
  });
  await workers.register(`${page}-worker.js`, { scope: page, updateViaCache: "none" });
}
