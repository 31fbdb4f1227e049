// A station lead reads the roster's week, swaps a shift, and looks through the micro-grids; an operator sees who needs help out of a building
// that burns. Called by tests/stories/people_pages.rs: `node people.mjs URL LEAD PASSWORD OPERATOR PASSWORD FIRE PASSWORD DAY`, DAY with a gap at the fire station.
import { artefacts, byTest, desk, enter, expect, must, settled, small, story } from './kit.mjs'
import { barriers, clipped, foreign, tooWide } from './inspect.mjs'
import { looker, phone } from './phone.mjs'

const [base, lead, leadPassword, operator, operatorPassword, fire, firePassword, day] = process.argv.slice(2)

await story('people', base, async ({ open, problems }) => {
  const page = await open({ theme: 'dark', language: 'zh-CN', permissions: [] })
  /** Both sizes: whole, readable, nothing foreign, a picture of each. */
  async function look(name, language = 'zh-CN') {
    for (const size of [desk, small]) {
      await page.setViewportSize(size)
      await settled(page)
      await page.screenshot({ path: `${artefacts}/people-${name}-${size.width}.png` })
      const wrong = [...(await clipped(page)), ...(await tooWide(page)), ...(await foreign(page, language)), ...(await barriers(page))]
      wrong.forEach((what) => problems.push(`${name} ${size.width}: ${what}`))
    }
    await page.setViewportSize(desk)
  }
  const text = (selector) => page.textContent(selector)

  await enter(page, base, { login: lead, password: leadPassword })
  // the duty book leads to the roster; the hours with nobody are in plain sight
  await page.goto(`${base}/duty`)
  await page.click(byTest('to-roster'))
  await page.waitForSelector(byTest('roster-week'))
  await page.goto(`${base}/roster?of=${day}`)
  await page.waitForSelector(byTest('gap'))
  must((await text(byTest('roster-gaps'))).includes('14:00–16:00'), 'the gap is not told above')
  const cell = `tr[data-post="fire-duty"] ${byTest('gap')}`
  expect('the hours with nobody', (await text(cell)).trim(), '14:00–16:00 无人')
  expect('rows of the ladder', await page.locator(`${byTest('roster-ladder')} tbody tr`).count(), 6)
  await look('roster')
  // one department, a week on and back
  await page.selectOption(byTest('roster-department'), 'fire')
  expect('the posts of the fire station', await page.locator('tr[data-post]').count(), 3)
  const span = await text(byTest('week-span'))
  await page.click(byTest('week-next'))
  await page.waitForFunction(([s, was]) => document.querySelector(s)?.textContent !== was, [byTest('week-span'), span])
  await page.click(byTest('week-back'))
  await page.waitForFunction(([s, was]) => document.querySelector(s)?.textContent === was, [byTest('week-span'), span])
  // a shift goes to somebody else, at once
  const own = `tr[data-post="fire-duty"] ${byTest('stint')} >> nth=-1`
  const gave = await page.getAttribute(own, 'data-person')
  await page.click(own)
  await look('roster-swap')
  const takes = await page.evaluate((s) => [...document.querySelector(s).options].map((o) => o.value).find((id) => id.startsWith('fire-')), byTest('swap-takes'))
  await page.selectOption(byTest('swap-takes'), takes)
  await page.click(byTest('swap-send'))
  await page.waitForSelector(byTest('roster-done'))
  // the week is read anew
  await page.waitForFunction(([s, takes]) => [...document.querySelectorAll(s)].at(-1)?.dataset.person === takes, [`tr[data-post="fire-duty"] ${byTest('stint')}`, takes])
  must(gave !== takes, 'nothing was swapped')
  // on paper: the table whole, no buttons of the page
  await page.emulateMedia({ media: 'print' })
  must(!(await page.isVisible(byTest('roster-print'))), 'buttons are printed')
  must(await page.isVisible(byTest('roster-week')), 'the week is not printed')
  await page.screenshot({ path: `${artefacts}/people-roster-print.png`, fullPage: true })
  await page.emulateMedia({ media: 'screen' })

  // micro-grids: who is missing, what is missing, and the way there and back
  await page.goto(`${base}/grid`)
  await page.waitForSelector(byTest('grid-row'))
  await page.click(byTest('need-captain'))
  expect('without a captain', await page.locator(byTest('grid-row')).count(), 1)
  await page.click(byTest('grid-row'))
  await page.waitForSelector(byTest('no-captain'))
  await page.click(byTest('need-incidents'))
  await page.click(`${byTest('grid-row')}[data-id="q1-a1"]`)
  must((await text(byTest('grid-bare'))).includes('防火分区'), 'floors without a detector are not told')
  await look('grid')
  await page.click(byTest('grid-devices'))
  await page.waitForSelector(byTest('device-row'))
  const shown = await page.$$eval(byTest('device-row'), (rows) => rows.map((row) => row.dataset.id))
  must(shown.length > 0 && shown.includes('smoke-q1-0203'), `not its devices: ${shown}`)
  await page.click(byTest('to-grid'))
  await page.waitForSelector(`${byTest('grid-row')}[aria-selected="true"]`)
  await page.click(byTest('grid-map'))
  await page.waitForSelector('.plan')
  must(page.url().includes('building=q1-a1'), page.url())
  await page.goto(`${base}/registry?table=grids&q=q1-a1`)
  await page.click(byTest('registry-row'))
  await page.click(byTest('row-grid'))
  await page.waitForSelector(`${byTest('grid-row')}[aria-selected="true"]`)
  await page.click('header.top button[lang="en"]')
  await look('grid-en', 'en')
  await page.goto(`${base}/roster?of=${day}`)
  await page.waitForSelector(byTest('gap'))
  await page.click('header.top button[lang="en"]')
  await look('roster-en', 'en')
  await page.context().close()

  // the fire: who needs help out stands in its drawer
  const board = await open({ theme: 'dark', language: 'zh-CN' })
  await enter(board, base, { login: operator, password: operatorPassword })
  await board.click(`${byTest('incident-row')}:has-text("烟感")`)
  await board.waitForSelector(`${byTest('evacuation')}[data-count="1"]`)
  const told = await board.textContent(byTest('evacuation'))
  must(told.includes('A1幢有 1 户') && told.includes('行走需扶'), told)
  for (const size of [desk, small]) {
    await board.setViewportSize(size)
    await settled(board)
    await board.screenshot({ path: `${artefacts}/people-evacuation-${size.width}.png` })
    const wrong = [...(await clipped(board)), ...(await foreign(board, 'zh-CN')), ...(await barriers(board))]
    wrong.forEach((what) => problems.push(`evacuation ${size.width}: ${what}`))
  }

  // and on the phone of the fire station: by a tap before it is claimed, by itself for whoever has it, and gone with the page
  const size = { width: 390, height: 844 }
  const hand = await open({ ...phone, viewport: size })
  await hand.goto(`${base}/work`)
  await hand.fill(byTest('login-name'), fire)
  await hand.fill(byTest('login-password'), firePassword)
  await hand.click(byTest('login-submit'))
  const task = hand.locator(`${byTest('task')}[data-device="smoke-q1-0203"]`)
  await task.locator(byTest('help-ask')).waitFor()
  must((await task.locator(byTest('evacuation')).count()) === 0, 'who needs help out is shown before anybody asks')
  await task.locator(byTest('help-ask')).click()
  await task.locator(`${byTest('evacuation')}[data-count="1"]`).waitFor()
  const said = await task.locator(byTest('evacuation')).textContent()
  must(said.includes('行走需扶') && said.includes('独居老人') && !said.includes('community-book'), said)
  await looker(hand, size, 'people-phone', problems).lookTwice('evacuation')
  const kept = await hand.evaluate(() => JSON.stringify({ ...localStorage }))
  must(!kept.includes('行走需扶'), 'what is about health stays on the phone')
  await hand.reload()
  await task.locator(byTest('verb-claim')).click()
  await task.locator(`${byTest('evacuation')}[data-count="1"]`).waitFor()
})
