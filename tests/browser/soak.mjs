// Days in small: what the page of a board holds after the garbage is collected, before and after ten thousand rows were scrolled through, and
// round after round of updates, drawers and all routes. Called by tests/stories/qualities.rs: `node soak.mjs DEMO`, the hub's demo.json.
import { readFileSync } from 'node:fs'
import { byTest, enter, must, repository, settled, story } from './kit.mjs'
import { event, read, says } from './devices.mjs'
import { loaded, many, meter, scroll } from './many.mjs'

const demo = read(process.argv[2])
const ROUNDS = 4
/** The first ones load what is loaded once. */
const WARM = 2
const UPDATES = 96
const OPENED = 12
/** What may be more: a line more of a timeline, code that has become warm. */
const MORE = { nodes: 150, listeners: 12, heap_kb: 1280 }

function grown(what, before, after) {
  console.error(`${what}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`)
  for (const [name, more] of Object.entries(MORE)) {
    must(after[name] <= before[name] + more, `${what}: ${name} grew from ${before[name]} to ${after[name]}`)
  }
}

/** The addresses of the router that lie behind the log-in. */
function routes(device) {
  const text = readFileSync(`${repository}dashboard-api/web/src/router.ts`, 'utf8')
  const paths = [...text.matchAll(/path: "([^"]+)"(?!,.* redirect)/g)].map(([, path]) => path)
  must(paths.length > 10, 'the routes are not found')
  return paths.filter((path) => path !== '/login' && path !== '/live').map((path) => path.replace(':id', device).replace('/:any(.*)*', '/nothing-here'))
}

await story('soak', demo.base, async ({ open, allow }) => {
  allow(/status of 40[34]/) // made-up rows have no details, and not everybody may read everything
  // doors, and detectors of quarters far apart, which have something to draw
  const quarters = [...new Map(demo.of('fire_sensor').map((device) => [device.site, device])).values()].slice(0, 4)
  const sources = [...quarters.map((device) => ({ device, kind: 'fire.smoke' })), ...demo.of('access').slice(0, 4).map((device) => ({ device, kind: 'access.forced_open' }))]
  const tells = ({ device, kind }, ...phases) => says(demo, device, ...phases.map((phase) => event(kind, phase, { level: 9 })))
  await Promise.all(sources.map((source) => tells(source, 'raised')))

  const long = await open()
  await enter(long, demo.base, demo.user('lead'))
  await many(long)
  await loaded(long)
  const held = await meter(long)
  const through = async () => {
    const end = await scroll(long, 160, 2000)
    must(end > 300_000, `scrolled to ${end} px: the rows are not there`)
    must((await scroll(long, 160, -2000)) === 0, 'it is back at the top')
  }
  await through()
  const before = await held.held()
  await through()
  await through()
  grown('ten thousand rows', before, await held.held())
  await long.context().close()

  const page = await open()
  await enter(page, demo.base, demo.user('admin'))
  const all = routes(quarters[0].id)
  const { held: holds } = await meter(page)
  const go = async (path) => {
    await page.evaluate((path) => document.querySelector('#app').__vue_app__.config.globalProperties.$router.push(path), path)
    await page.waitForURL(demo.base + (path === '/live' ? path : '/**'))
    await settled(page)
  }
  const quiet = async () => {
    let before = ''
    for (let same = 0; same < 3; ) {
      const now = await page.textContent('.tally')
      same = now === before ? same + 1 : 0
      before = now
      await page.waitForTimeout(200)
    }
  }
  async function round(number) {
    const phases = Array.from({ length: UPDATES / sources.length }, (_, n) => (n % 2 === 0 ? 'cleared' : 'raised'))
    const updates = Promise.all(sources.map((source) => tells(source, ...phases)))
    for (let n = 0; n < OPENED; n++) {
      await page.locator(byTest('incident-row')).nth(n % sources.length).click()
      await page.locator(`${byTest('drawer')}[data-version] ${byTest('timeline')}`).waitFor()
      await page.keyboard.press('Escape')
      await page.locator(byTest('drawer')).waitFor({ state: 'detached' })
    }
    for (const path of all) {
      await go(path)
      if (path === '/map' || path === '/wall') await go('/live')
    }
    await go('/live')
    await updates
    await page.locator(byTest('incident-row')).first().waitFor()
    await page.keyboard.press('Escape')
    await quiet()
    const now = await holds()
    console.error(`round ${number}: ${JSON.stringify(now)}`)
    return now
  }
  const rounds = []
  while (rounds.length < ROUNDS) rounds.push(await round(rounds.length + 1))
  grown(`${ROUNDS - WARM} rounds`, rounds[WARM - 1], rounds.at(-1))
}, { patience: 60_000 })
