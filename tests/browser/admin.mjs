// An administrator goes through the administration's pages, in a real browser, beside the new user whom they make and disable.
// Called by tests/stories/admin_pages.rs: `node admin.mjs URL LOGIN PASSWORD`.
import { readFile } from 'node:fs/promises'
import { createHmac } from 'node:crypto'
import { artefacts, byTest, desk, enter, live, must, settled, small, story } from './kit.mjs'
import { barriers } from './inspect.mjs'

const [base, login, password] = process.argv.slice(2)

/** What an app with this secret shows (RFC 6238), now or some intervals later. */
function totp(secret, later = 0) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('')
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)))
  const step = Buffer.alloc(8)
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + later))
  const digest = createHmac('sha1', key).update(step).digest()
  return String((digest.readUInt32BE(digest[19] & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}

await story('admin', base, async ({ open, allow }) => {
  allow(/status of 4/) // a session that ends and a code that is refused are part of the story
  const page = await open({ acceptDownloads: true })
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
      await settled(page)
      const found = await barriers(page)
      must(found.length === 0, `${name}, ${theme}:\n${found.join('\n')}`)
      for (const size of [desk, small]) {
        await page.setViewportSize(size)
        await fits(name)
        await page.screenshot({ path: `${artefacts}/admin-${name}-${theme}-${size.width}.png` })
      }
      await page.setViewportSize(desk)
    }
    await page.evaluate(() => (document.documentElement.dataset.theme = 'dark'))
  }

  await enter(page, base, { login, password })
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
  const other = await open()
  await logIn(other, 'zhou', first)
  await see(byTest('owes-password'), other)
  await other.goto(`${base}/live`)
  await see(byTest('owes-password'), other)
  await other.screenshot({ path: `${artefacts}/admin-owes.png` })
  await other.fill(byTest('password-current'), first)
  await other.fill(byTest('password-new'), '四个词放在一起就是好口令')
  await other.fill(byTest('password-again'), '四个词放在一起就是好口令')
  await other.click(byTest('password-submit'))
  await live(other)

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
  await live(other)

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
  await see(`${byTest('system-storage')}[data-level="ok"]`)
  const counted = await page.textContent(byTest('system-counters'))
  for (const word of ['研判', '入库', '告警通道', '实时画面']) must(counted.includes(word), `the system page does not tell of ${word}`)
  must((await page.textContent(byTest('system-certificates'))).includes('明文'), 'it is not said that nothing is encrypted')
  // the wall: what its letters must be, as a command
  must((await page.textContent(byTest('wall-letters'))).includes('27.5 px'), 'a wall of 55 inches at three metres')
  await page.fill(byTest('wall-distance'), '4')
  must((await page.textContent(byTest('kiosk'))).endsWith('/wall?px=37'), 'the command does not follow the distance')
  // the volume test of a shift; an administrator keeps no duty log
  await page.click(byTest('sound-test'))
  await page.click(byTest('sound-heard'))
  await page.waitForSelector(byTest('sound-heard'), { state: 'detached' })
  must((await page.textContent(byTest('sound-panel'))).includes('上次测试'), 'the test is not remembered')
  await look('system')
  await page.click('main a[href="/account#keys"]')
  await see(byTest('key-table'))
  await page.goBack()

  // the same in English
  await page.click('header.top button[lang="en"]')
  for (const path of ['/admin/users', '/admin/tokens', '/admin/audit', '/admin/system']) {
    await go(path)
    await see('main h1')
    must(!/[\u4e00-\u9fff]/.test(await page.textContent('main h1')), `the heading of ${path} is not in English`)
    await page.setViewportSize(small)
    await fits(`${path} in English`)
    await page.screenshot({ path: `${artefacts}/admin${path.replaceAll('/', '-')}-en-1366.png` })
    await page.setViewportSize(desk)
  }
})
