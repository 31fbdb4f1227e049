// An administrator goes through the administration's pages, in a real browser, beside the new user whom they make and disable.
// Called by tests/stories/admin_pages.rs: `node admin.mjs URL LOGIN PASSWORD ARTEFACTS`.
import { readFile } from 'node:fs/promises'
import { createHmac } from 'node:crypto'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const [base, login, password, artefacts] = process.argv.slice(2)
const patience = 20_000
const byTest = (id) => `[data-testid="${id}"]`
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const problems = []
/** A browser of its own: another cookie. */
async function open() {
  const context = await browser.newContext({ viewport: { width: 1920, height: 1080 }, locale: 'zh-CN', acceptDownloads: true })
  const page = await context.newPage()
  page.setDefaultTimeout(patience)
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('request', (request) => {
    if (!request.url().startsWith(base) && !/^(data|blob):/.test(request.url())) problems.push(`request outside: ${request.url()}`)
  })
  return page
}
const page = await open()
page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))

const must = (is, what) => {
  if (!is) throw new Error(what)
}
const see = (selector, where = page) => where.waitForSelector(selector)

async function logIn(where, name, secret) {
  await where.goto(`${base}/login`)
  await where.fill(byTest('login-name'), name)
  await where.fill(byTest('login-password'), secret)
  await where.click(byTest('login-submit'))
}

async function go(path) {
  await page.click(`.admin-tabs a[href="${path}"]`)
  await page.waitForURL((url) => url.pathname === path)
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
      await page.screenshot({ path: `${artefacts}/admin-${name}-${theme}-${width}.png` })
    }
    await page.setViewportSize({ width: 1920, height: 1080 })
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = 'dark'))
}

/** What an app with this secret shows (RFC 6238), now or some intervals later. */
function totp(secret, later = 0) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)))
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later))
  const digest = createHmac('sha1', key).update(step).digest()
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

