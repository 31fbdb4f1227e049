// The wall of the station, in a real browser: a smoke alarm comes into the lane without a touch, and a hub that falls silent is NOT LIVE.
// Called by tests/stories/wall.rs: `node wall.mjs URL LOGIN PASSWORD`. Says what has been reached line by line; the story lets it
// smoke and ends the hub.
import { artefacts, byTest, enter, expect, story } from './kit.mjs'
import { barriers, clipped, tooWide } from './inspect.mjs'

const [base, login, password] = process.argv.slice(2)

await story('wall', base, async ({ open, allow, problems }) => {
  const page = await open()
  /** What a wall must keep: nothing to scroll, nothing cut off, no small letters outside the plan, nothing that axe finds. */
  async function inspect(name) {
    await page.screenshot({ path: `${artefacts}/wall-${name}.png` })
    const over = await page.evaluate(() => document.documentElement.scrollHeight - innerHeight)
    if (over > 0) problems.push(`${name}: ${over} px higher than the screen`)
    const small = await page.evaluate(() => [...document.querySelectorAll('main *')]
      .filter((element) => element.closest('svg') === null && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
      .filter((element) => element.getBoundingClientRect().width > 0 && parseFloat(getComputedStyle(element).fontSize) < 19)
      .map((element) => element.outerHTML.slice(0, 120)))
    small.forEach((text) => problems.push(`${name}: too small to be read from there: ${text}`))
    const wrong = [...(await tooWide(page)), ...(await clipped(page)), ...(await barriers(page))]
    wrong.forEach((what) => problems.push(`${name}: ${what}`))
  }

  await enter(page, `${base}/wall`, { login, password })
  await inspect('quiet')
  console.log('READY')

  await page.waitForSelector(`${byTest('wall-lane')} ${byTest('wall-row')}[data-severity="P1"]`)
  await inspect('alarm-dark')
  await page.keyboard.press('t')
  await page.waitForSelector('html[data-theme="light"]')
  await inspect('alarm-light')
  // letters for another distance, as the system page works them out
  await page.goto(`${base}/wall?px=28`)
  await page.waitForSelector(`${byTest('wall-lane')} ${byTest('wall-row')}[data-severity="P1"]`)
  const letters = await page.$eval(byTest('wall'), (wall) => parseFloat(getComputedStyle(wall).fontSize) * parseFloat(getComputedStyle(wall).zoom))
  expect('letters on the wall', Math.round(letters), 28)
  await inspect('alarm-large')
  allow(/ERR_|status of 5/) // the hub is killed
  console.log('ALARM')

  await page.waitForSelector(byTest('not-live'))
  await inspect('not-live')
}, { patience: 60_000 })
