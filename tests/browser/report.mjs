// A resident with a phone on a poor line, in a real browser: writes a report without a network, reloads, gets a network, follows it, is
// asked and is not satisfied. Then a grid captain reports under the own name. Called by tests/stories/report_page.rs:
// `node report.mjs URL LOGIN PASSWORD ARTEFACTS`. Says what has been reached line by line; the station's part is done by the story meanwhile.
import { readFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

const [base, login, password, artefacts] = process.argv.slice(2)
const patience = 60_000
const byTest = (id) => `[data-testid="${id}"]`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const context = await browser.newContext({
  viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, locale: 'zh-CN', colorScheme: 'light',
})
// under the content security policy a script comes in only this way
await context.addInitScript(readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8'))
const page = await context.newPage()
const problems = []
let isOffline = false
page.on('console', (message) => {
  if (message.type() === 'error' && !(isOffline || /ERR_CONNECTION_RESET/.test(message.text()))) problems.push(message.text())
})
page.on('pageerror', (error) => problems.push(String(error)))
context.on('request', (request) => {
  if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) problems.push(`request outside: ${request.url()}`)
})
page.on('dialog', (dialog) => dialog.accept())

const setOffline = async (to) => {
  isOffline = to
  await context.setOffline(to)
}
/** The whole page: on a screen as high as that, so that what sticks to its edge does not cover anything. */
async function whole(look) {
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ width: 360, height: Math.max(height, 740) })
  await look()
  await page.setViewportSize({ width: 360, height: 740 })
}

/** What a screen must keep at 360 px: nothing wider than it, nothing too small for a thumb, nothing that axe finds. */
async function inspect(name) {
  await page.screenshot({ path: `${artefacts}/report-${name}.png` })
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

/** The phone page of a grid captain who has just logged in at the dashboard, on a device of their own. */
async function captain() {
  const device = await browser.newPage({ viewport: { width: 1280, height: 800 }, locale: 'zh-CN' })
  await device.goto(`${base}/login`, { timeout: patience })
  await device.waitForSelector(byTest('report-link'), { timeout: patience })
  await device.screenshot({ path: `${artefacts}/report-login.png` })
  await device.fill(byTest('login-name'), login)
  await device.fill(byTest('login-password'), password)
  await device.click(byTest('login-submit'))
  await device.click('nav a[href="/report"]', { timeout: patience })
  await device.waitForSelector(byTest('submit'), { timeout: patience })
  return device
}

try {
  // larger than what a phone should send over a poor line
  const camera = await browser.newPage({ viewport: { width: 2400, height: 1800 } })
  await camera.setContent('<h1 style="font-size:300px;background:#345;color:#fff;margin:0;height:100vh">3幢1单元</h1>')
  const picture = await camera.screenshot()
  await camera.close()

  const loaded = []
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname))
  await page.goto(`${base}/report`, { timeout: patience })
  await page.waitForSelector(byTest('submit'), { timeout: patience })
  // installed, active, and in charge of this page
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated', undefined, { timeout: patience })
  const foreign = loaded.filter((path) => /\/assets\/index-/.test(path))
  if (foreign.length > 0) problems.push(`the dashboard's code was loaded: ${foreign}`)
  await page.click(byTest('submit'))
  await page.waitForSelector('.need', { timeout: patience })
  await inspectAll('form')
  console.log('READY')

  await setOffline(true)
  await page.waitForSelector(byTest('offline'), { timeout: patience })
  await page.locator('.kinds label').first().click()
  await page.selectOption(byTest('site'), { index: 1 })
  await page.fill(byTest('place'), '3幢1单元电梯口')
  await page.fill(byTest('text'), '楼道里有人给电动车充电，电线从窗口拉出来，有焦味。')
  await page.setInputFiles(byTest('camera'), { name: 'photo.png', mimeType: 'image/png', buffer: picture })
  await page.waitForSelector(byTest('photo'), { timeout: patience })
  await inspectAll('filled')
  await page.click(byTest('submit'))
  await page.waitForSelector(`${byTest('report')}[data-stage="kept"]`, { timeout: patience })
  await inspectAll('kept')
  await page.reload({ timeout: patience })
  await page.waitForSelector(byTest('offline'), { timeout: patience })
  await page.click(byTest('tab-mine'), { timeout: patience })
  await page.waitForSelector(`${byTest('report')}[data-stage="kept"]`, { timeout: patience })
  console.log('KEPT')

  // the first answer gets lost on the line: the report is sent again, and must not become two
  let posts = 0
  await context.route('**/api/v1/reports', async (route) => {
    posts += 1
    if (posts > 1) return route.continue()
    await route.fetch()
    return route.abort('connectionreset')
  })
  await setOffline(false)
  await page.waitForSelector(`${byTest('report')}[data-stage="sent"][data-state]`, { timeout: patience })
  if (posts === 0) problems.push('no answer was lost')
  if (await page.locator(byTest('report')).count() !== 1) problems.push('there is not one report on the phone')
  await whole(() => inspect('sent-zh-light'))
  console.log('SENT')

  await page.waitForSelector(byTest('dissatisfied'), { timeout: patience })
  await inspectAll('asked')
  await page.fill(byTest('ask-note'), '电线还在')
  await page.click(byTest('dissatisfied'))
  await page.waitForSelector(byTest('reopened'), { timeout: patience })
  await inspectAll('reopened')
  if (problems.length > 0) throw new Error(`the browser complained:\n${problems.join('\n')}`)
  console.log('REOPENED')

  const one = await captain()
  await one.locator('.kinds label').last().click()
  await one.selectOption(byTest('site'), { index: 1 })
  await one.fill(byTest('text'), '巡查：东门路灯不亮')
  await one.click(byTest('submit'))
  await one.waitForSelector(`${byTest('report')}[data-stage="sent"][data-state]`, { timeout: patience })
  const other = await captain()
  await other.click(byTest('tab-mine'))
  await other.waitForSelector(`${byTest('report')}:has-text("东门路灯")`, { timeout: patience })
  await other.screenshot({ path: `${artefacts}/report-account.png` })
  console.log('MINE')
} catch (error) {
  await page.screenshot({ path: `${artefacts}/report-failed.png` }).catch(() => {})
  console.error(problems.join('\n'))
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
}
