// The duty book and the reports in a real browser: a note, a handover that two people sign, figures as table, CSV and workbook.
// Called by tests/stories/figure_pages.rs: `node figures.mjs URL ARTEFACTS OUTGOING PASSWORD INCOMING PASSWORD`.
import { chromium } from 'playwright-core'

const [base, artefacts, outgoing, outgoingPassword, incoming, incomingPassword] = process.argv.slice(2)
const patience = 20_000
const byTest = (id) => `[data-testid="${id}"]`

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})
const problems = []
let page

async function enter(login, password) {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'zh-CN' })
  page = await context.newPage()
  page.setDefaultTimeout(patience)
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('pageerror', (error) => problems.push(String(error)))
  await page.goto(`${base}/duty`)
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  problems.length = 0 // the 401 that sends a stranger to the log-in page is logged by the browser
  await page.click(byTest('login-submit'))
  await page.waitForSelector(`${byTest('live-indicator')}[data-state="live"]`)
  await page.goto(`${base}/duty`)
  await page.waitForSelector(byTest('handover'))
}

try {
  await enter(outgoing, outgoingPassword)
  await page.waitForSelector(`${byTest('duty-log')} tbody tr`)
  await page.fill(byTest('duty-note'), '东门杆修过 <b>x</b>')
  await page.click(byTest('duty-note-add'))
  await page.waitForSelector(`${byTest('duty-notes')} li`)
  const note = await page.textContent(`${byTest('duty-notes')} li`)
  if (!note.includes('东门杆修过 <b>x</b>')) throw new Error(`the note reads ${note}`)
  await page.click(byTest('handover-prepare'))
  await page.waitForSelector(`${byTest('handover')}[data-state="prepared"]`)
  await page.click(byTest('handover-sign'))
  await page.waitForSelector(`${byTest('handover')}[data-state="signed"]`)
  await page.screenshot({ path: `${artefacts}/duty.png` })

  await enter(incoming, incomingPassword)
  await page.click(byTest('handover-sign'))
  await page.waitForSelector(`${byTest('handovers-done')} li`)
  const done = await page.textContent(`${byTest('handovers-done')} li`)
  if (!done.includes(outgoing) || !done.includes(incoming)) throw new Error(`the handover reads ${done}`)

  await page.goto(`${base}/reports`)
  await page.waitForSelector(`${byTest('reports')}[data-busy="false"] ${byTest('times')} tbody tr`)
  await page.waitForSelector(`${byTest('ranking')} tbody tr`)
  await page.screenshot({ path: `${artefacts}/reports.png` })
  for (const [id, start] of [['csv', '\ufeffgroup,'], ['xlsx', 'PK']]) {
    const href = await page.getAttribute(byTest(id), 'href')
    const reply = await page.request.get(base + href)
    const text = await reply.text()
    if (reply.status() !== 200 || !text.startsWith(start)) throw new Error(`${id}: ${reply.status()} ${text.slice(0, 40)}`)
  }
  if (problems.length > 0) throw new Error(problems.join('\n'))
  console.log('DONE')
} catch (e) {
  await page?.screenshot({ path: `${artefacts}/figures-failed.png` }).catch(() => undefined)
  console.error(e)
  process.exitCode = 1
} finally {
  await browser.close()
}
