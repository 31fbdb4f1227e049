// A board of ten thousand open rows, none of which is folded: made up here from one that there is, the hub answers the rest.
import { byTest, live, must, settled } from './kit.mjs'

export const ROWS = 10_000

/** The rows of a page's board from the next load on. The page asks for itself, and pays for the line too: without the worker that tabs share. */
export async function many(page, count = ROWS) {
  const first = await page.evaluate(async () => (await (await fetch('/api/v1/incidents?state=active&limit=1')).json()))
  must(first.items.length === 1, 'there is no incident to copy')
  const [item] = first.items
  const at = Date.parse(item.opened_at)
  const items = Array.from({ length: count }, (_, n) => ({
    ...item, id: `inc_${String(n).padStart(32, '0')}`, number: 20_000 + n, severity: 'P2', device: null, count: 1, storm: null,
    opened_at: new Date(at - n * 1000).toISOString(), acknowledged_at: n % 2 === 0 ? null : item.opened_at,
  }))
  await page.addInitScript(() => delete globalThis.SharedWorker)
  await page.route('**/api/v1/incidents?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
    const until = Math.min(count, from + 500)
    return route.fulfill({ json: { ...first, items: items.slice(from, until), next: until < count ? String(until) : null } })
  })
}

/** Loads the board anew, and waits until its rows are there. */
export async function loaded(page) {
  await page.reload()
  await live(page)
  await page.waitForSelector(byTest('incident-row'))
  await settled(page)
}

/** Scrolls the list by so many pixels a frame. */
export function scroll(page, frames, by) {
  return page.evaluate(async ([frames, by]) => {
    const scroller = document.querySelector('.scroller')
    for (let n = 0; n < frames; n++) {
      scroller.scrollTop += by
      await new Promise((done) => requestAnimationFrame(done))
    }
    return scroller.scrollTop
  }, [frames, by])
}

/** What a page holds: read after the garbage is collected. */
export async function meter(page) {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' })
  await cdp.send('HeapProfiler.enable')
  const read = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics')
    const of = Object.fromEntries(metrics.map(({ name, value }) => [name, value]))
    return { task_ms: Math.round(of.TaskDuration * 1000), nodes: of.Nodes, listeners: of.JSEventListeners, heap_kb: Math.round(of.JSHeapUsedSize / 1024) }
  }
  return {
    read,
    held: async () => {
      // what is freed of the page may free more of it
      for (let n = 0; n < 3; n++) await cdp.send('HeapProfiler.collectGarbage')
      return read()
    },
    cost: async (act) => {
      const before = await read()
      await act()
      const after = await read()
      return { ...after, task_ms: after.task_ms - before.task_ms }
    },
  }
}
