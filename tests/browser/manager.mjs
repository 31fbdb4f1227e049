// A property manager goes through the pages, in a real browser: what must be there is there, by keyboard too, and a window is planned.
// Called by tests/stories/manager_pages.rs: `node manager.mjs URL LOGIN PASSWORD DEVICE`. DEVICE has sent something unreadable.
import { readFile } from 'node:fs/promises'
import { artefacts, byTest, desk, enter, must, small, story } from './kit.mjs'
import { barriers, tooWide } from './inspect.mjs'

const [base, login, password, device] = process.argv.slice(2)

await story('manager', base, async ({ open }) => {
  const page = await open({ acceptDownloads: true })
  const see = (selector) => page.waitForSelector(selector)
  /** A link of the bar, as a manager goes there. */
  async function go(path) {
    await page.click(`header.top a[href="${path}"]`)
    await page.waitForURL((url) => url.pathname === path)
  }

  /** Nothing that axe finds, nothing too wide on the small screen; a picture. Themes, languages and sizes: screens.mjs. */
  async function look(name) {
    await page.setViewportSize(small)
    const wrong = [...(await barriers(page)), ...(await tooWide(page))]
    must(wrong.length === 0, `${name}:\n${wrong.join('\n')}`)
    await page.screenshot({ path: `${artefacts}/manager-${name}.png` })
    await page.setViewportSize(desk)
  }

  /** The bytes of what a button hands over as a file. */
  async function download(button) {
    const [file] = await Promise.all([page.waitForEvent('download'), page.click(button)])
    return readFile(await file.path())
  }

  await enter(page, base, { login, password })

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
  }, [byTest('device-row'), device])
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
  await page.waitForFunction((row) => document.querySelectorAll(row).length > 0, byTest('history-row'))
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
  // who went through a door: by card or by person, on record, and not in the address
  await page.click(byTest('tab-doors'))
  await see(`${byTest('tab-doors')}[aria-pressed="true"]`)
  await page.fill(byTest('filter-device'), '')
  for (const [what, text, found] of [['person', 'somebody else', 0], ['person', '王小明', 1], ['credential', 'c-4471903', 1]]) {
    await page.selectOption(byTest('about-what'), what)
    await page.fill(byTest('about'), text)
    const [asked] = await Promise.all([page.waitForRequest((request) => request.url().includes('/api/v1/events?')), page.click(byTest('ask'))])
    must(new URL(asked.url()).searchParams.get(what) === text, `not asked for the ${what}: ${asked.url()}`)
    await page.waitForFunction(([row, count]) => document.querySelectorAll(row).length === count, [byTest('history-row'), found])
    must(!decodeURIComponent(page.url()).includes(text), 'whom somebody searches for is in the address')
    if (found > 0) must((await page.textContent(byTest('history-row'))).includes('c-44***'), 'a row does not say who, masked')
  }
  await look('by-person')

  // what is rarer is behind one more key: Escape closes it and gives the focus back, a link goes there
  const more = byTest('more-pages')
  await page.setViewportSize(small)
  await page.focus(`${more} summary`)
  await page.keyboard.press('Enter')
  await see(`${more}[open]`)
  await look('more')
  await page.keyboard.press('Escape')
  await page.waitForSelector(`${more}:not([open])`)
  must(await page.evaluate((s) => document.activeElement === document.querySelector(s), `${more} summary`), 'the focus is lost')
  for (const path of ['/roster', '/grid', '/newcomers', '/rules', '/quarantine']) {
    await page.focus(`${more} summary`)
    await page.keyboard.press('Enter')
    for (let n = 0; (await page.evaluate(() => document.activeElement.getAttribute('href'))) !== path; n += 1) {
      must(n < 6, `Tab does not lead to ${path}`)
      await page.keyboard.press('Tab')
    }
    await page.keyboard.press('Enter')
    await page.waitForURL((url) => url.pathname === path)
    await page.waitForSelector(`${more}:not([open])`)
  }

  // quarantine: why, what to do, every byte
  await see(byTest('quarantine-row'))
  await page.keyboard.press('j')
  await see(byTest('quarantine-hint'))
  must((await page.textContent(byTest('raw-hex'))).startsWith('0000  '), 'the bytes are not shown')
  await look('quarantine')
})
