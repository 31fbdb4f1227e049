// A responder of the micro fire station with a phone, in a real browser: sees a smoke alarm come, claims it on a line that breaks, arrives,
// says how it stands, and resolves after the smoke has cleared; sees the list without a line, and who was faster. Called by
// tests/stories/phone_page.rs: `node work.mjs URL LOGIN PASSWORD DEVICE ARTEFACTS`. Says what has been reached line by line; detectors and
// colleagues are the story's.
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

const [base, login, password, device, artefacts] = process.argv.slice(2)
const patience = 60_000
const size = { width: 390, height: 844 }
const byTest = (id) => `[data-testid="${id}"]`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const context = await browser.newContext({
  viewport: size, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: 'zh-CN', colorScheme: 'light',
})
// under the content security policy a script comes in only this way
await context.addInitScript(readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8'))
// what the phone's motor is told
await context.addInitScript(() => {
  globalThis.shaken = 0
  navigator.vibrate = (pattern) => {
    if (Array.isArray(pattern)) globalThis.shaken += 1
    return true
  }
})
const page = await context.newPage()
const problems = []
let isQuiet = true // a stranger is answered with 401, a broken line and a refusal are errors to the browser
page.on('console', (message) => message.type() === 'error' && !isQuiet && problems.push(message.text()))
page.on('pageerror', (error) => problems.push(String(error)))
context.on('request', (request) => {
  if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) problems.push(`request outside: ${request.url()}`)
})
page.on('dialog', (dialog) => dialog.accept())

/** The whole page: on a screen as high as that, so that what sticks to its edge does not cover anything. */
async function whole(look) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ ...size, height: Math.max(height, size.height) })
  await look()
  await page.setViewportSize(size)
}

/** What a screen must keep: nothing wider than it, nothing too small for a thumb, nothing that axe finds. */
async function inspect(name) {
  await page.screenshot({ path: `${artefacts}/work-${name}.png` })
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  if (wide > 0) problems.push(`${name}: ${wide} px wider than the screen`)
  const small = await page.evaluate(() => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
    .map((element) => ({ box: element.getBoundingClientRect(), text: element.outerHTML.slice(0, 120) }))
    .filter(({ box }) => box.width > 0 && (box.height < 44 || box.width < 44))
    .map(({ box, text }) => `${Math.round(box.width)}×${Math.round(box.height)} ${text}`))
  small.forEach((text) => problems.push(`${name}: too small for a thumb: ${text}`))
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const found = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: { type: 'tag', values: tags } }), tags)
  for (const { id, help, nodes } of found.violations) problems.push(`${name}: axe ${id}: ${help}: ${nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`)
}

/** The screen as it is, in both languages and both themes; left in Chinese and light. */
async function inspectAll(name) {
  await whole(() => inspect(`${name}-zh-light`))
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.click(byTest('language'))
  await whole(() => inspect(`${name}-en-dark`))
  await page.emulateMedia({ colorScheme: 'light' })
  await page.click(byTest('language'))
}

const task = (state = '') => page.locator(`${byTest('task')}[data-device="${device}"][data-severity="P1"]${state}`)
const inTask = (id) => task().locator(byTest(id))

