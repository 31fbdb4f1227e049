// Several tabs of one browser at the board. Called by tests/stories/live.rs: `node live.mjs URL LOGIN PASSWORD ARTEFACTS`.
// Says READY when the first tab is live; then each line of its input is asked for, and answered by one line of JSON.
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const [base, login, password, artefacts] = process.argv.slice(2)
const patience = 30_000
const byTest = (id) => `[data-testid="${id}"]`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--autoplay-policy=no-user-gesture-required'],
})
const context = await browser.newContext({ viewport: { width: 1920, height: 1080 }, locale: 'zh-CN' })
// what a tab sounds, in hertz
await context.addInitScript(() => {
  window.sounded = []
  const start = OscillatorNode.prototype.start
  OscillatorNode.prototype.start = function (...when) {
    window.sounded.push(Math.round(this.frequency.value))
    return start.apply(this, when)
  }
})
const tabs = []

async function live(page, is = 'live') {
  await page.waitForSelector(`${byTest('live-indicator')}[data-state="${is}"]`, { timeout: patience })
}

async function open() {
  const page = await context.newPage()
  tabs.push(page)
  await page.goto(base, { timeout: patience })
  return page
}

const asked = {
  tabs: async (n) => {
    while (tabs.length < Number(n)) await live(await open())
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

try {
  const page = await open()
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  await page.click(byTest('login-submit'))
  await live(page)
  console.log('READY')
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, ...rest] = line.split(' ')
    console.log(JSON.stringify(await asked[what](...rest)))
  }
} catch (error) {
  await tabs[0]?.screenshot({ path: `${artefacts}/live-failed.png` }).catch(() => {})
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
  // an input that nobody reads any more would keep it waiting
  process.exit()
}
