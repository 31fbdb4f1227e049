// A property manager goes through the pages, in a real browser: what must be there is there, by keyboard too, and a window is planned.
// Called by tests/stories/manager_pages.rs: `node manager.mjs URL LOGIN PASSWORD ARTEFACTS DEVICE`. DEVICE has sent something unreadable.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const [base, login, password, artefacts, device] = process.argv.slice(2)
const patience = 20_000
const byTest = (id) => `[data-testid="${id}"]`
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const page = await browser.newPage({ viewport: { width: 1920, height: 1080 }, locale: 'zh-CN', acceptDownloads: true })
const problems = []
page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
page.on('pageerror', (error) => problems.push(String(error)))
page.on('request', (request) => {
  if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) problems.push(`request outside: ${request.url()}`)
})

const must = (is, what) => {
  if (!is) throw new Error(what)
}
const see = (selector) => page.waitForSelector(selector, { timeout: patience })
/** A link of the bar, as a manager goes there. */
async function go(path) {
  await page.click(`header.top a[href="${path}"]`)
  await page.waitForURL((url) => url.pathname === path, { timeout: patience })
}

/** Neither the page nor a table's row is wider than what there is for it. */
async function fits(name) {
  const over = await page.evaluate(() => ({
    page: document.documentElement.scrollWidth - window.innerWidth,
    rows: Math.max(0, ...[...document.querySelectorAll('.managed .row')].map((row) => row.scrollWidth - row.clientWidth)),
  }))
  must(over.page <= 0 && over.rows <= 0, `${name} is too wide at ${page.viewportSize().width}: ${JSON.stringify(over)}`)
}

