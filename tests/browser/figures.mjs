// The duty book and the reports in a real browser: a note, a handover that two people sign, figures as table, CSV and workbook.
// Called by tests/stories/figure_pages.rs: `node figures.mjs URL OUTGOING PASSWORD INCOMING PASSWORD`.
import { barriers } from './inspect.mjs'
import { artefacts, byTest, desk, enter, expect, small, story } from './kit.mjs'

const [base, outgoing, outgoingPassword, incoming, incomingPassword] = process.argv.slice(2)

await story('figures', base, async ({ open }) => {
  async function atDuty(login, password) {
    const page = await open({ viewport: small })
    await enter(page, `${base}/duty`, { login, password })
    await page.waitForSelector(byTest('handover'))
    return page
  }

  let page = await atDuty(outgoing, outgoingPassword)
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

  page = await atDuty(incoming, incomingPassword)
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

  // the alarm system beside what the standards ask
  await page.click(byTest('tab-alarms'))
  await page.waitForSelector(`${byTest('figures')} tbody tr`)
  const verdict = (name) => page.getAttribute(`${byTest('figures')} [data-figure="${name}"]`, 'data-verdict')
  expect('a seat with one alarm', await verdict('peak_10_min_and_seat'), 'good')
  expect('one source is all of it', await verdict('top_10_permille'), 'over')
  expect('sources', await page.$$eval(`${byTest('sources')} tbody tr`, (all) => all.length), 1)
  const rung = await page.$$eval(`${byTest('steps')} tbody tr td:nth-child(2)`, (all) => all.map((one) => Number(one.textContent)))
  expect('what rang, hour by hour', rung.reduce((sum, n) => sum + n, 0), 1)
  for (const size of [small, desk]) {
    await page.setViewportSize(size)
    await page.screenshot({ path: `${artefacts}/reports-alarms-${size.width}.png` })
  }
  expect('what axe finds', await barriers(page), [])
  for (const [id, start] of [['csv', '\ufefffigure,'], ['xlsx', 'PK'], ['figures-csv', '\ufefffigure,']]) {
    const reply = await page.request.get(base + (await page.getAttribute(byTest(id), 'href')))
    const text = await reply.text()
    if (reply.status() !== 200 || !text.startsWith(start)) throw new Error(`${id}: ${reply.status()} ${text.slice(0, 40)}`)
  }
  await page.emulateMedia({ media: 'print' })
  await page.pdf({ path: `${artefacts}/reports-alarms.pdf`, landscape: true, format: 'A4' })
  await page.emulateMedia({ media: 'screen' })
})
