// An operator at the board, in a real browser: logs in, sees a smoke alarm come without a reload, handles it by keyboard alone.
// Called by tests/stories/browser.rs: `node board.mjs URL LOGIN PASSWORD ARTEFACTS`. Says READY when the board is live.
import { chromium } from 'playwright-core'

const [base, login, password, artefacts] = process.argv.slice(2)
const patience = 20_000
const byTest = (id) => `[data-testid="${id}"]`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const page = await browser.newPage({ viewport: { width: 1920, height: 1080 }, locale: 'zh-CN' })
const problems = []
let navigations = 0
page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
page.on('pageerror', (error) => problems.push(String(error)))
page.on('request', (request) => {
  if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) problems.push(`request outside: ${request.url()}`)
})

try {
  await page.goto(base, { timeout: patience })
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  problems.length = 0 // the 401 that sends a stranger to the log-in page is logged by the browser
  await page.click(byTest('login-submit'))
  await page.waitForSelector(`${byTest('live-indicator')}[data-state="live"]`, { timeout: patience })
  page.on('framenavigated', () => navigations++)
  console.log('READY')

  const row = page.locator(`${byTest('incident-row')}[data-severity="P1"]`).first()
  await row.waitFor({ timeout: patience })
  const id = await row.getAttribute('data-id')
  await page.screenshot({ path: `${artefacts}/board-alarm.png` })

  // by keyboard alone: select, open, acknowledge, claim, arrive, resolve
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.waitForSelector(byTest('drawer'), { timeout: patience })
  await page.keyboard.press('a')
  await page.waitForSelector(`${byTest('drawer')}[data-acknowledged="true"]`, { timeout: patience })
  await page.keyboard.press('c')
  await page.waitForSelector(`${byTest('drawer')}[data-held="true"]`, { timeout: patience })
  await page.screenshot({ path: `${artefacts}/board-claimed.png` })
  await page.keyboard.press('v')
  await page.waitForSelector(`${byTest('drawer')}[data-lead="on_scene"]`, { timeout: patience })
  console.log('ON SCENE')
  await page.waitForSelector(`${byTest('drawer')}[data-lasting="false"]`, { timeout: patience })
  await page.keyboard.press('r')
  await page.waitForSelector(byTest('resolve-form'), { timeout: patience })
  await page.keyboard.press('Enter')
  await page.waitForSelector(`${byTest('drawer')}[data-state="resolved"]`, { timeout: patience })
  await page.screenshot({ path: `${artefacts}/board-resolved.png` })
  // the drawer shows what the command answered, the row follows with the feed
  const isOver = ([row, id]) => {
    const found = document.querySelector(`${row}[data-id="${id}"]`)
    return found === null || found.dataset.state === 'resolved'
  }
  await page.waitForFunction(isOver, [byTest('incident-row'), id], { timeout: patience })
  if (navigations > 0) throw new Error(`the page navigated ${navigations} times: it must not reload`)
  if (problems.length > 0) throw new Error(`the browser complained:\n${problems.join('\n')}`)
  console.log('DONE')
} catch (error) {
  await page.screenshot({ path: `${artefacts}/board-failed.png` }).catch(() => {})
  console.error(problems.join('\n'))
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
}