let other = null
try {
  await logIn(page, login, password)
  await see(`${byTest('live-indicator')}[data-state="live"]`)
  problems.length = 0 // the 401 that asks a stranger to log in is logged by the browser
  await page.click('header.top a[href="/admin"]')
  await see(byTest('user-row'))
  await look('users')

  // a new user, with a password that is shown once
  await page.click(byTest('user-new'))
  await see(byTest('user-form'))
  await look('user-new')
  await page.fill(byTest('user-login'), 'zhou')
  await page.fill(byTest('user-name'), '周敏')
  await page.selectOption(byTest('user-role'), 'operator')
  await page.click(byTest('user-submit'))
  const first = await page.inputValue(byTest('once-secret'))
  must(first.length === 23, 'the first password is not shown')
  await look('user-made')
  await page.click(byTest('once-close'))
  must(!(await page.content()).includes(first), 'the password stays on the page')

  // who chooses another one before anything else
  other = await open()
  await logIn(other, 'zhou', first)
  await see(byTest('owes-password'), other)
  await other.goto(`${base}/live`)
  await see(byTest('owes-password'), other)
  await other.screenshot({ path: `${artefacts}/admin-owes.png` })
  await other.fill(byTest('password-current'), first)
  await other.fill(byTest('password-new'), '四个词放在一起就是好口令')
  await other.fill(byTest('password-again'), '四个词放在一起就是好口令')
  await other.click(byTest('password-submit'))
  await see(`${byTest('live-indicator')}[data-state="live"]`, other)

  // and sets up a second step: from then on the password alone lets nobody in, and no code is good twice
  await other.click('header.top a[href="/account"]')
  await other.fill(byTest('second-password'), '四个词放在一起就是好口令')
  await other.click(byTest('second-begin'))
  const shared = (await other.textContent(byTest('second-secret'))).trim()
  await see(byTest('second-picture'), other)
  await other.screenshot({ path: `${artefacts}/admin-second-step.png` })
  const code = totp(shared)
  await other.fill(byTest('second-code'), code)
  await other.click(byTest('second-confirm'))
  await see(byTest('recovery-codes'), other)
  must((await other.locator(`${byTest('recovery-codes')} li`).count()) === 10, 'there are not ten recovery codes')
  await other.click(byTest('second-done'))
  await see(`${byTest('second-step')}[data-state="on"]`, other)
  await other.context().clearCookies()
  await logIn(other, 'zhou', '四个词放在一起就是好口令')
  await see(byTest('login-code'), other)
  await other.fill(byTest('login-code'), code)
  await other.click(byTest('login-submit'))
  await see('form [role="alert"]', other)
  await other.fill(byTest('login-code'), totp(shared, 1))
  await other.click(byTest('login-submit'))
  await see(`${byTest('live-indicator')}[data-state="live"]`, other)

  // and is gone when disabled
  const row = `${byTest('user-row')}[data-id="zhou"]`
  await page.click(row)
  await page.click(byTest('user-disable'))
  await page.click(byTest('user-sure'))
  await see(byTest('user-disabled'))
  await see(`${row}[data-state="disabled"]`)
  await see(byTest('session-over'), other)
  await other.screenshot({ path: `${artefacts}/admin-disabled.png` })
  await look('user-disabled')
  await page.click(byTest('user-enable'))
  await page.click(byTest('user-sure'))
  await page.waitForSelector(byTest('user-disabled'), { state: 'detached' })
  // nobody is offered to lock themselves out
  await page.click(`${byTest('user-row')}[data-id="${login}"]`)
  await see(byTest('user-reset_password'))
  must((await page.locator(byTest('user-disable')).count()) === 0, 'an administrator is offered to disable themselves')

  // a token: made, used, revoked
  await go('/admin/tokens')
  await see(byTest('token-row'))
  await page.click(byTest('token-new'))
  await page.fill(byTest('token-label'), 'Grafana')
  await page.selectOption(byTest('token-role'), 'auditor')
  await look('token-new')
  await page.click(byTest('token-submit'))
  const secret = await page.inputValue(byTest('once-secret'))
  const asks = async () => (await fetch(`${base}/api/v1/incidents`, { headers: { authorization: `Bearer ${secret}` } })).status
  must((await asks()) === 200, 'the token is not good')
  await page.click(byTest('once-close'))
  await page.click(byTest('token-revoke'))
  await page.click(byTest('token-sure'))
  await page.waitForSelector(byTest('token-sure'), { state: 'detached' })
  must((await asks()) === 401, 'a revoked token is good')
  await look('tokens')

  // the audit log has all of it, narrowed down to one user; and it is as it was written
  await go('/admin/audit')
  await see(byTest('audit-row'))
  await page.fill(byTest('filter-object'), 'account:zhou')
  await page.click(byTest('ask'))
  await see(`${byTest('audit-row')}[data-state="disable_user"]`)
  await page.click(`${byTest('audit-row')}[data-state="disable_user"]`)
  await see(`${byTest('audit-detail')} dl`)
  must((await page.textContent(byTest('audit-detail'))).includes(login), 'it is not said who disabled')
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(byTest('csv'))])
  const table = await readFile(await file.path(), 'utf8')
  must(table.startsWith('\ufeff') && table.includes('account:zhou'), 'the file does not hold the rows that are shown')
  await page.click(byTest('verify'))
  await see(`${byTest('verdict')}[data-state="holds"]`)
  await look('audit')
  await page.emulateMedia({ media: 'print' })
  await page.pdf({ path: `${artefacts}/admin-audit.pdf`, landscape: true, format: 'A4' })
  await page.emulateMedia({ media: 'screen' })

  // the system: it says that it is ready, and what it counted
  await go('/admin/system')
  await see(`${byTest('system-ready')}[data-state="ready"]`)
  await see(`${byTest('system-counters')} dl`)
  await page.click(byTest('sound-test'))
  await look('system')

  // the same in English
  await page.click('header.top button[lang="en"]')
  for (const path of ['/admin/users', '/admin/tokens', '/admin/audit', '/admin/system']) {
    await go(path)
    await see('main h1')
    must(!/[\u4e00-\u9fff]/.test(await page.textContent('main h1')), `the heading of ${path} is not in English`)
    await page.setViewportSize({ width: 1366, height: 768 })
    await fits(`${path} in English`)
    await page.screenshot({ path: `${artefacts}/admin${path.replaceAll('/', '-')}-en-1366.png` })
    await page.setViewportSize({ width: 1920, height: 1080 })
  }
  must(problems.length === 0, `the browser complained:\n${problems.join('\n')}`)
  console.log('DONE')
} catch (error) {
  await page.screenshot({ path: `${artefacts}/admin-failed.png` }).catch(() => {})
  await other?.screenshot({ path: `${artefacts}/admin-failed-other.png` }).catch(() => {})
  console.error(problems.join('\n'))
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
}
