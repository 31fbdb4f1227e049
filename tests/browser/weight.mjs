// What a board of ten thousand open rows, none of which is folded, costs: bytes, rows in the document, and processor time of the page's main thread. The rows are made up here,
// the hub answers the rest. Called by tests/bench/board: `node weight.mjs URL USERS`; prints one line of JSON.
import { byTest, desk, enter, live, must, settled, story } from './kit.mjs'

const [base, told] = process.argv.slice(2)
const lead = JSON.parse(told).find((user) => user.role === 'station_lead')
const ROWS = 10_000

await story('weight', base, async ({ open, allow }) => {
  allow(/status of 404/) // the made-up rows have no details
  const page = await open({ viewport: desk })
  await enter(page, base, lead)
  const first = await page.evaluate(async () => (await (await fetch('/api/v1/incidents?state=active&limit=1')).json()))
  must(first.items.length === 1, 'there is no incident to copy')
  const [item] = first.items
  const at = Date.parse(item.opened_at)
  const items = Array.from({ length: ROWS }, (_, n) => ({
    ...item, id: `inc_${String(n).padStart(32, '0')}`, number: 20_000 + n, severity: 'P2', device: null, count: 1, storm: null,
    opened_at: new Date(at - n * 1000).toISOString(), acknowledged_at: n % 2 === 0 ? null : item.opened_at,
  }))
  // without the worker that tabs share the page asks for itself, and pays for it too
  await page.addInitScript(() => delete globalThis.SharedWorker)
  await page.route('**/api/v1/incidents?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
    const until = Math.min(ROWS, from + 500)
    return route.fulfill({ json: { ...first, items: items.slice(from, until), next: until < ROWS ? String(until) : null } })
  })
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Performance.enable', { timeDomain: 'threadTicks' })
  const cost = async (act) => {
    const of = async () => Object.fromEntries((await cdp.send('Performance.getMetrics')).metrics.map(({ name, value }) => [name, value]))
    const before = await of()
    await act()
    const after = await of()
    return { task_ms: Math.round((after.TaskDuration - before.TaskDuration) * 1000), nodes: after.Nodes, heap_kb: Math.round(after.JSHeapUsedSize / 1024) }
  }
  const shown = () => page.$$eval(byTest('incident-row'), (rows) => rows.length)
  const visible = () => page.$$eval(byTest('incident-row'), (rows) => rows.filter((row) => {
    const { top, bottom } = row.getBoundingClientRect()
    const { top: from, bottom: to } = row.closest('.list').getBoundingClientRect()
    return top >= from && bottom <= to
  }).length)

  const load = await cost(async () => {
    await page.reload()
    await live(page)
    await page.waitForSelector(byTest('incident-row'))
    await settled(page)
  })
  const rows = await shown()
  must((await page.getAttribute('[role=table]', 'aria-rowcount')) >= 200, 'the rows are not on the board')
  const total = Number(await page.getAttribute('[role=table]', 'aria-rowcount'))
  const still = await cost(() => page.waitForTimeout(5000))
  const scroll = await cost(() => page.evaluate(async () => {
    const scroller = document.querySelector('.scroller')
    for (let n = 0; n < 200; n++) {
      scroller.scrollTop += 500
      await new Promise((done) => requestAnimationFrame(done))
    }
  }))
  const after = await shown()
  must(rows < 120 && after < 120, `${rows} rows in the document, ${after} after scrolling`)
  await page.evaluate(() => (document.querySelector('.scroller').scrollTop = 0))
  await page.click(byTest('incident-row'))
  await settled(page)
  const beside = await visible()
  must(beside >= 24, `${beside} rows beside the drawer at 1920×1080`)
  console.log(JSON.stringify({ total, rows, after, beside, load, still_5s: still, scroll_200_frames: scroll }))
})
