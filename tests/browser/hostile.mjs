// Pages full of text that means harm: nothing of it runs, nothing becomes an element, the layout holds, it is shown as it was written, and a file for
// spreadsheets holds no formula. Run by hand: `node hostile.mjs URL USERS DEVICE INCIDENT`; DEVICE has sent every
// text of hostile.json as a `vehicle.denied`, INCIDENT holds each as a note, and residents have reported them.
import { readFile } from 'node:fs/promises'
import { artefacts, byTest, enter, must, settled, small, story } from './kit.mjs'
import { tooWide } from './inspect.mjs'
import { phone } from './phone.mjs'

const [base, told, device, incident] = process.argv.slice(2)
const by = (login) => JSON.parse(told).find((user) => user.login === login)
const corpus = JSON.parse(await readFile(new URL('hostile.json', import.meta.url), 'utf8'))

await story('hostile', base, async ({ open, problems }) => {
  /** Alerts, requests elsewhere and breaches of the policy are watched for everywhere; this is the rest. */
  async function inspect(page, name) {
    await settled(page)
    await page.screenshot({ path: `${artefacts}/hostile-${name}.png` })
    const found = await page.evaluate(() => {
      const harm = 'script:not([src]), iframe, object, embed, video, math, base, main style, body meta, main link, [onerror], [onload], [onclick], [onfocus], [onmouseover], [ontoggle]'
      const links = [...document.querySelectorAll('a[href], form[action]')].map((one) => one.getAttribute('href') ?? one.getAttribute('action'))
      return {
        ran: globalThis.pwned ?? null,
        elements: [...document.querySelectorAll(harm)].map((one) => one.outerHTML.slice(0, 120)),
        links: links.filter((link) => !/^(\/|#|tel:)/.test(link)),
      }
    })
    if (found.ran !== null) problems.push(`${name}: it ran: ${found.ran}`)
    found.elements.forEach((html) => problems.push(`${name}: became an element: ${html}`))
    found.links.forEach((link) => problems.push(`${name}: became a link: ${link}`))
    ;(await tooWide(page)).forEach((what) => problems.push(`${name}: ${what}`))
  }
  const textOf = (page, selector) => page.$$eval(selector, (all) => all.map((one) => one.textContent).join('\n'))
  /** What of the corpus is not there, letter by letter; marks that turn writing round are shown by their number. */
  const shownAs = (text) => text.replace(/[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\u00ad]/g, (mark) => `⟨U+${mark.codePointAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`)

  const page = await open({ viewport: small, acceptDownloads: true })
  await enter(page, base, by('lead'))
  await page.click(`${byTest('incident-row')}[data-id="${incident}"]`)
  await page.waitForSelector(`${byTest('drawer')}[data-version] ${byTest('timeline')} q`)
  await inspect(page, 'drawer')
  const timeline = await textOf(page, byTest('timeline'))
  const gone = corpus.filter((text) => !timeline.includes(text) && !timeline.includes(shownAs(text)))
  must(gone.length === 0, `not shown as written in the drawer: ${JSON.stringify(gone)}`)
  const bidi = await page.$$eval(`${byTest('timeline')} q`, (all) => all.map((one) => getComputedStyle(one).unicodeBidi))
  must(bidi.every((how) => how === 'isolate' || how === 'plaintext'), `what people write turns the line round: ${bidi[0]}`)
  for (const row of await page.$$eval(byTest('incident-row'), (rows) => rows.map((row) => row.dataset.id))) {
    await page.click(`${byTest('incident-row')}[data-id="${row}"]`)
    await page.waitForSelector(`${byTest('drawer')}[data-id="${row}"][data-version]`)
    await inspect(page, 'drawer-report')
  }

  for (const path of ['/duty', '/maintenance', '/alarms', '/map', '/reports', `/devices/${device}`, '/wall']) {
    await page.goto(base + path)
    await inspect(page, path.split('/')[1])
  }
  await page.goto(`${base}/maintenance`)
  await page.click(byTest('window-row'))
  await inspect(page, 'window')

  // history: every event in the detail, and as a file
  await page.goto(`${base}/history?device=${device}&kind=vehicle.denied`)
  await settled(page)
  await page.click(byTest('history-row'))
  for (let n = 0; n < corpus.length; n++) {
    await page.keyboard.press('j')
    if (n % 8 === 0) await inspect(page, 'history')
  }
  const [download] = await Promise.all([page.waitForEvent('download'), page.click(byTest('csv'))])
  const file = await readFile(await download.path(), 'utf8')
  must(file.includes('example.org'), `the file does not hold what the device sent: ${file.slice(0, 600)}`)
  for (const cell of file.match(/(?<=^|,)("(?:[^"]|"")*"|[^",\r\n]*)/gm) ?? []) {
    if (/^"?\s*[=+@-]/.test(cell)) problems.push(`a formula in the file: ${cell.slice(0, 60)}`)
  }

  const keeper = await open({ viewport: small })
  await enter(keeper, `${base}/login`, by('manager'))
  await keeper.goto(`${base}/quarantine`)
  await keeper.click(byTest('quarantine-row'))
  await inspect(keeper, 'quarantine')

  const hand = await open({ ...phone, viewport: { width: 360, height: 740 } })
  await enter(hand, `${base}/live`, by('captain'))
  await hand.goto(`${base}/report`)
  await hand.click(byTest('tab-mine'))
  await hand.waitForSelector(byTest('report'))
  await inspect(hand, 'report')
})