/** Nothing that axe finds, in both themes; the small screen scrolls nowhere sideways; a picture of each. */
async function look(name) {
  for (const theme of ['dark', 'light']) {
    await page.evaluate((to) => (document.documentElement.dataset.theme = to), theme)
    // past the colour transitions, if there are any
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe)
    const found = await page.evaluate(async (tags) => {
      const result = await window.axe.run(document, { runOnly: { type: 'tag', values: tags } })
      return result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 4).join(' | ')}`)
    }, tags)
    must(found.length === 0, `axe on ${name}, ${theme}:\n${found.join('\n')}`)
    for (const [width, height] of [[1920, 1080], [1366, 768]]) {
      await page.setViewportSize({ width, height })
      await fits(name)
      await page.screenshot({ path: `${artefacts}/manager-${name}-${theme}-${width}.png` })
    }
    await page.setViewportSize({ width: 1920, height: 1080 })
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = 'dark'))
}

/** The bytes of what a button hands over as a file. */
async function download(button) {
  const [file] = await Promise.all([page.waitForEvent('download', { timeout: patience }), page.click(button)])
  return readFile(await file.path())
}

try {
  await page.goto(base, { timeout: patience })
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  problems.length = 0 // the 401 that sends a stranger to the log-in page is logged by the browser
  await page.click(byTest('login-submit'))
  await see(`${byTest('live-indicator')}[data-state="live"]`)

  // the registry: filters narrow it down, the keys choose, Enter opens
  await go('/devices')
  await see(byTest('device-row'))
  const rows = async () => Number((await page.textContent(byTest('devices-shown'))).match(/\d+/)[0])
  const all = await rows()
  await page.selectOption(byTest('filter-class'), 'fire_sensor')
  must((await rows()) < all, 'a class does not narrow the registry down')
  await page.keyboard.press('Escape')
  await page.fill(byTest('filter-search'), device)
  await page.waitForFunction(([row, id]) => {
    const found = [...document.querySelectorAll(row)]
    return found.length === 1 && found[0].dataset.id === id
  }, [byTest('device-row'), device], { timeout: patience })
  must(page.url().includes(device), 'the filters are not in the address')
  const ledger = (await download(byTest('csv'))).toString('utf8')
  must(ledger.startsWith('\ufeff') && ledger.trimEnd().split('\r\n').length === 2, 'the file does not hold the row that is shown')
  await page.click(byTest('filter-clear'))
  must((await rows()) === all, 'clearing the filters does not bring all devices back')
  await look('devices')
  await page.fill(byTest('filter-search'), device)
  await page.keyboard.press('Escape') // out of the field
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await see(`${byTest('device-page')}[data-id="${device}"]`)
  await see(`${byTest('device-events')} tbody tr`)
  await see(byTest('device-alarms'))
  await see(byTest('device-readings'))
  await look('device')
  await page.keyboard.press('Escape')
  await see(byTest('device-row'))
  must(page.url().includes(device), 'going back loses the filters')

  // alarms: the unreadable message has raised one
  await go('/alarms')
  await see(byTest('alarm-row'))
  await page.keyboard.press('j')
  await see(`${byTest('alarm-detail')} dl`)
  must((await page.locator(byTest('shelve')).count()) === 0, 'a property manager is offered to shelve')
  await look('alarms')

  // maintenance: what stays live is said; a window is planned and ended
  await go('/maintenance')
  must((await page.textContent(byTest('stays-live'))).includes('火警'), 'it is not said that fire alarms stay live')
  await page.click(byTest('plan'))
  await see(byTest('plan-form'))
  await look('maintenance-plan')
  await page.click(byTest('plan-submit'))
  await see(byTest('plan-mistake'))
  await page.selectOption(byTest('plan-site'), { index: 1 })
  await page.fill(byTest('plan-reason'), '更换楼道灯')
  await page.click(byTest('plan-submit'))
  await see(`${byTest('window-row')}[data-state="active"]`)
  await look('maintenance')
  await page.click(byTest('end'))
  await page.click(byTest('end-sure'))
  await see(`${byTest('window-row')}[data-state="ended"]`)

  // history: by device, and as a file
  await go('/history')
  await see(byTest('history-row'))
  await page.fill(byTest('filter-device'), device)
  await page.click(byTest('ask'))
  await page.waitForFunction((row) => document.querySelectorAll(row).length > 0, byTest('history-row'), { timeout: patience })
  await page.locator(byTest('history-row')).first().click()
  await see(`${byTest('history-detail')} dl`)
  await look('history')
  const told = (await download(byTest('csv'))).toString('utf8')
  must(told.startsWith('\ufeff') && told.includes(device), 'the file does not hold the events that are shown')
  for (const tab of ['doors', 'plates']) {
    await page.click(byTest(`tab-${tab}`))
    await see(`${byTest(`tab-${tab}`)}[aria-pressed="true"]`)
  }
  await look('passages')

  // quarantine: why, what to do, every byte
  await go('/quarantine')
  await see(byTest('quarantine-row'))
  await page.keyboard.press('j')
  await see(byTest('quarantine-hint'))
  must((await page.textContent(byTest('raw-hex'))).startsWith('0000  '), 'the bytes are not shown')
  await look('quarantine')

  // the same in English
  await page.click('header.top button[lang="en"]')
  for (const path of ['/devices', '/alarms', '/maintenance', '/history', '/quarantine']) {
    await go(path)
    await see('main h1')
    must(!/[\u4e00-\u9fff]/.test(await page.textContent('main h1')), `the heading of ${path} is not in English`)
    await page.setViewportSize({ width: 1366, height: 768 })
    await fits(`${path} in English`)
    await page.screenshot({ path: `${artefacts}/manager${path.replace('/', '-')}-en-1366.png` })
    await page.setViewportSize({ width: 1920, height: 1080 })
  }
  must(problems.length === 0, `the browser complained:\n${problems.join('\n')}`)
  console.log('DONE')
} catch (error) {
  await page.screenshot({ path: `${artefacts}/manager-failed.png` }).catch(() => {})
  console.error(problems.join('\n'))
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
}