try {
  await page.goto(`${base}/work`, { timeout: patience })
  await page.waitForSelector(byTest('login-name'), { timeout: patience })
  await inspectAll('login')
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  await page.click(byTest('login-submit'))
  await page.waitForSelector(`${byTest('line')}[data-line="feed"]`, { timeout: patience })
  await page.waitForSelector(`${byTest('sound')}[data-armed="true"]`, { timeout: patience })
  isQuiet = false
  console.log('READY')

  await task('[data-state="dispatched"]').waitFor({ timeout: patience })
  await page.waitForFunction(() => globalThis.shaken > 0, undefined, { timeout: patience })
  await page.waitForSelector(byTest('silence'), { timeout: patience })
  await inspectAll('alarm')
  await page.click(byTest('silence'))
  await page.waitForSelector(byTest('silence'), { state: 'detached', timeout: patience })

  // it gets lost on the line: the phone says so, and the next tap sends the same again
  isQuiet = true
  const keys = []
  await context.route('**/claim', async (route) => {
    keys.push(await route.request().headerValue('Idempotency-Key'))
    if (keys.length > 1) return route.continue()
    return route.abort('connectionreset')
  })
  await inTask('verb-claim').click()
  await inTask('unsent').waitFor({ timeout: patience })
  await inspectAll('unsent')
  await inTask('send-again').click()
  await task(`[data-state="claimed"][data-holder="${login}"]`).waitFor({ timeout: patience })
  if (keys.length !== 2 || keys[0] !== keys[1]) problems.push(`not the same claim again: ${keys}`)
  isQuiet = false
  await inspectAll('claimed')
  await inTask('verb-arrive').click()
  await task('[data-state="on_scene"]').waitFor({ timeout: patience })
  await inTask('verb-progress').click()
  await inTask('note').fill('厨房油烟，已开窗通风')
  await inspectAll('progress')
  await inTask('submit').click()
  await task().locator('.timeline q').filter({ hasText: '已开窗' }).waitFor({ timeout: patience })
  if (await inTask('verb-resolve').isEnabled()) problems.push('it can be resolved while the detector still sees smoke')

  // without a line the list stays, says how old it is, and outlasts a reload
  isQuiet = true
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', undefined, { timeout: patience })
  await context.setOffline(true)
  await page.waitForSelector(byTest('stale'), { timeout: patience })
  await page.reload({ timeout: patience })
  await task('[data-state="on_scene"]').waitFor({ timeout: patience })
  await page.waitForSelector(byTest('stale'), { timeout: patience })
  await inspectAll('offline')
  console.log('ON SCENE')

  await context.setOffline(false)
  await task('[data-lasting="false"]').waitFor({ timeout: patience })
  await page.waitForSelector(`${byTest('line')}[data-line="feed"]`, { timeout: patience })
  isQuiet = false
  await inTask('verb-resolve').click()
  await inTask('submit').click()
  await task().locator('.need').first().waitFor({ timeout: patience })
  await task().locator('label', { has: page.locator(byTest('cause-cooking')) }).click()
  await inTask('note').fill('住户炒菜，无明火')
  await inspectAll('resolve')
  await inTask('submit').click()
  await task().waitFor({ state: 'detached', timeout: patience })
  await page.waitForSelector(`${byTest('notice')}[data-key="took"]`, { timeout: patience })
  await inspectAll('resolved')
  console.log('RESOLVED')

  // a colleague is faster, and the phone has not heard of it yet
  await task('[data-state="dispatched"]').waitFor({ timeout: patience })
  isQuiet = true
  await context.setOffline(true)
  await inTask('verb-claim').click()
  await inTask('unsent').waitFor({ timeout: patience })
  console.log('LATE')
  // the line comes back when the colleague has it
  await new Promise((resolve) => process.stdin.once('data', resolve))
  await context.setOffline(false)
  await page.waitForSelector(`${byTest('notice')}[data-key="moot"], ${byTest('notice')}[data-key="taken"]`, { timeout: patience })
  if (await task('[data-state="claimed"]').getAttribute('data-holder') === login) problems.push('the late claim won')
  await inspectAll('late')

  await page.click(byTest('logout'))
  await page.waitForSelector(byTest('login-name'), { timeout: patience })
  const left = await page.evaluate(() => localStorage.getItem('jiming.work.kept'))
  if (left !== null) problems.push('the list of tasks stays on the phone after logging out')
  if (problems.length > 0) throw new Error(`the browser complained:\n${problems.join('\n')}`)
  console.log('DONE')
} catch (error) {
  await page.screenshot({ path: `${artefacts}/work-failed.png` }).catch(() => {})
  console.error(problems.join('\n'))
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
  process.stdin.destroy()
}
