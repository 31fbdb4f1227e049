// A property manager changes the registry in a real browser: a row, a whole table, back again; and a station lead watches a plate.
// Called by tests/stories/registry_pages.rs: `node registry_pages.mjs URL LOGIN PASSWORD LEAD PASSWORD`.
import { readFile } from 'node:fs/promises'
import { artefacts, byTest, desk, enter, must, settled, small, story } from './kit.mjs'
import { barriers, tooWide } from './inspect.mjs'

const [base, login, password, lead, leadPassword] = process.argv.slice(2)

await story('registry', base, async ({ open, allow }) => {
  let page
  const see = (selector) => page.waitForSelector(selector)
  const says = (id, text) => page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent?.includes(t), [byTest(id), text])

  async function comes(login, password) {
    page = await open({ acceptDownloads: true })
    await enter(page, `${base}/registry`, { login, password })
    await see(byTest('registry-row'))
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
        const wide = await tooWide(page)
        must(wide.length === 0, `${name} at ${size.width}: ${wide.join('\n')}`)
        await page.screenshot({ path: `${artefacts}/registry-${name}-${theme}-${size.width}.png` })
      }
      await page.setViewportSize(desk)
    }
    await page.evaluate(() => (document.documentElement.dataset.theme = 'dark'))
  }

  await comes(login, password)
  // one row, as a form
  await page.click(`${byTest('registry-row')} >> nth=0`)
  await page.fill(byTest('cell-name'), '东门新烟感')
  await look('row')
  await page.click(byTest('row-save'))
  await says('registry-done', '修改 1')
  await page.waitForFunction((row) => document.querySelector(row)?.textContent?.includes('东门新烟感'), byTest('registry-row'))

  // the whole table: out, with a mistake, mended, in
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(byTest('registry-export'))])
  const table = (await readFile(await file.path())).toString('utf8')
  must(table.startsWith('\ufeff') && table.includes('东门新烟感'), 'the file is not the table')
  const lines = table.trimEnd().split('\n')
  lines.pop()
  await page.click(byTest('registry-import'))
  await page.fill(byTest('import-text'), [...lines, 'zz-1,q77,nowhere,fire_sensor,新,m,60,0,0,,'].join('\n'))
  await page.click(byTest('import-look'))
  await says('import-preview', 'nowhere')
  must(await page.isDisabled(byTest('import-apply')), 'a table with mistakes can be imported')
  await look('mistakes')
  await page.fill(byTest('import-text'), lines.join('\n'))
  await page.click(byTest('import-look'))
  await says('import-preview', '移除 1')
  await look('preview')
  await page.click(byTest('import-apply'))
  await says('registry-done', '移除 1')

  // and back
  await page.click(byTest('registry-changes'))
  await look('changes')
  let readOn
  const slow = new Promise((resolve) => (readOn = resolve))
  const isOverview = (url) => url.pathname === '/api/v1/registry'
  await page.route(isOverview, async (route) => {
    await slow
    await route.continue()
  })
  await page.click('[data-testid^="undo-"] >> nth=0')
  await says('registry-done', '新增 1')

  // whoever goes on before the lines are read anew is not told that somebody was faster: it was they themselves
  await page.click(byTest('registry-import'))
  await page.fill(byTest('import-text'), lines.join('\n'))
  await page.click(byTest('import-look'))
  await says('import-preview', '移除 1')
  readOn()

  // somebody is faster while a table is looked at: it is compared anew, and what was chosen stays
  const chosen = table.trimEnd().replace('东门新烟感', '东门烟感甲')
  await page.setInputFiles(byTest('import-file'), { name: '设备.csv', mimeType: 'text/csv', buffer: Buffer.from(chosen) })
  await page.waitForFunction(([s, text]) => document.querySelector(s)?.value === text, [byTest('import-text'), chosen.replace(/^\ufeff/, '')])
  await page.click(byTest('import-look'))
  await says('import-preview', '修改 1')
  const other = chosen.split('\n').at(-1).split(',')[0]
  const faster = await page.evaluate(async (id) => {
    const body = JSON.stringify({ table: 'devices', put: [{ id, name: '他人改名' }] })
    const answer = await fetch('/api/v1/registry/import', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body })
    await answer.text()
    return answer.status
  }, other)
  must(faster === 200, `the other change: ${faster}`)
  allow(/status of 409/)
  await page.click(byTest('import-apply'))
  await says('import-failure', '他人刚刚改过登记表')
  await says('import-preview', '修改 2')
  must((await page.inputValue(byTest('import-text'))).includes('东门烟感甲'), 'what was chosen is gone')
  await look('stale')
  await page.click(byTest('import-apply'))
  await says('registry-done', '修改 2')

  // what is not the manager's
  await page.click(byTest('table-people'))
  await page.click(`${byTest('registry-row')} >> nth=0`)
  await see(byTest('row-form'))
  must((await page.$(byTest('row-save'))) === null, 'a property manager is offered to change people')

  // the lead watches a plate, and ends it
  await comes(lead, leadPassword)
  await page.click(byTest('table-watch'))
  await page.click(byTest('registry-new'))
  const day = new Date(Date.now() + 5 * 86_400_000).toISOString().slice(0, 10)
  for (const [cell, text] of [['plate', '浙GT3S7A'], ['reason', '肇事逃逸'], ['owner', 'police-1'], ['expires_on', day]]) await page.fill(byTest(`cell-${cell}`), text)
  await page.click(byTest('row-save'))
  await says('registry-done', '新增 1')
  await look('watch')
  await page.click(`${byTest('registry-row')}:has-text("浙GT3S7A")`)
  await page.click(byTest('row-remove'))
  await page.click(byTest('row-remove-sure'))
  await says('registry-done', '移除 1')
  await page.waitForSelector(`${byTest('registry-row')}:has-text("浙GT3S7A")`, { state: 'detached' })
  // and a card
  await page.click(byTest('registry-new'))
  for (const [cell, text] of [['credential', 'c-9f3a71'], ['reason', '失窃'], ['owner', 'police-1'], ['expires_on', day]]) await page.fill(byTest(`cell-${cell}`), text)
  await page.click(byTest('row-save'))
  await says('registry-done', '新增 1')
  await see(`${byTest('registry-row')}:has-text("c-9f3a71")`)

  await page.click('header.top button[lang="en"]')
  await page.waitForFunction(() => document.querySelector('main h1')?.textContent === 'Registry', null)
})
