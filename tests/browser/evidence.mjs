// A responder takes a photo at a task without a line, and the operator sees it in the drawer when the line is back. Called by
// tests/stories/evidence.rs: `node evidence.mjs URL INCIDENT USERS`, USERS as in demo.json. Says what has been reached line by line.
import { barriers, clipped } from './inspect.mjs'
import { artefacts, byTest, desk, enter, expect, small, story } from './kit.mjs'
import { looker, phone } from './phone.mjs'

const [base, incident, told] = process.argv.slice(2)
const users = Object.fromEntries(JSON.parse(told).map((user) => [user.login, user]))
const size = { width: 390, height: 844 }

await story('evidence', base, async ({ open, allow, problems }) => {
  const page = await open({ ...phone, viewport: size })
  const context = page.context()
  const { lookTwice } = looker(page, size, 'evidence', problems)
  allow(/./) // a broken line and a refusal are errors to the browser
  const task = page.locator(`${byTest('task')}[data-id="${incident}"]`)
  const inTask = (id) => task.locator(byTest(id))
  await page.goto(`${base}/work`)
  await page.fill(byTest('login-name'), users.fire.login)
  await page.fill(byTest('login-password'), users.fire.password)
  await page.click(byTest('login-submit'))
  await page.waitForSelector(`${byTest('line')}[data-line="feed"]`)
  await task.waitFor()
  const picture = await page.screenshot()
  const file = (name, buffer) => ({ name, mimeType: 'image/png', buffer })

  // without a line it lies on the phone, and outlasts a reload
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
  await context.setOffline(true)
  await page.waitForSelector(byTest('stale'))
  await inTask('camera').setInputFiles(file('photo.png', picture))
  await inTask('shots-waiting').waitFor()
  await lookTwice('kept')
  await page.reload()
  await inTask('shots-waiting').waitFor()
  console.log('KEPT')

  // the line is back, and loses the first answer: it is sent again, and is one note
  const keys = []
  await context.route('**/note', async (route) => {
    keys.push(await route.request().headerValue('Idempotency-Key'))
    if (keys.length > 1) return route.continue()
    await route.fetch()
    return route.abort('connectionreset')
  })
  await context.setOffline(false)
  await task.locator(`${byTest('photos')}[data-count="1"]`).waitFor()
  await inTask('shots-waiting').waitFor({ state: 'detached' })
  expect('the note was sent twice under one key', [keys.length, new Set(keys).size], [2, 1])
  await context.unroute('**/note')
  await lookTwice('sent')
  console.log('SENT')

  // the operator sees it, as large as the window, by keyboard
  allow(null)
  const board = await open()
  await enter(board, base, users.wanglei)
  await board.click(`${byTest('incident-row')}[data-id="${incident}"]`)
  await board.waitForSelector(byTest('drawer'))
  const loaded = (count) =>
    board.waitForFunction(
      ([selector, count]) => {
        const all = [...document.querySelectorAll(selector)]
        return all.length === count && all.every((image) => image.complete && image.naturalWidth > 0)
      },
      [`${byTest('photo')} img`, count],
    )
  await board.locator(byTest('evidence')).scrollIntoViewIfNeeded()
  await loaded(1)
  for (const [name, viewport] of [['1920', desk], ['1366', small]]) {
    await board.setViewportSize(viewport)
    await board.locator(byTest('evidence')).scrollIntoViewIfNeeded()
    await board.screenshot({ path: `${artefacts}/evidence-drawer-${name}.png` })
    problems.push(...(await clipped(board)), ...(await barriers(board)))
  }
  await board.setViewportSize(desk)
  await board.focus(byTest('photo'))
  await board.keyboard.press('Enter')
  await board.waitForSelector(byTest('viewer'))
  problems.push(...(await barriers(board)))
  await board.screenshot({ path: `${artefacts}/evidence-viewer.png` })
  await board.keyboard.press('Escape')
  await board.waitForSelector(byTest('viewer'), { state: 'detached' })
  expect('the drawer stays', await board.isVisible(byTest('drawer')), true)
  expect('the focus is where it was', await board.evaluate(() => document.activeElement?.dataset.testid), 'photo')

  // and adds one from the desk
  await board.click(byTest('action-note'))
  await board.locator(`${byTest('note-form')} select`).selectOption('photo')
  await board.setInputFiles(byTest('form-photo'), file('desk.png', await board.screenshot()))
  await board.waitForFunction((selector) => document.querySelector(selector)?.textContent.includes('1'), `${byTest('note-form')} [role=status]`)
  await board.screenshot({ path: `${artefacts}/evidence-form.png` })
  await board.click(`${byTest('note-form')} [type=submit]`)
  await board.locator(byTest('evidence')).scrollIntoViewIfNeeded()
  await loaded(2)
  await task.locator(`${byTest('photos')}[data-count="2"]`).waitFor()

  // nothing stays on the phone
  allow(/./)
  await page.click(byTest('logout'))
  await page.waitForSelector(byTest('login-name'))
  const left = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const request = indexedDB.open('jiming-work')
        request.onsuccess = () => {
          const count = request.result.transaction('bytes').objectStore('bytes').count()
          count.onsuccess = () => resolve(count.result)
        }
      }),
  )
  expect('photos on the phone after logging out', left, 0)
}, { patience: 60_000 })
