// A property manager reads a message again once its device is registered: looked at, done, and what came of it stands beside it.
// Called by tests/stories/quarantine.rs: `node quarantine.mjs URL LOGIN PASSWORD DEVICE`.
import { artefacts, byTest, desk, enter, heard, must, small, story } from './kit.mjs'
import { barriers, tooWide } from './inspect.mjs'

const [base, login, password, device] = process.argv.slice(2)

await story('quarantine', base, async ({ open }) => {
  const page = await open()
  const says = (id, text) => page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent?.includes(t), [byTest(id), text])

  async function look(name) {
    for (const size of [small, desk]) {
      await page.setViewportSize(size)
      const wrong = [...(await barriers(page)), ...(await tooWide(page))]
      must(wrong.length === 0, `${name} at ${size.width}:\n${wrong.join('\n')}`)
      await page.screenshot({ path: `${artefacts}/quarantine-${name}-${size.width}.png` })
    }
  }

  await enter(page, base, { login, password })
  await page.click(`${byTest('more-pages')} summary`)
  await page.click('header.top a[href="/quarantine"]')
  await page.fill('main input[type="search"]', device)
  await page.click(byTest('quarantine-row'))
  await page.click(byTest('rerun-look'))
  await says('rerun-outcome', '仍无法解析')
  must((await page.locator(byTest('rerun-do')).count()) === 0, 'what cannot be read can be read again')
  await look('rejected')
  console.log('REJECTED')
  await heard()
  await page.click(byTest('rerun-look'))
  await says('rerun-outcome', '烟雾')
  await look('reads')
  await page.focus(byTest('rerun-do'))
  await page.keyboard.press('Enter')
  await says('rerun-came', '已按规则处理')
  await look('done')

  // all of a kind: nothing is left
  await page.click(byTest('rerun-all'))
  await says('rerun-outcome', '共 0 条同类')
  await page.click('header.top button[lang="en"]')
  await says('rerun-came', 'Read, and put to the rules')
})
