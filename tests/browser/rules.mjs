// A station lead changes a rule in a real browser: tried on the past, with a mistake, mended, saved with a reason.
// Called by tests/stories/rules.rs: `node rules.mjs URL LOGIN PASSWORD`. LOC1 has rung twice.
import { artefacts, byTest, desk, enter, must, small, story } from './kit.mjs'
import { barriers, tooWide } from './inspect.mjs'

const [base, login, password] = process.argv.slice(2)

await story('rules', base, async ({ open }) => {
  const page = await open()
  const see = (selector) => page.waitForSelector(selector)
  const says = (id, text) => page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent?.includes(t), [byTest(id), text])
  const text = () => page.inputValue(byTest('rule-text'))

  async function look(name) {
    for (const size of [small, desk]) {
      await page.setViewportSize(size)
      const wrong = [...(await barriers(page)), ...(await tooWide(page))]
      must(wrong.length === 0, `${name} at ${size.width}:\n${wrong.join('\n')}`)
      await page.screenshot({ path: `${artefacts}/rules-${name}-${size.width}.png` })
    }
  }

  await enter(page, base, { login, password })
  await page.click('header.top a[href="/alarms"]')
  await page.click(byTest('to-rules'))
  await see(byTest('rule-row'))
  const all = await page.locator(byTest('rule-row')).count()
  await page.selectOption(byTest('rules-severity'), 'P2')
  must(page.url().includes('severity=P2'), 'the filters are not in the address')
  await page.fill(byTest('rules-search'), 'LOC1')
  await page.waitForFunction((row) => document.querySelectorAll(row).length === 1, byTest('rule-row'))
  must(all > 1, 'one rule is no list')
  await page.keyboard.press('Escape') // out of the field
  await page.keyboard.press('j')
  await see(byTest('rule-form'))
  must((await text()).includes('id = "LOC1"'), 'the text is not the rule')
  must(await page.isDisabled(byTest('rule-save')), 'what was not tried can be saved')

  // a mistake is told with its line
  const whole = await text()
  await page.fill(byTest('rule-text'), whole.replace('"P2"', '"P9"'))
  await page.click(byTest('rule-try'))
  await says('trial-result', '第 5 行')
  await says('trial-result', '未知的级别 `P9`（可以写 `P1`')
  must(await page.isDisabled(byTest('rule-save')), 'a text with a mistake can be saved')
  await look('mistake')

  // mended: what it would have done beside what it does, and what is other
  await page.fill(byTest('rule-text'), whole.replace('"P2"', '"P3"'))
  await page.focus(byTest('rule-try'))
  await page.keyboard.press('Enter')
  await says('trial-result', '新文本会触发 2 次')
  await says('rule-changes', 'severity = "P3"')
  await look('tried')
  must(await page.isDisabled(byTest('rule-save')), 'a change without a reason can be saved')
  await page.fill(byTest('rule-note'), '夜间测试不算紧急')
  await page.click(byTest('rule-save'))
  await says('rules-done', 'LOC1')

  // what is at work follows
  await page.selectOption(byTest('rules-severity'), '')
  await page.waitForFunction((row) => document.querySelector(row)?.dataset.state === 'P3', byTest('rule-row'))
  await page.click('header.top button[lang="en"]')
  await page.waitForFunction(() => document.querySelector('main h1')?.textContent === 'Rules')
  await look('english')
}, { patience: 40_000 })
