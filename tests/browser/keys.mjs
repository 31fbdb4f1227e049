// Keys that somebody has changed, and keys that are switched off (WCAG 2.1.4), in a real browser. Called by tests/stories/browser.rs:
// `node keys.mjs URL USERS`, USERS as in demo.json. A word on a line asks the story for what the devices do next.
import { barriers } from './inspect.mjs'
import { artefacts, byTest, enter, expect, live, must, story } from './kit.mjs'

const [base, told] = process.argv.slice(2)
const by = (login) => JSON.parse(told).find((user) => user.login === login)
const drawer = (more = '') => `${byTest('drawer')}${more}`
const painted = (page) => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))

await story('keys', base, async ({ open }) => {
  const page = await open()
  const sent = []
  page.on('request', (request) => request.method() === 'POST' && sent.push(new URL(request.url()).pathname))
  const caps = (id) => page.$$eval(`${byTest(id)} kbd`, (all) => all.map((one) => one.textContent))
  const says = async (id, words) => must((await page.textContent(byTest(id))).includes(words), `${id} does not say ${words}: ${await page.textContent(byTest(id))}`)
  /** Opens the newest P1 that waits, by mouse. */
  const openFire = async (known) => {
    const row = page.locator(`${byTest('incident-row')}[data-severity="P1"][data-acknowledged="false"]:not([data-id="${known}"])`).first()
    await row.click()
    const id = await row.getAttribute('data-id')
    await page.waitForSelector(`${drawer(`[data-id="${id}"][data-version]`)} ${byTest('action-acknowledge')}`)
    return id
  }
  await enter(page, base, by('wanglei'))
  console.log('FIRE')

  // a key that another has is refused, and one with Ctrl; freed by the other it is taken
  await page.click('header.top a.who')
  await page.waitForSelector(byTest('key-table'))
  await page.click(byTest('key-acknowledge'))
  await page.keyboard.press('t')
  await says('key-refused', '主题')
  expect('the theme, while a key was chosen', await page.evaluate(() => document.documentElement.dataset.theme ?? 'dark'), 'dark')
  await page.keyboard.press('Control+9')
  await says('key-refused', 'Ctrl')
  await page.keyboard.press('F2')
  await says('key-refused', '功能键')
  await page.screenshot({ path: `${artefacts}/keys-refused.png` })
  await page.keyboard.press('Escape')
  await page.click(byTest('key-theme'))
  await page.click(byTest('key-clear'))
  await page.focus(byTest('key-acknowledge'))
  await page.keyboard.press('Enter')
  await page.keyboard.press('T')
  await says('key-told', '确认')
  expect('the new key', await caps('key-acknowledge'), ['T'])
  expect('the key of the theme', await caps('key-theme'), [])
  expect('what axe finds', await barriers(page), [])
  await page.screenshot({ path: `${artefacts}/keys-changed.png`, fullPage: true })

  // the new key acknowledges, the old one does nothing; the button shows the new one
  await page.click('header.top a[href="/live"]')
  const first = await openFire('')
  expect('the key at the button', await caps('action-acknowledge'), ['T'])
  expect('the key for those who hear the page', await page.getAttribute(byTest('action-acknowledge'), 'aria-keyshortcuts'), 'T')
  sent.length = 0
  await page.keyboard.press('a')
  await painted(page)
  expect('what the old key sends', sent, [])
  await page.keyboard.press('t')
  await page.waitForSelector(drawer('[data-acknowledged="true"]'))
  expect('what the new key sends', sent, [`/api/v1/incidents/${first}/acknowledge`])

  // it is kept; another tab switches single keys off, and this one follows
  await page.reload()
  await live(page)
  must((await page.textContent('footer.hints')).includes('T 确认'), 'the hint does not show the new key after a reload')
  const other = await page.context().newPage()
  await other.goto(`${base}/account#keys`)
  await other.uncheck(byTest('keys-on'))
  await page.waitForSelector('footer.hints a[href="/account#keys"]')
  console.log('ANOTHER FIRE')
  const second = await openFire(first)
  expect('keys at the buttons', await page.$$eval(`${byTest('actions')} kbd`, (all) => all.length), 0)
  sent.length = 0
  for (const key of ['t', 'a', 'c', 'd', 'n', 's', 'w', 'u', 'f', 'm', '?', '1', ' ']) await page.keyboard.press(key)
  await painted(page)
  expect('what keys send that are off', sent, [])
  expect('what they open', await page.$$eval('form, [role="dialog"], .frozen', (all) => all.length), 0)
  expect('where they lead', new URL(page.url()).pathname, '/live')
  await page.screenshot({ path: `${artefacts}/keys-off.png` })
  await page.click(byTest('action-note'))
  await page.waitForSelector(byTest('note-form'))
  await page.keyboard.press('Escape')
  await page.waitForSelector(byTest('note-form'), { state: 'detached' })
  await page.focus(byTest('action-acknowledge'))
  await page.keyboard.press('Enter')
  await page.waitForSelector(drawer('[data-acknowledged="true"]'))
  expect('what the button sends', sent, [`/api/v1/incidents/${second}/acknowledge`])

  // whoever sits down at the same desk has the usual keys
  await page.click('header.top button:last-of-type')
  await page.waitForURL((url) => url.pathname === '/login')
  await enter(page, base, by('lead'))
  must((await page.textContent('footer.hints')).includes('A 确认'), 'another account has keys that are not its own')
})
