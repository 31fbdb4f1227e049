// How fast a board is, and what that costs it: `node pace.mjs DEMO [MINUTES]`, the hub's demo.json, and how long the soak lasts. Called by
// tests/bench/live; prints JSON. A bench: it prints times and fails only when it cannot look.
import { enter, must, settled, story } from './kit.mjs'
import { event, line, read } from './devices.mjs'
import { loaded, many, meter } from './many.mjs'

const demo = read(process.argv[2])
const minutes = Number(process.argv[3] ?? 1)
const RATE = 50
const SECONDS = 10
const BURST = 1000
const SOAK_RATE = 5
const SCROLL_PX_PER_S = 3000

/** In the page: when each row, and each number of rows, was first painted, and tasks that kept it from painting. */
function look() {
  window.rows = new Map()
  window.counts = []
  window.tasks = []
  if (PerformanceObserver.supportedEntryTypes.includes('longtask')) {
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => window.tasks.push(Math.round(duration)))).observe({ type: 'longtask' })
  }
  const frame = (at) => {
    for (const row of document.querySelectorAll('[data-testid="incident-row"]')) if (!window.rows.has(row.dataset.id)) window.rows.set(row.dataset.id, performance.timeOrigin + at)
    const count = Number(document.querySelector('.tally')?.textContent.match(/(\d+)\D*$/)?.[1] ?? 0)
    if (count !== (window.counts.at(-1)?.count ?? 0)) window.counts.push({ count, at: performance.timeOrigin + at })
    requestAnimationFrame(frame)
  }
  requestAnimationFrame(frame)
}

const doors = demo.of('access')
let component = 0
/** Each opens an incident of its own, which no flood folds: another door of the controller. */
const forced = () => ({ ...event('access.forced_open'), component: `d-${++component}` })

/** So many events a second over ten connections, for a while. */
async function paced(rate, seconds, make = forced) {
  const lines = doors.slice(0, 10).map((door) => line(demo, door, 'access.forced_open'))
  const begun = performance.now()
  for (let n = 0; n < rate * seconds; n++) {
    const wait = begun + (n * 1000) / rate - performance.now()
    if (wait > 0) await new Promise((go) => setTimeout(go, wait))
    lines[n % lines.length].say(make(n % lines.length, n))
  }
  await Promise.all(lines.map(({ end }) => end()))
}

function spread(all) {
  const sorted = [...all].sort((a, b) => a - b)
  const at = (percent) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))])
  return { n: sorted.length, p50: at(50), p95: at(95), max: at(100) }
}

/** Incidents of these doors as the hub has them: id and when the event was taken, in milliseconds. */
async function opened() {
  const headers = { Authorization: `Bearer ${demo.user('lead').token}` }
  const all = []
  for (let next = ''; next !== null; ) {
    const page = await (await fetch(`${demo.base}/api/v1/incidents?limit=500${next}`, { headers })).json()
    all.push(...page.items.filter(({ rule }) => rule === 'A1').map(({ id, opened_at }) => ({ id, at: Date.parse(opened_at) })))
    next = page.next === null ? null : `&cursor=${page.next}`
  }
  return all
}

/** When each incident first came over the live feed to somebody who does nothing with it: the rest of the way is the browser's. */
const arrived = new Map()
async function listen() {
  const reply = await fetch(`${demo.base}/api/v1/live`, { headers: { Authorization: `Bearer ${demo.user('lead').token}` } })
  must(reply.ok, `the feed answers ${reply.status}`)
  let text = ''
  for await (const part of reply.body.pipeThrough(new TextDecoderStream())) {
    const now = performance.timeOrigin + performance.now()
    const events = (text + part).split('\n\n')
    text = events.pop()
    for (const one of events) {
      if (!one.includes('event: incident')) continue
      const { id } = JSON.parse(one.split('\n').find((line) => line.startsWith('data: ')).slice(6))
      if (!arrived.has(id)) arrived.set(id, now)
    }
  }
}

const figures = {}
const told = (name, value) => {
  figures[name] = value
  console.error(name, JSON.stringify(value))
}

