// How much is seen without scrolling: 24 rows at a desk of 1920×1080 beside drawer, map and chart, 14 on the wall in letters of 24 px.
// Called by tests/stories/qualities.rs: `node rows.mjs DEMO`, the hub's demo.json.
import { artefacts, byTest, enter, live, must, settled, story } from './kit.mjs'
import { event, read, says } from './devices.mjs'

const demo = read(process.argv[2])
const DESK = 24
const WALL = 14
const LETTERS_PX = 24

/** Rows that are wholly on the screen, with nothing over them. */
const seen = (page, id) => page.$$eval(byTest(id), (rows) => rows.filter((row) => {
  const box = row.getBoundingClientRect()
  const points = [[box.left + 2, box.top + 2], [box.left + box.width / 2, box.top + box.height / 2], [box.right - 2, box.bottom - 2]]
  return points.every(([x, y]) => row.contains(document.elementFromPoint(x, y)))
}).length)

await story('rows', demo.base, async ({ open }) => {
  const [smoke] = demo.of('fire_sensor')
  const doors = demo.of('access').slice(0, 40)
  await says(demo, smoke, event('fire.smoke', 'raised', { level: 9 }))
  await Promise.all(doors.map((door) => says(demo, door, event('access.forced_open'))))

  const page = await open()
  await enter(page, demo.base, demo.user('wanglei'))
  await page.waitForFunction(([table, count]) => Number(document.querySelector(table)?.getAttribute('aria-rowcount')) >= count, ['[role=table]', doors.length])
  await page.click(`${byTest('incident-row')}[data-severity="P1"]`)
  await page.waitForSelector(`${byTest('readings')}:not([data-points="0"]) canvas`)
  await page.waitForSelector(byTest('timeline'))
  await settled(page)
  await page.screenshot({ path: `${artefacts}/rows-desk.png` })
  const parts = await page.evaluate(([drawer, readings]) => [drawer, readings, '.plan-panel svg'].map((part) => {
    const { width, height } = document.querySelector(part).getBoundingClientRect()
    return Math.min(width, height)
  }), [byTest('drawer'), `${byTest('readings')} canvas`])
  must(parts.every((size) => size >= 100), `drawer, chart and map are there: ${parts} px`)
  const desk = await seen(page, 'incident-row')
  must(desk >= DESK, `${desk} rows beside drawer, map and chart instead of ${DESK}`)

  await page.goto(`${demo.base}/wall`)
  await live(page)
  await page.waitForSelector(byTest('wall-row'))
  await settled(page)
  await page.screenshot({ path: `${artefacts}/rows-wall.png` })
  const wall = await seen(page, 'wall-row')
  must(wall >= WALL, `${wall} rows on the wall instead of ${WALL}`)
  const small = await page.$$eval(`${byTest('wall-row')} .what`, (all, least) => all.filter((one) => parseFloat(getComputedStyle(one).fontSize) < least).length, LETTERS_PX)
  must(small === 0, `${small} rows of the wall say what it is in letters smaller than ${LETTERS_PX} px`)
  console.error(`${desk} rows at the desk, ${wall} on the wall`)
})
