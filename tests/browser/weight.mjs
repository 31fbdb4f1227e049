// What a board of ten thousand open rows, none of which is folded, costs: bytes, rows in the document, and processor time of the page's main thread. The rows are made up here,
// the hub answers the rest. Called by tests/bench/board: `node weight.mjs URL USERS`; prints one line of JSON.
import { byTest, desk, enter, must, settled, story } from './kit.mjs'
import { loaded, many, meter, scroll } from './many.mjs'

const [base, told] = process.argv.slice(2)
const lead = JSON.parse(told).find((user) => user.role === 'station_lead')

await story('weight', base, async ({ open, allow }) => {
  allow(/status of 404/) // the made-up rows have no details
  const page = await open({ viewport: desk })
  await enter(page, base, lead)
  await many(page)
  const { cost } = await meter(page)
  const shown = () => page.$$eval(byTest('incident-row'), (rows) => rows.length)
  const visible = () => page.$$eval(byTest('incident-row'), (rows) => rows.filter((row) => {
    const { top, bottom } = row.getBoundingClientRect()
    const { top: from, bottom: to } = row.closest('.list').getBoundingClientRect()
    return top >= from && bottom <= to
  }).length)

  const load = await cost(() => loaded(page))
  const rows = await shown()
  must((await page.getAttribute('[role=table]', 'aria-rowcount')) >= 200, 'the rows are not on the board')
  const total = Number(await page.getAttribute('[role=table]', 'aria-rowcount'))
  const still = await cost(() => page.waitForTimeout(5000))
  const scrolled = await cost(() => scroll(page, 200, 500))
  const after = await shown()
  must(rows < 120 && after < 120, `${rows} rows in the document, ${after} after scrolling`)
  await page.evaluate(() => (document.querySelector('.scroller').scrollTop = 0))
  await page.click(byTest('incident-row'))
  await settled(page)
  const beside = await visible()
  must(beside >= 24, `${beside} rows beside the drawer at 1920×1080`)
  console.log(JSON.stringify({ total, rows, after, beside, load, still_5s: still, scroll_200_frames: scrolled }))
})
