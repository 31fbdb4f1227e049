// Several tabs of one browser at the board. Called by tests/stories/live.rs: `node live.mjs URL LOGIN PASSWORD`.
// Says READY when the first tab is live; then each line of its input is asked for, and answered by one line of JSON.
import { createInterface } from 'node:readline'
import { artefacts, byTest, enter, live, story } from './kit.mjs'

const [base, login, password] = process.argv.slice(2)

// what a tab sounds, in hertz
function listen() {
  window.sounded = []
  const start = OscillatorNode.prototype.start
  OscillatorNode.prototype.start = function (...when) {
    window.sounded.push(Math.round(this.frequency.value))
    return start.apply(this, when)
  }
}
const tabs = []
let context

async function another() {
  const page = await context.newPage()
  tabs.push(page)
  await page.goto(base)
  await live(page)
}

const asked = {
  tabs: async (n) => {
    while (tabs.length < Number(n)) await another()
    return tabs.length
  },
  state: async (is) => {
    await Promise.all(tabs.map((page) => live(page, is)))
    return is
  },
  // what each tab shows: the incidents with their states
  boards: () =>
    Promise.all(tabs.map((page) => page.$$eval(byTest('incident-row'), (rows) => rows.map((row) => `${row.dataset.id} ${row.dataset.state}`).sort()))),
  bars: () =>
    Promise.all(tabs.map((page) => page.$$eval(byTest('not-live'), ([bar]) => bar && { text: bar.textContent, colour: getComputedStyle(bar).backgroundColor }))),
  // how many tones of which pitch each tab began since it was asked last
  sounds: () => Promise.all(tabs.map((page) => page.evaluate(() => window.sounded.splice(0)))),
  chips: () => Promise.all(tabs.map((page) => page.getAttribute(byTest('sound-chip'), 'data-state'))),
  // which tabs ask for the password
  locked: () =>
    Promise.all(tabs.map((page) => page.$$eval(byTest('session-over'), (forms) => forms.length > 0))),
  unlock: async (n, secret) => {
    await tabs[Number(n)].fill(byTest('session-password'), secret)
    await tabs[Number(n)].click(byTest('session-submit'))
    return n
  },
  // the session that the tabs share
  cookie: async () => (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join('; '),
  press: async (n, key) => {
    await tabs[Number(n)].keyboard.press(key)
    return key
  },
  close: async (n) => {
    const [page] = tabs.splice(Number(n), 1)
    await page.close()
    return tabs.length
  },
  // closed as a crash closes it: no farewell
  crash: async (n) => {
    const [page] = tabs.splice(Number(n), 1)
    const cdp = await context.newCDPSession(page)
    cdp.send('Page.crash').catch(() => {})
    return tabs.length
  },
  picture: async (name) => {
    await tabs[0].screenshot({ path: `${artefacts}/live-${name}.png` })
    return name
  },
}

const switches = ['--autoplay-policy=no-user-gesture-required']
const quiet = /status of 401|ERR_|Failed to load/ // lines that are cut and a session that ends are the story
await story('live', base, async ({ open, allow }) => {
  allow(quiet)
  const page = await open()
  context = page.context()
  await context.addInitScript(listen)
  tabs.push(page)
  await enter(page, base, { login, password })
  console.log('READY')
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, ...rest] = line.split(' ')
    console.log(JSON.stringify(await asked[what](...rest)))
  }
}, { patience: 30_000, more: switches })
