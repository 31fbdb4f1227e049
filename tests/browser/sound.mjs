// What is heard: a P1 in the first tick after its row is painted, in one of several tabs; again and again, louder after a minute; silence
// acknowledges nothing and ends with the next P1; a page that may not sound yet says so. Called by tests/stories/qualities.rs: `node sound.mjs DEMO`.
import { byTest, enter, expect, live, must, story } from './kit.mjs'
import { event, read, says } from './devices.mjs'
import { P1, ear, patterns, whisper } from './ear.mjs'

const demo = read(process.argv[2])
const TABS = 3
/** Ticks between two patterns of a P1: every 2 s. */
const EVERY = 8
const chip = (state) => `${byTest('sound-chip')}[data-state="${state}"]`

await story('sound', demo.base, async ({ open }) => {
  // one a quarter: no fire confirms another
  const detectors = [...new Map(demo.of('fire_sensor').map((device) => [device.site, device])).values()]
  const smoke = (n) => says(demo, detectors[n], event('fire.smoke', 'raised', { level: 9 }))

  const first = await open()
  const context = first.context()
  await context.addInitScript(ear)
  const posted = []
  context.on('request', (request) => request.method() === 'POST' && posted.push(new URL(request.url()).pathname))
  await enter(first, demo.base, demo.user('wanglei'))
  const session = { cookies: await context.cookies(), origins: [] }
  const tabs = [first]
  while (tabs.length < TABS) {
    const tab = await context.newPage()
    tabs.push(tab)
    await tab.goto(demo.base)
    await live(tab)
    await tab.keyboard.press('g')
  }
  const heard = async () => Promise.all(tabs.map((tab) => tab.evaluate(() => window.heard)))
  const rows = (count) => Promise.all(tabs.map((tab) => tab.waitForFunction(([row, count]) => document.querySelectorAll(row).length === count, [byTest('incident-row'), count])))
  const ticks = (tab, count) => tab.evaluate(async (count) => {
    const until = window.ticks + count
    while (window.ticks < until) await new Promise((done) => setTimeout(done, 50))
  }, count)
  /** Waits until the tab that sounds has played so many patterns of a P1 more. */
  async function rings(tab, more) {
    const from = (await tab.evaluate(() => window.heard)).length
    await tab.waitForFunction(([from, more]) => window.heard.slice(from).filter(({ hertz }) => hertz === 784).length >= more, [from, more])
    return patterns((await tab.evaluate(() => window.heard)).slice(from)).filter(({ what }) => what === P1)
  }

  // the first tick after the row is there
  expect('what is heard before anything happened', (await heard()).flat(), [])
  await smoke(0)
  await rows(1)
  await Promise.all(tabs.map((tab) => ticks(tab, 4)))
  const one = (await heard()).findIndex((tones) => tones.length > 0)
  must(one >= 0, 'nothing sounds')
  const tab = tabs[one]
  const [pattern] = patterns((await heard())[one])
  const painted = await tab.evaluate(() => Object.values(window.rang)[0])
  expect('what a P1 sounds like', pattern.what, P1)
  must(pattern.tick <= painted + 1, `the row was there at tick ${painted}, the sound came at tick ${pattern.tick}`)
  // again and again
  const again = await rings(tab, 2)
  must(again.every(({ loud }) => loud === pattern.loud), 'it is as loud as before')
  must(again[1].tick - again[0].tick <= EVERY + 2, `${again[1].tick - again[0].tick} ticks between two`)

  // silence: nothing is heard for longer than that, in no tab, and nothing is acknowledged
  await tabs[(one + 1) % TABS].keyboard.press(' ')
  await tab.waitForSelector(chip('silenced'))
  await ticks(tab, 2)
  const before = await heard()
  await ticks(tab, 2 * EVERY)
  expect('what is heard in the silence', (await heard()).map((tones, n) => tones.length - before[n].length), before.map(() => 0))
  expect('what silence asked of the hub', posted.filter((path) => path.endsWith('/acknowledge')), [])
  expect('the alarm in the silence', await tab.getAttribute(byTest('incident-row'), 'data-acknowledged'), 'false')

  // the next P1 sounds again
  await smoke(1)
  await rows(2)
  await tab.waitForSelector(chip('armed'))
  await rings(tab, 1)

  // a minute later it is louder
  await Promise.all(tabs.map((tab) => tab.evaluate(() => (window.later = 61_000))))
  const louder = await rings(tab, 2)
  must(louder.at(-1).loud > pattern.loud, `after a minute ${louder.at(-1).loud} instead of more than ${pattern.loud}`)
  const all = await heard()
  expect('tabs that sounded', all.flatMap((tones, n) => (tones.length > 0 ? [n] : [])), [one])

  // acknowledged it is silent
  for (let n = 0; n < 2; n++) {
    await tab.click(byTest('row-acknowledge'))
    await tab.waitForFunction(([button, count]) => document.querySelectorAll(button).length === count, [byTest('row-acknowledge'), 1 - n])
  }
  await tab.waitForFunction((row) => [...document.querySelectorAll(row)].every((one) => one.dataset.acknowledged === 'true'), byTest('incident-row'))
  await ticks(tab, 2)
  const done = (await heard())[one].length
  await ticks(tab, 2 * EVERY)
  expect('what is heard when all is acknowledged', (await heard())[one].length - done, 0)
  await context.close()

  // a page that nobody has touched yet may not sound: it says so, and sounds with the first key
  const quiet = await open({ storageState: session })
  await quiet.addInitScript(ear)
  await quiet.goto(demo.base)
  const state = (name) => whisper(quiet, `document.querySelector('${byTest('sound-chip')}')?.dataset.state === '${name}'`)
  const shows = async (what, is) => {
    const end = Date.now() + 20_000
    while (!(await is())) {
      must(Date.now() < end, what)
      await new Promise((go) => setTimeout(go, 100))
    }
  }
  await shows('the chip says that sound is not armed', () => state('unarmed'))
  await smoke(2)
  await shows('the alarm is on the board', () => whisper(quiet, `document.querySelectorAll('${byTest('incident-row')}[data-acknowledged="false"]').length === 1`))
  await shows('eight ticks go by', () => whisper(quiet, 'window.ticks > Object.values(window.rang)[0] + 8'))
  expect('what is heard of a page that nobody has touched', await whisper(quiet, 'window.heard.length'), 0)
  must(await state('unarmed'), 'the chip still says so')
  const { colour, width } = await whisper(quiet, `(() => { const chip = document.querySelector('${byTest('sound-chip')}'); return { colour: getComputedStyle(chip).color + getComputedStyle(chip).backgroundColor + getComputedStyle(chip).borderColor, width: chip.getBoundingClientRect().width } })()`)
  must(width > 60 && /227, 36, 46/.test(colour), `a chip that is seen: ${width} px, ${colour}`)
  await quiet.keyboard.press('g')
  await quiet.waitForSelector(chip('armed'))
  await quiet.waitForFunction(() => window.heard.length >= 3)
  expect('what is heard then', patterns(await quiet.evaluate(() => window.heard))[0].what, P1)
}, { patience: 30_000 })
