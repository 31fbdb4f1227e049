// Fire mode on the screens of a station: one detector alone changes nothing, the second one puts the banner over every page and the wall without a
// touch; what did not open is named; a person ends it. Then a drill, which looks like one.
// Called by tests/stories/command_pages.rs: `node fire.mjs URL OPERATOR PASSWORD LEAD PASSWORD`; the story lets it smoke.
import { artefacts, byTest, desk, enter, expect, must, settled, small, story } from './kit.mjs'
import { barriers, clipped, foreign, tooWide } from './inspect.mjs'

const [base, operator, operatorPassword, lead, leadPassword] = process.argv.slice(2)
const banner = (more) => `${byTest('fire-banner')}${more}`

await story('fire', base, async ({ open }) => {
  async function look(page, name, language = 'zh-CN', sizes = [small, desk]) {
    for (const size of sizes) {
      await page.setViewportSize(size)
      await page.screenshot({ path: `${artefacts}/fire-${name}-${size.width}.png` })
      const wrong = [...(await barriers(page)), ...(await tooWide(page)), ...(await clipped(page)), ...(await foreign(page, language))]
      must(wrong.length === 0, `${name} at ${size.width}:\n${wrong.join('\n')}`)
    }
  }

  const page = await open()
  await enter(page, base, { login: operator, password: operatorPassword })
  const wall = await open()
  await enter(wall, `${base}/wall`, { login: operator, password: operatorPassword })
  const other = await open({ theme: 'light' })
  await enter(other, `${base}/devices`, { login: lead, password: leadPassword })
  console.log('READY')

  // one device alone is an alarm and no fire mode
  await wall.waitForSelector(`${byTest('wall-row')}[data-severity="P1"]`)
  await settled(page)
  for (const one of [page, wall, other]) expect('banners for one detector', await one.locator(byTest('fire-banner')).count(), 0)
  console.log('ONE')

  // the second one: on every screen, without a touch, and what did not open is counted there
  for (const one of [page, wall, other]) {
    await one.waitForSelector(banner('[data-state="active"][data-drill="false"]'))
    await one.waitForFunction((counts) => document.querySelector(counts)?.textContent.includes('未确认打开 2 处'), banner(' .counts'))
    await one.waitForFunction((counts) => document.querySelector(counts)?.textContent.includes('已确认打开 2 处'), banner(' .counts'))
  }
  await look(page, 'board')
  await look(wall, 'wall', 'zh-CN', [desk])
  const letters = await wall.$$eval(banner(' *'), (parts) => parts.filter((part) => part.checkVisibility()).map((part) => parseFloat(getComputedStyle(part).fontSize)))
  must(letters.length > 3 && Math.min(...letters) >= 24, `letters of the wall's banner: ${letters}`)

  // the incident's drawer has the doors around it, and leads to what stands
  await page.click(`${byTest('incident-row')}:has-text("确认火警")`)
  await page.keyboard.press('Enter')
  await page.waitForSelector(`${byTest('drawer')} ${byTest('doors')} [data-device="exit-q1-0312"]`)
  await look(page, 'drawer')

  await other.click(byTest('fire-look'))
  await other.waitForSelector(`${byTest('fire-shut')} [data-device="gate-q1-0102"]`)
  const devices = (group) => other.$$eval(`${byTest(group)} [data-device]`, (items) => items.map((item) => item.dataset.device).sort())
  expect('shut', await devices('fire-shut'), ['gate-q1-0102', 'gate-q1-0103'])
  expect('open', await devices('fire-open'), ['exit-q1-0312', 'gate-q1-0101'])
  await look(other, 'page-light')

  // it ends by a person with a reason, and by nothing else
  await other.click(byTest('fire-end'))
  must(await other.isDisabled(byTest('fire-end-go')), 'it ends without a reason')
  await other.fill(byTest('fire-end-reason'), '明火已扑灭，人员清点完毕')
  await other.click(byTest('fire-end-go'))
  for (const one of [page, wall, other]) await one.waitForSelector(byTest('fire-banner'), { state: 'detached' })
  await other.waitForSelector(`${byTest('fire-past')} li`)

  // a drill says so everywhere, and moves nothing
  await page.goto(`${base}/fire`)
  await page.click(byTest('fire-start'))
  await page.selectOption(byTest('fire-site'), 'q1')
  await page.selectOption(byTest('fire-building'), 'q1-e2')
  await page.selectOption(byTest('fire-zone'), 'q1-e2-f6')
  await page.check(byTest('fire-drill'))
  await page.fill(byTest('fire-reason'), '季度演练')
  await look(page, 'drill-form')
  await page.click(byTest('fire-go'))
  for (const one of [page, wall, other]) await one.waitForSelector(banner('[data-state="active"][data-drill="true"]'))
  await page.waitForSelector(`${byTest('fire-card')}[data-drill="true"] ${byTest('fire-would')}`)
  expect('told in a drill', await page.locator(`${byTest('fire-card')} ${byTest('fire-shut')}`).count(), 0)
  await page.click('header.top button[lang="en"]')
  await look(page, 'drill-english', 'en')
  await look(wall, 'drill-wall', 'zh-CN', [desk])
  await page.click(byTest('fire-end'))
  await page.fill(byTest('fire-end-reason'), 'over')
  await page.keyboard.press('Enter')
  for (const one of [page, wall, other]) await one.waitForSelector(byTest('fire-banner'), { state: 'detached' })

  // by hand, without a detector: the second person sees it at once and confirms, and on another screen it stands
  await page.click(byTest('fire-start'))
  await page.selectOption(byTest('fire-site'), 'q1')
  await page.selectOption(byTest('fire-building'), 'q1-a1')
  await page.selectOption(byTest('fire-zone'), { index: 1 })
  await page.fill(byTest('fire-reason'), '五楼住户来电')
  await page.click(byTest('fire-go'))
  await other.waitForSelector(banner('[data-state="proposed"]'))
  expect('the own confirmation', await page.locator(byTest('fire-confirm')).count(), 0)
  await look(other, 'proposed')
  await other.click(byTest('fire-confirm'))
  for (const one of [page, wall, other]) await one.waitForSelector(banner('[data-state="active"][data-drill="false"]'))
})
