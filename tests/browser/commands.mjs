// An operator opens a door from its page and reads what became of it: done, nobody knows, and what waits for a second person; the other
// one confirms on a screen of the own. Called by tests/stories/command_pages.rs:
// `node commands.mjs URL OPERATOR PASSWORD LEAD PASSWORD DOOR SILENT-DOOR`.
import { artefacts, byTest, desk, enter, expect, must, small, story } from './kit.mjs'
import { barriers, clipped, foreign, tooWide } from './inspect.mjs'

const [base, operator, operatorPassword, lead, leadPassword, door, silent] = process.argv.slice(2)
const row = (command, more = '') => `${byTest('command')}[data-command="${command}"]${more}`

await story('commands', base, async ({ open }) => {
  const page = await open()
  async function look(page, name, language) {
    for (const size of [small, desk]) {
      await page.setViewportSize(size)
      const wrong = [...(await barriers(page)), ...(await tooWide(page)), ...(await clipped(page)), ...(await foreign(page, language))]
      must(wrong.length === 0, `${name} at ${size.width}:\n${wrong.join('\n')}`)
      await page.locator(byTest('commands')).scrollIntoViewIfNeeded()
      await page.screenshot({ path: `${artefacts}/commands-${name}-${size.width}.png` })
    }
  }
  const says = async (page, selector, text) => {
    const said = await page.textContent(selector)
    must(said.includes(text), `${selector} says "${said}" and not "${text}"`)
  }

  await enter(page, base, { login: operator, password: operatorPassword })
  await page.goto(`${base}/devices/${door}`)
  await page.waitForSelector(byTest('ask-open-door'))

  // with the keyboard alone: nothing goes without a reason, and Escape gives the focus back
  await page.focus(byTest('ask-open-door'))
  await page.keyboard.press('Enter')
  await page.waitForSelector(byTest('command-form'))
  await page.waitForFunction((field) => document.activeElement === document.querySelector(field), byTest('command-reason'))
  must(await page.isDisabled(byTest('command-go')), 'a door opens without a reason')
  await look(page, 'form', 'zh-CN')
  await page.keyboard.press('Escape')
  await page.waitForFunction((button) => document.activeElement === document.querySelector(button), byTest('ask-open-door'))
  expect('commands after Escape', await page.locator(byTest('command')).count(), 0)
  await page.keyboard.press('Enter')
  await page.waitForSelector(byTest('command-form'))
  await page.keyboard.type('住户忘带门卡，已核实')
  await page.keyboard.press('Enter')
  await page.waitForSelector(row('open-door', '[data-mark="done"]'))
  await says(page, row('open-door'), '已执行，设备状态已证实')
  await says(page, row('open-door'), '住户忘带门卡，已核实')

  // a usual reason by the mouse; the door hears it and says nothing: that is no "done", and no "failed" either
  await page.goto(`${base}/devices/${silent}`)
  await page.click(byTest('ask-unlock'))
  await page.click('.usual button >> nth=0')
  await page.click(byTest('command-go'))
  await page.waitForSelector(row('unlock', '[data-mark="underWay"]'))
  await page.waitForSelector(row('unlock', '[data-mark="unknown"]'))
  await says(page, row('unlock'), '结果未知：可能已执行，请现场确认')
  await look(page, 'unknown', 'zh-CN')

  // what stays open takes two: the one who asked cannot confirm, the other sees it without asking
  const other = await open({ theme: 'light' })
  await enter(other, base, { login: lead, password: leadPassword })
  await other.goto(`${base}/devices/${door}`)
  await other.waitForSelector(row('open-door', '[data-mark="done"]'))
  await page.goto(`${base}/devices/${door}`)
  await page.click(byTest('ask-hold-open'))
  await page.fill(byTest('command-reason'), '搬运担架')
  await page.keyboard.press('Enter')
  await page.waitForSelector(row('hold-open', '[data-stage="proposed"]'))
  await says(page, row('hold-open'), '等待第二人确认')
  expect('the own confirmation', await page.locator(byTest('command-confirm')).count(), 0)
  await other.waitForSelector(row('hold-open', '[data-stage="proposed"]'))
  await look(other, 'proposed-light', 'zh-CN')
  await other.click(byTest('command-confirm'))
  await page.waitForSelector(row('hold-open', '[data-mark="done"]'))
  await other.waitForSelector(row('hold-open', '[data-mark="done"]'))

  // taken back before anybody confirmed: it never left
  await page.click(byTest('ask-hold-open'))
  await page.fill(byTest('command-reason'), '又一次')
  await page.click(byTest('command-go'))
  await page.waitForSelector(row('hold-open', '[data-stage="proposed"]'))
  await page.click(byTest('command-withdraw'))
  await page.waitForSelector(row('hold-open', '[data-stage="withdrawn"]'))

  // alone, where there is no time for a second one: with more of a reason
  await page.click(byTest('ask-hold-open'))
  await page.check(byTest('command-alone'))
  await page.fill(byTest('command-reason'), '太短')
  must(await page.isDisabled(byTest('command-go')), 'alone, with two characters of a reason')
  await page.fill(byTest('command-reason'), '急救人员在门外，无人可以确认')
  await page.click(byTest('command-go'))
  await page.waitForFunction(([row]) => document.querySelectorAll(row).length === 2, [row('hold-open', '[data-mark="done"]')])

  await page.click('header.top button[lang="en"]')
  await look(page, 'english', 'en')
})
