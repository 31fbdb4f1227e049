// An operator at the board, in a real browser: logs in, sees a smoke alarm come without a reload, handles it by keyboard alone.
// Called by tests/stories/browser.rs: `node board.mjs URL LOGIN PASSWORD`. Says READY when the board is live.
import { artefacts, byTest, enter, story } from './kit.mjs'

const [base, login, password] = process.argv.slice(2)

await story('board', base, async ({ open }) => {
  const page = await open()
  let navigations = 0
  await enter(page, base, { login, password })
  page.on('framenavigated', () => navigations++)
  console.log('READY')

  const row = page.locator(`${byTest('incident-row')}[data-severity="P1"]`).first()
  await row.waitFor()
  const id = await row.getAttribute('data-id')
  await page.screenshot({ path: `${artefacts}/board-alarm.png` })

  // by keyboard alone: select, open, acknowledge, claim, arrive, resolve
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.waitForSelector(byTest('drawer'))
  await page.keyboard.press('a')
  await page.waitForSelector(`${byTest('drawer')}[data-acknowledged="true"]`)
  await page.keyboard.press('c')
  await page.waitForSelector(`${byTest('drawer')}[data-held="true"]`)
  await page.screenshot({ path: `${artefacts}/board-claimed.png` })
  await page.keyboard.press('v')
  await page.waitForSelector(`${byTest('drawer')}[data-lead="on_scene"]`)
  console.log('ON SCENE')
  await page.waitForSelector(`${byTest('drawer')}[data-lasting="false"]`)
  await page.keyboard.press('r')
  await page.waitForSelector(byTest('resolve-form'))
  await page.keyboard.press('Enter')
  await page.waitForSelector(`${byTest('drawer')}[data-state="resolved"]`)
  await page.screenshot({ path: `${artefacts}/board-resolved.png` })
  // the drawer shows what the command answered, the row follows with the feed
  const isOver = ([row, id]) => {
    const found = document.querySelector(`${row}[data-id="${id}"]`)
    return found === null || found.dataset.state === 'resolved'
  }
  await page.waitForFunction(isOver, [byTest('incident-row'), id])
  if (navigations > 0) throw new Error(`the page navigated ${navigations} times: it must not reload`)
})
