// One action acknowledges: a key, a click, a tap. The row is hatched in the first frame after it, before the hub has answered, and the key
// goes on to the next that waits. Called by tests/stories/qualities.rs: `node acknowledge.mjs DEMO`, the hub's demo.json.
import { artefacts, byTest, desk, enter, expect, must, settled, story } from './kit.mjs'
import { event, read, says } from './devices.mjs'

const demo = read(process.argv[2])
const row = (id, more = '') => `${byTest('incident-row')}[data-id="${id}"]${more}`
/** The one that is painted next, or the one after it when the press came while it was being made. */
const FRAMES = 2

/** From the next press, click or tap on: in which frame the row is hatched, and in which the selection is elsewhere. */
function watch([row, kind]) {
  window.watched = new Promise((done) => {
    addEventListener(kind, () => {
      const found = { hatched: null, selected: null, isSelected: null }
      let frame = 0
      const look = () => {
        frame += 1
        const element = document.querySelector(row)
        if (element?.matches('.asked') && getComputedStyle(element).backgroundImage.includes('repeating')) found.hatched ??= frame
        const selected = document.querySelector('[aria-selected="true"]')?.dataset.id ?? null
        if (selected !== element?.dataset.id) {
          found.selected ??= frame
          found.isSelected ??= selected
        }
        if (frame < 20) requestAnimationFrame(look)
        else done(found)
      }
      requestAnimationFrame(look)
    }, { capture: true, once: true })
  })
}

await story('acknowledge', demo.base, async ({ open }) => {
  const doors = demo.of('access').slice(0, 6)
  await Promise.all(doors.map((door) => says(demo, door, event('access.forced_open'))))

  /** Acknowledges a row and says what was seen; the hub hears of it only after that. */
  async function by(page, id, kind, act) {
    let release
    const held = new Promise((go) => (release = go))
    const asked = []
    await page.route('**/acknowledge', async (route) => {
      asked.push(route.request().url())
      await held
      await route.continue()
    })
    await page.evaluate(watch, [row(id), kind])
    await act()
    const found = await page.evaluate(() => window.watched)
    must(found.hatched !== null && found.hatched <= FRAMES, `by ${kind} the row is hatched in frame ${found.hatched}`)
    expect(`what ${kind} asked of the hub`, asked.map((url) => url.includes(id)), [true])
    expect('the row before the answer', await page.getAttribute(row(id), 'data-acknowledged'), 'false')
    if (kind === 'click') await page.screenshot({ path: `${artefacts}/acknowledge-${page.viewportSize().width}.png` })
    release()
    await page.waitForSelector(row(id, '[data-acknowledged="true"]:not(.asked)'))
    await page.unroute('**/acknowledge')
    return found
  }
  const waiting = (page) => page.$$eval(`${byTest('incident-row')}[data-acknowledged="false"]`, (rows) => rows.map((row) => row.dataset.id))
  /** All six, and nothing moves under the pointer any more. */
  const ready = (page, count) => page.waitForFunction(([row, count]) => document.querySelectorAll(row).length === count, [`${byTest('incident-row')}[data-acknowledged="false"]`, count])

  const page = await open({ viewport: desk })
  await enter(page, demo.base, demo.user('wanglei'))
  await ready(page, doors.length)
  await page.keyboard.press('j')
  const [first, second] = await waiting(page)
  await page.waitForSelector(row(first, '[aria-selected="true"]'))
  const key = await by(page, first, 'keydown', () => page.keyboard.press('a'))
  must(key.selected !== null && key.selected <= FRAMES, `the selection goes on in frame ${key.selected}`)
  expect('what is selected then', key.isSelected, second)

  // by mouse: the selection stays where it is, and nothing opens
  await page.keyboard.press('Escape')
  const [, third] = await waiting(page)
  await by(page, third, 'click', () => page.click(row(third, ` ${byTest('row-acknowledge')}`)))
  expect('a drawer after a click', await page.$(byTest('drawer')), null)
  expect('a selection after a click', await page.$('[aria-selected="true"]'), null)
  expect('who has the focus after a click', await page.evaluate(() => document.activeElement.localName), 'body')
  // the selected one by mouse: it goes on as by key
  await page.keyboard.press('j')
  const [fourth, fifth] = await waiting(page)
  await page.waitForSelector(row(fourth, '[aria-selected="true"]'))
  const click = await by(page, fourth, 'click', () => page.click(row(fourth, ` ${byTest('row-acknowledge')}`)))
  expect('what is selected after a click on the selected one', click.isSelected, fifth)

  // by finger
  const tablet = await open({ viewport: { width: 1366, height: 768 }, hasTouch: true })
  await enter(tablet, demo.base, demo.user('lead'))
  await ready(tablet, doors.length - 3)
  await settled(tablet)
  const [last] = await waiting(tablet)
  const button = row(last, ` ${byTest('row-acknowledge')}`)
  const { width, height } = await tablet.locator(button).boundingBox()
  must(width >= 24 && height >= 24, `a target of ${width}×${height} px`)
  await by(tablet, last, 'click', () => tablet.tap(button))
  expect('a drawer after a tap', await tablet.$(byTest('drawer')), null)

  // whoever may not acknowledge is offered nothing
  const guest = await open()
  await enter(guest, demo.base, demo.user('fire'))
  await guest.waitForSelector(byTest('incident-row'))
  expect('what a responder is offered', await guest.$(byTest('row-acknowledge')), null)
})
