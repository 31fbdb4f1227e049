// Four hundred alarms at once: the selected row stays where it is, every P1 stands above everything else, one sound at a time; and nothing
// moves under the hand while it moves. Called by tests/stories/qualities.rs: `node burst.mjs DEMO`, the hub's demo.json.
import { artefacts, byTest, enter, expect, must, story } from './kit.mjs'
import { event, read, says } from './devices.mjs'
import { P1, P2, ear, patterns } from './ear.mjs'

const demo = read(process.argv[2])
const ALARMS = 400
const FIRES = 5
/** So long after the pointer has moved over the list nothing moves in it. */
const HOLD_MS = 600

/** Looks at every frame until it is cut: where the selected row is, what lies under the pointer, and whether a P1 stands below another row. */
function film() {
  window.frames = []
  window.isCut = false
  let pointer = { at: -Infinity, x: -1, y: -1 }
  addEventListener('pointermove', ({ x, y }) => (pointer = { at: performance.now(), x, y }), true)
  const look = () => {
    const { top, bottom } = document.querySelector('.scroller').getBoundingClientRect()
    // those that are drawn ahead above and below what is seen are not seen
    const isSeen = (row, box) => row.closest('.scroller') === null || (box.bottom > top && box.top < bottom)
    const rows = [...document.querySelectorAll('.list [data-id]')].flatMap((row) => {
      const box = row.getBoundingClientRect()
      return isSeen(row, box) ? [{ id: row.dataset.id, severity: row.dataset.severity, y: box.top }] : []
    })
    rows.sort((a, b) => a.y - b.y)
    const other = rows.findIndex(({ severity }) => severity !== 'P1')
    window.frames.push({
      y: document.querySelector('.list [aria-selected="true"]')?.getBoundingClientRect().top ?? null,
      rested: performance.now() - pointer.at,
      under: document.elementFromPoint(pointer.x, pointer.y)?.closest('[data-id]')?.dataset.id ?? null,
      low: other < 0 ? [] : rows.slice(other).filter(({ severity }) => severity === 'P1').map(({ id }) => id),
      fires: rows.filter(({ severity }) => severity === 'P1').length,
      first: rows.find(({ severity }) => severity === 'P2')?.id ?? null,
    })
    if (!window.isCut) requestAnimationFrame(look)
  }
  requestAnimationFrame(look)
}
const cut = (page) => page.evaluate(() => {
  window.isCut = true
  return window.frames
})

await story('burst', demo.base, async ({ open }) => {
  const quarters = [...new Map(demo.of('fire_sensor').map((device) => [device.site, device])).values()]
  const doors = demo.of('access')
  const gates = demo.of('barrier')
  const opens = (some) => Promise.all(some.map((door) => says(demo, door, event('access.forced_open'))))
  const burns = (some) => Promise.all(some.map((detector) => says(demo, detector, event('fire.smoke', 'raised', { level: 9 }))))
  await opens(doors.slice(0, 24))

  const page = await open()
  await page.addInitScript(ear)
  await enter(page, demo.base, demo.user('wanglei'))
  /** Incidents that the board has, folded ones among them. */
  const has = (count) => page.waitForFunction(([tally, count]) => Number(document.querySelector(tally)?.textContent.match(/(\d+)\D*$/)?.[1]) >= count, ['.tally', count])
  await has(24)
  for (let n = 0; n < 13; n++) await page.keyboard.press('j')
  const selected = await page.getAttribute('.list [aria-selected="true"]', 'data-id')

  // four hundred in one go, five of them fires
  await page.evaluate(film)
  await page.waitForFunction(() => window.frames.length > 2)
  const each = Math.floor((ALARMS - FIRES) / gates.length)
  const more = ALARMS - FIRES - each * gates.length
  let plate = 10_000
  const lorry = () => {
    plate += 1
    return event('vehicle.plate_read', 'instant', { plate: `浙G${plate}`, plate_color: 'yellow', confidence: 0.97, direction: 'in', lane: String(plate), vehicle: { type: 'dangerous_goods' } })
  }
  await Promise.all([
    ...gates.map((gate, n) => says(demo, gate, ...Array.from({ length: each + (n < more ? 1 : 0) }, lorry))),
    burns(quarters.slice(0, FIRES)),
  ])
  await has(24 + ALARMS)
  await page.waitForFunction(([row, count]) => document.querySelectorAll(row).length === count, [`.lane ${byTest('incident-row')}`, FIRES])
  await page.waitForTimeout(1000)
  await page.screenshot({ path: `${artefacts}/burst.png` })
  const burst = await cut(page)
  const [{ y }] = burst
  expect('the selected row at last', await page.getAttribute('.list [aria-selected="true"]', 'data-id'), selected)
  const moved = burst.filter((frame) => frame.y === null || Math.abs(frame.y - y) > 1)
  must(moved.length === 0, `the selected row stood at ${y} and moved in ${moved.length} of ${burst.length} frames: ${JSON.stringify(moved.slice(0, 3))}`)
  const low = burst.filter((frame) => frame.low.length > 0)
  must(low.length === 0, `a P1 below another row in ${low.length} of ${burst.length} frames`)
  must(burst.at(-1).fires === FIRES, 'all fires are seen')
  const lines = Number(await page.getAttribute('[role=table]', 'aria-rowcount'))
  must(lines < 24 + FIRES + 20, `${lines} lines: what can wait is folded`)

  // one sound at a time
  const sounds = patterns(await page.evaluate(() => window.heard))
  must(sounds.some(({ what }) => what === P1), 'the fires are heard')
  sounds.forEach(({ what }) => must(what === P1 || what === P2, `more than one pattern at once: ${what}`))
  sounds.slice(1).forEach(({ from }, n) => must(from >= sounds[n].to, 'a pattern begins before the last one has ended'))

  // the hand moves over the list, nothing is selected: what is under it stays, what comes waits but for fires, and comes when the hand rests
  await page.keyboard.press('Escape')
  await page.keyboard.press('g')
  const box = await page.locator('.scroller').boundingBox()
  const [x, at] = [box.x + 300, box.y + 200]
  await page.mouse.move(x, at)
  await page.evaluate(film)
  await page.waitForFunction(() => window.frames.length > 2)
  const news = Promise.all([opens(doors.slice(24, 44)), burns(quarters.slice(FIRES, FIRES + 2))])
  for (let n = 0; n < 60; n++) {
    // within the row
    await page.mouse.move(x + (n % 2), at)
    await page.waitForTimeout(50)
  }
  await news
  await has(24 + ALARMS + 2)
  const hand = await cut(page)
  const still = hand.filter(({ rested }) => rested < HOLD_MS)
  const under = new Set(still.map((frame) => frame.under))
  must(still.length > 10 && under.size === 1 && !under.has(null), `under the hand were ${[...under]} in ${still.length} frames`)
  expect('the first P2 while the hand moved', new Set(still.map((frame) => frame.first)).size, 1)
  await has(24 + ALARMS + 22)
  await page.waitForFunction(([row, first]) => [...document.querySelectorAll(row)].find((one) => one.dataset.severity === 'P2').dataset.id !== first, ['.list [data-id]', hand.at(-1).first])
}, { patience: 60_000 })
