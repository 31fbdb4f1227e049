// A property manager changes the registry in a real browser: a row, a whole table, back again; and a station lead watches a plate.
// Called by tests/stories/registry_pages.rs: `node registry_pages.mjs URL ARTEFACTS LOGIN PASSWORD LEAD PASSWORD`.
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'

const [base, artefacts, login, password, lead, leadPassword] = process.argv.slice(2)
const patience = 20_000
const byTest = (id) => `[data-testid="${id}"]`
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const problems = []
let page

const must = (is, what) => {
  if (!is) throw new Error(what)
}
const see = (selector) => page.waitForSelector(selector, { timeout: patience })
const says = (id, text) => page.waitForFunction(([s, t]) => document.querySelector(s)?.textContent?.includes(t), [byTest(id), text], { timeout: patience })

async function enter(name, secret) {
  page = await (await browser.newContext({ viewport: { width: 1920, height: 1080 }, locale: 'zh-CN', acceptDownloads: true })).newPage()
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.goto(`${base}/registry`, { timeout: patience })
  await page.fill(byTest('login-name'), name)
  await page.fill(byTest('login-password'), secret)
  problems.length = 0 // the 401 that sends a stranger to the log-in page is logged by the browser
  await page.click(byTest('login-submit'))
  await see(byTest('registry-row'))
}

/** Nothing that axe finds, in both themes; the small screen scrolls nowhere sideways; a picture of each. */
async function look(name) {
  for (const theme of ['dark', 'light']) {
    await page.evaluate((to) => (document.documentElement.dataset.theme = to), theme)
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe)
    const found = await page.evaluate(async (tags) => {
      const result = await window.axe.run(document, { runOnly: { type: 'tag', values: tags } })
      return result.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).slice(0, 4).join(' | ')}`)
    }, tags)
    must(found.length === 0, `axe on ${name}, ${theme}:\n${found.join('\n')}`)
    for (const [width, height] of [[1920, 1080], [1366, 768]]) {
      await page.setViewportSize({ width, height })
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      must(over <= 0, `${name} is too wide at ${width}`)
      await page.screenshot({ path: `${artefacts}/registry-${name}-${theme}-${width}.png` })
    }
    await page.setViewportSize({ width: 1920, height: 1080 })
  }
  await page.evaluate(() => (document.documentElement.dataset.theme = 'dark'))
}

try {
  await enter(login, password)
  // one row, as a form
  await page.click(`${byTest('registry-row')} >> nth=0`)
  await page.fill(byTest('cell-name'), '东门新烟感')
  await look('row')
  await page.click(byTest('row-save'))
  await says('registry-done', '修改 1')
  await page.waitForFunction((row) => document.querySelector(row)?.textContent?.includes('东门新烟感'), byTest('registry-row'), { timeout: patience })

  // the whole table: out, with a mistake, mended, in
  const [file] = await Promise.all([page.waitForEvent('download', { timeout: patience }), page.click(byTest('registry-export'))])
  const table = (await readFile(await file.path())).toString('utf8')
  must(table.startsWith('\ufeff') && table.includes('东门新烟感'), 'the file is not the table')
  const lines = table.trimEnd().split('\n')
  lines.pop()
  await page.click(byTest('registry-import'))
  await page.fill(byTest('import-text'), [...lines, 'zz-1,q77,nowhere,fire_sensor,新,m,60,0,0'].join('\n'))
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
  await page.click('[data-testid^="undo-"] >> nth=0')
  await says('registry-done', '新增 1')

  // what is not the manager's
  await page.click(byTest('table-people'))
  await page.click(`${byTest('registry-row')} >> nth=0`)
  await see(byTest('row-form'))
  must((await page.$(byTest('row-save'))) === null, 'a property manager is offered to change people')

  // the lead watches a plate, and ends it
  await enter(lead, leadPassword)
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

  await page.click('header.top button[lang="en"]')
  await page.waitForFunction(() => document.querySelector('main h1')?.textContent === 'Registry', null, { timeout: patience })
  must(problems.length === 0, `the browser complained:\n${problems.join('\n')}`)
  console.log('DONE')
} catch (error) {
  await page?.screenshot({ path: `${artefacts}/registry-failed.png` }).catch(() => {})
  console.error(problems.join('\n'))
  console.error(error)
  process.exitCode = 1
} finally {
  await browser.close()
}
