// A property manager finds a bridge and two devices that nobody has registered, admits one with the keyboard alone, and dismisses another.
// Called by tests/stories/bridges/holding.rs: `node newcomers.mjs URL LOGIN PASSWORD ADDRESS ZONE`.
import { artefacts, byTest, desk, enter, must, small, story } from './kit.mjs'
import { barriers, clipped, foreign, tooWide } from './inspect.mjs'

const [base, login, password, address, zone] = process.argv.slice(2)

await story('newcomers', base, async ({ open }) => {
  const page = await open()
  const says = (id, text) => page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent?.includes(t), [byTest(id), text])
  async function look(name, language) {
    for (const size of [small, desk]) {
      await page.setViewportSize(size)
      const wrong = [...(await barriers(page)), ...(await tooWide(page)), ...(await clipped(page)), ...(await foreign(page, language))]
      must(wrong.length === 0, `${name} at ${size.width}:\n${wrong.join('\n')}`)
      await page.screenshot({ path: `${artefacts}/newcomers-${name}-${size.width}.png` })
    }
  }

  await enter(page, base, { login, password })
  await page.goto(`${base}/devices`)
  await says('to-newcomers', '待登记设备 3')
  await page.click(byTest('to-newcomers'))
  await page.waitForFunction(([row]) => document.querySelectorAll(row).length === 3, [byTest('newcomer-row')])
  await look('list', 'zh-CN')

  // without the mouse: down to it, Enter to its form, the zone by its letters, Enter
  await page.fill('main input[type="search"]', address)
  await page.keyboard.press('Escape')
  await page.keyboard.press('j')
  await page.waitForSelector(byTest('newcomer-form'))
  await look('form', 'zh-CN')
  await page.keyboard.press('Enter')
  await page.waitForFunction((s) => document.activeElement === document.querySelector(s), byTest('newcomer-zone'))
  await page.selectOption(byTest('newcomer-zone'), zone)
  await page.focus(byTest('newcomer-name'))
  await page.keyboard.press('Enter')
  await says('newcomers-done', `已登记到 ${zone}`)
  await page.fill('main input[type="search"]', '')
  await page.waitForFunction(([row]) => document.querySelectorAll(row).length === 2, [byTest('newcomer-row')])

  await page.click('header.top button[lang="en"]')
  await page.click(byTest('newcomer-row'))
  await look('english', 'en')
  must(await page.isDisabled(byTest('newcomer-dismiss')), 'dismissed without a reason')
  await page.fill(byTest('newcomer-reason'), 'next door')
  await page.click(byTest('newcomer-dismiss'))
  await says('newcomers-done', 'Dismissed')
  await page.click(byTest('list-dismissed'))
  await page.click(byTest('newcomer-row'))
  await says('newcomer-detail', 'next door')
  await page.goto(`${base}/devices`)
  await says('to-newcomers', 'Holding list 1')
})