await story('pace', demo.base, async ({ open, allow }) => {
  allow(/status of 404/)
  listen().catch((error) => console.error('the feed ended', error.message))
  const page = await open()
  await page.addInitScript(look)
  await enter(page, demo.base, demo.user('wanglei'))
  await settled(page)
  /** Until the board has all that there are. */
  const has = async () => {
    const { length } = await opened()
    await page.waitForFunction((count) => (window.counts.at(-1)?.count ?? 0) >= count, length)
  }
  const tasks = () => page.evaluate(() => window.tasks.splice(0))

  // one event after the other
  await paced(5, 2)
  await has()
  await page.waitForTimeout(1000)
  await tasks()
  const known = new Set((await opened()).map(({ id }) => id))
  await paced(RATE, SECONDS)
  await has()
  const rows = new Map(await page.evaluate(() => [...window.rows]))
  const late = (await opened()).filter(({ id }) => !known.has(id)).map(({ id, at }) => [rows.get(id), at, arrived.get(id)])
  // of many that come in one piece the last are pushed below the edge by the first before anything is painted
  const seen = late.filter(([painted]) => painted !== undefined)
  must(seen.length > 0.9 * late.length, `${late.length - seen.length} of ${late.length} rows were never painted`)
  told(`accepted_to_painted_ms_at_${RATE}_per_s`, { ...spread(seen.map(([painted, at]) => painted - at)), in_the_feed: spread(late.map(([, at, fed]) => fed - at)), below_the_edge: late.length - seen.length, long_tasks_ms: await tasks() })

  // all at once: most are on the board and not on the screen, so the number of them counts
  await page.waitForTimeout(1000)
  const before = await page.evaluate(() => window.counts.at(-1).count)
  const { length } = await opened()
  const lines = doors.slice(0, 40).map((door) => line(demo, door, 'access.forced_open'))
  for (let n = 0; n < BURST; n++) lines[n % lines.length].say(forced())
  await Promise.all(lines.map(({ end }) => end()))
  await page.waitForFunction((count) => window.counts.at(-1).count >= count, before + BURST)
  const counts = await page.evaluate(() => window.counts)
  const taken = (await opened()).sort((a, b) => a.at - b.at).slice(length)
  const shown = taken.map(({ at }, n) => counts.find(({ count }) => count > before + n).at - at)
  told(`accepted_to_painted_ms_of_${BURST}_at_once`, { ...spread(shown), in_the_feed: spread(taken.map(({ id, at }) => arrived.get(id) - at)), taken_within_ms: Math.round(taken.at(-1).at - taken[0].at), long_tasks_ms: await tasks() })
  await page.context().close()

  // ten thousand rows
  const long = await open()
  await enter(long, demo.base, demo.user('lead'))
  await many(long)
  await long.addInitScript(look)
  const { cost, held } = await meter(long)
  const load = await cost(() => loaded(long))
  const first = await long.evaluate(() => Math.round(Math.min(...window.rows.values()) - performance.timeOrigin))
  told('cold_load_of_10000_rows', { first_row_ms: first, main_thread_ms: load.task_ms })
  const idle = await cost(() => long.waitForTimeout(5000))
  const busy = await cost(() => paced(RATE, SECONDS))
  told('main_thread_percent_of_a_core', { nothing_happens: Math.round(idle.task_ms / 50), [`at_${RATE}_per_s`]: Math.round(busy.task_ms / (SECONDS * 10)) })
  const frames = await long.evaluate(async (speed) => {
    const scroller = document.querySelector('.scroller')
    const all = []
    const begun = performance.now()
    let last = begun
    while (last - begun < 5000) {
      const now = await new Promise((done) => requestAnimationFrame(done))
      scroller.scrollTop = ((now - begun) / 1000) * speed
      all.push(now - last)
      last = now
    }
    return all.slice(1)
  }, SCROLL_PX_PER_S)
  told(`frames_ms_at_${SCROLL_PX_PER_S}_px_per_s`, { ...spread(frames), per_s: Math.round((frames.length * 1000) / frames.reduce((a, b) => a + b, 0)) })
  await long.evaluate(() => (document.querySelector('.scroller').scrollTop = 0))
  told('held_with_10000_rows', await held())
  await long.context().close()

  // a long time in short: the same doors again and again
  const desk = await open()
  await enter(desk, demo.base, demo.user('wanglei'))
  const { held: holds } = await meter(desk)
  const phases = (which, n) => ({ ...event('access.forced_open', Math.floor(n / 10) % 2 === 0 ? 'raised' : 'cleared'), component: 'soak' })
  await paced(SOAK_RATE, 20, phases)
  const from = await holds()
  await paced(SOAK_RATE, minutes * 60, phases)
  const to = await holds()
  told(`soak_${minutes}_min_at_${SOAK_RATE}_per_s`, { heap_kb: [from.heap_kb, to.heap_kb], nodes: [from.nodes, to.nodes], listeners: [from.listeners, to.listeners] })
  console.log(JSON.stringify(figures))
}, { patience: 120_000 })
