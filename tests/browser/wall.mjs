// The wall of the station, in a real browser: a smoke alarm comes into the lane without a touch, and a hub that falls silent is NOT LIVE.
// Called by tests/stories/wall.rs: `node wall.mjs URL LOGIN PASSWORD ARTEFACTS`. Says what has been reached line by line; the story lets it
// smoke and ends the hub.
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
const context = await browser.newContext({ viewport: { width: 1920, height: 1080 }, locale: 'zh-CN' })
// under the content security policy a script comes in only this way
await context.addInitScript(readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8'))
const page = await context.newPage()
const problems = []
page.on('pageerror', (error) => problems.push(String(error)))
context.on('request', (request) => {
  if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) problems.push(`request outside: ${request.url()}`)
})

/** What a wall must keep: nothing to scroll, nothing cut off, no small letters outside the plan, nothing that axe finds. */
async function inspect(name) {
  await page.screenshot({ path: `${artefacts}/wall-${name}.png` })
  const over = await page.evaluate(() => {
    const root = document.documentElement
    return [root.scrollWidth - innerWidth, root.scrollHeight - innerHeight]
  })
  if (over.some((pixels) => pixels > 0)) problems.push(`${name}: larger than the screen by ${over}`)
  const small = await page.evaluate(() => [...document.querySelectorAll('main *')]
    .filter((element) => element.closest('svg') === null && [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim() !== ''))
    .filter((element) => element.getBoundingClientRect().width > 0 && parseFloat(getComputedStyle(element).fontSize) < 19)
    .map((element) => element.outerHTML.slice(0, 120)))
  small.forEach((text) => problems.push(`${name}: too small to be read from there: ${text}`))
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  const found = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: { type: 'tag', values: tags } }), tags)
  for (const { id, help, nodes } of found.violations) problems.push(`${name}: axe ${id}: ${help}: ${nodes.map((n) => n.html.slice(0, 160)).join(' | ')}`)
}

try {
  await page.goto(`${base}/wall`, { timeout: patience })
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  await page.click(byTest('login-submit'))
  await page.waitForSelector(`${byTest('wall')} ${byTest('live-indicator')}[data-state="live"]`, { timeout: patience })
  await inspect('quiet')
  console.log('READY')

  await page.waitForSelector(`${byTest('wall-lane')} ${byTest('wall-row')}[data-severity="P1"]`, { timeout: patience })
  await inspect('alarm-dark')
  await page.keyboard.press('t')
  await page.waitForSelector('html[data-theme="light"]', { timeout: patience })
  await inspect('alarm-light')
  console.log('ALARM')

  await page.waitForSelector(byTest('not-live'), { timeout: patience })
  await inspect('not-live')
  if (problems.length > 0) throw new Error(`the browser complained:\n${problems.join('\n')}`)
  console.log('NOT LIVE')
} catch (error) {
  await page.screenshot({ path: `${artefacts}/wall-failed.png` }).catch(() => {})
  console.error(problems.join('\n'))
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
}
