// A fire from the first ring to the paper: the operator finds and acknowledges it, the fire station claims it on a phone that came to the dashboard's own
// address, arrives and resolves it; the lead reads its sheet, closes it, prints it, and finds it again by its number when it is on no board any more.
// Called by tests/stories/sheet.rs: `node sheet.mjs URL USERS DEVICE`. Detectors are the story's.
import { byTest, desk, enter, expect, live, must, story } from './kit.mjs'
import { phone } from './phone.mjs'

const [base, told, device] = process.argv.slice(2)
const users = JSON.parse(told)
const by = (login) => users.find((user) => user.login === login)

await story('sheet', base, async ({ open, problems }) => {
  const board = await open()
  await enter(board, base, by('wanglei'))
  console.log('READY')
  const row = `${byTest('incident-row')}[data-severity="P1"]`
  await board.waitForSelector(row)
  await board.click(row)
  await board.waitForSelector(`${byTest('drawer')}[data-version]`)
  await board.keyboard.press('a')
  await board.waitForSelector(`${byTest('drawer')}[data-acknowledged="true"]`)
  const number = (await board.textContent(`${byTest('drawer')} .sub`)).match(/#(\d+)/)[1]

  // no wish but to work: the address of the dashboard leads a phone of the fire station to the page that is made for it
  const hand = await open({ ...phone, viewport: { width: 390, height: 844 } })
  await hand.goto(base)
  await hand.fill(byTest('login-name'), 'fire')
  await hand.fill(byTest('login-password'), by('fire').password)
  await hand.click(byTest('login-submit'))
  await hand.waitForURL((url) => url.pathname === '/work')
  const task = hand.locator(`${byTest('task')}[data-device="${device}"]`)
  const stands = (state) => hand.locator(`${byTest('task')}[data-device="${device}"]${state}`).waitFor()
  await task.locator(byTest('verb-claim')).click()
  await stands('[data-state="claimed"]')
  await task.locator(byTest('verb-arrive')).click()
  await stands('[data-state="on_scene"]')
  console.log('ON SCENE')
  await stands('[data-lasting="false"]')
  await task.locator(byTest('verb-resolve')).click()
  await task.locator('label', { has: hand.locator(byTest('cause-cooking')) }).click()
  await task.locator(byTest('submit')).click()
  await board.waitForSelector(`${byTest('drawer')}[data-state="resolved"]`)
  // whoever wishes for the board gets it, on a phone too, and its bar lies over nothing
  await hand.goto(`${base}/live`)
  await live(hand)
  const overlap = await hand.evaluate(() => {
    const boxes = [...document.querySelectorAll('header.top nav, header.top .live, header.top button')].map((part) => part.getBoundingClientRect())
    return boxes.some((a, at) => boxes.slice(at + 1).some((b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1))
  })
  must(!overlap, 'on a phone parts of the bar lie over each other')
  await hand.context().close()

  const lead = await open()
  await enter(lead, base, by('lead'))
  await lead.click(row)
  const [sheet] = await Promise.all([lead.context().waitForEvent('page'), lead.click(byTest('sheet-link'))])
  await sheet.waitForSelector(`${byTest('sheet')}[data-state="resolved"]`)
  const text = await sheet.textContent(byTest('sheet'))
  for (const part of [`#${number}`, '烹饪油烟', '王磊', '现场查看']) must(text.includes(part), `the sheet does not say ${part}: ${text}`)
  const acts = await sheet.$$eval(`${byTest('sheet-timeline')} tbody tr`, (rows) => rows.map((row) => row.cells[2].innerText))
  const at = (what) => acts.findIndex((act) => act.startsWith(what))
  must(at('确认') >= 0 && at('确认') < at('认领') && at('认领') < at('到场') && at('到场') < at('处置完成'), `not in the order in which it was: ${acts}`)

  // it is closed on the board: the sheet says so by itself
  await lead.keyboard.press('x')
  await sheet.waitForSelector(`${byTest('sheet')}[data-state="closed"]`)

  // on paper there is the sheet and nothing else, black on white though the screen is dark
  await sheet.emulateMedia({ media: 'print' })
  const paper = await sheet.evaluate(() => ({
    bar: getComputedStyle(document.querySelector('header.top')).display,
    ink: getComputedStyle(document.querySelector('[data-testid="sheet"] h1')).color,
    ground: getComputedStyle(document.querySelector('[data-testid="sheet"]')).backgroundColor,
  }))
  expect('the paper', paper, { bar: 'none', ink: 'rgb(0, 0, 0)', ground: 'rgb(255, 255, 255)' })
  const pages = (await sheet.pdf({ format: 'A4' })).toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0
  must(pages >= 1 && pages <= 3, `${pages} sheets of paper`)
  await sheet.emulateMedia({ media: null })
  await sheet.close()

  // on no board any more, it is found by its number, whatever the span says
  await lead.goto(`${base}/incidents?span=hour`)
  await lead.waitForSelector(`${byTest('read-again')}:enabled`)
  const asked = []
  lead.on('request', (request) => request.url().includes('/api/v1/incidents?') && asked.push(new URL(request.url()).searchParams.get('number')))
  await lead.locator(byTest('filter-number')).pressSequentially(`#${number}`)
  await lead.keyboard.press('Enter')
  await lead.waitForFunction(([row, number]) => {
    const rows = [...document.querySelectorAll(row)]
    return rows.length === 1 && rows[0].innerText.includes(`#${number}`)
  }, [byTest('past-incident'), number])
  expect('the numbers that are asked for', asked, [number])
  await lead.keyboard.press('Escape')
  await lead.keyboard.press('j')
  await lead.keyboard.press('Enter')
  await lead.waitForSelector(`${byTest('sheet')}[data-state="closed"]`)
  await lead.setViewportSize(desk)
  if (problems.length === 0) console.log('PRINTED')
})
