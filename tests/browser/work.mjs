// A responder of the micro fire station with a phone, in a real browser: sees a smoke alarm come, claims it on a line that breaks, arrives,
// says how it stands, and resolves after the smoke has cleared; sees the list without a line, and who was faster. Called by
// tests/stories/phone_page.rs: `node work.mjs URL LOGIN PASSWORD DEVICE`. Says what has been reached line by line; detectors and
// colleagues are the story's.
import { byTest, heard, story } from './kit.mjs'
import { looker, phone } from './phone.mjs'

const [base, login, password, device] = process.argv.slice(2)
const size = { width: 390, height: 844 }

await story('work', base, async ({ open, allow, problems }) => {
  const page = await open({ ...phone, viewport: size })
  const context = page.context()
  const { lookTwice } = looker(page, size, 'work', problems)
  // what the phone's motor is told
  await context.addInitScript(() => {
    globalThis.shaken = 0
    navigator.vibrate = (pattern) => {
      if (Array.isArray(pattern)) globalThis.shaken += 1
      return true
    }
  })
  allow(/./) // a broken line and a refusal are errors to the browser
  const task = (state = '') => page.locator(`${byTest('task')}[data-device="${device}"][data-severity="P1"]${state}`)
  const inTask = (id) => task().locator(byTest(id))

  await page.goto(`${base}/work`)
  await page.waitForSelector(byTest('login-name'))
  await lookTwice('login')
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  await page.click(byTest('login-submit'))
  await page.waitForSelector(`${byTest('line')}[data-line="feed"]`)
  await page.waitForSelector(`${byTest('sound')}[data-armed="true"]`)
  allow(null)
  console.log('READY')

  await task('[data-state="dispatched"]').waitFor()
  await page.waitForFunction(() => globalThis.shaken > 0)
  await page.waitForSelector(byTest('silence'))
  await lookTwice('alarm')
  await page.click(byTest('silence'))
  await page.waitForSelector(byTest('silence'), { state: 'detached' })

  // it gets lost on the line: the phone says so, and the next tap sends the same again
  allow(/./)
  const keys = []
  await context.route('**/claim', async (route) => {
    keys.push(await route.request().headerValue('Idempotency-Key'))
    if (keys.length > 1) return route.continue()
    return route.abort('connectionreset')
  })
  await inTask('verb-claim').click()
  await inTask('unsent').waitFor()
  await lookTwice('unsent')
  await inTask('send-again').click()
  await task(`[data-state="claimed"][data-holder="${login}"]`).waitFor()
  if (keys.length !== 2 || keys[0] !== keys[1]) problems.push(`not the same claim again: ${keys}`)
  allow(null)
  await lookTwice('claimed')
  await inTask('verb-arrive').click()
  await task('[data-state="on_scene"]').waitFor()
  await inTask('verb-progress').click()
  await inTask('note').fill('厨房油烟，已开窗通风')
  await lookTwice('progress')
  await inTask('submit').click()
  await task().locator('.timeline q').filter({ hasText: '已开窗' }).waitFor()
  if (await inTask('verb-resolve').isEnabled()) problems.push('it can be resolved while the detector still sees smoke')

  // without a line the list stays, says how old it is, and outlasts a reload
  allow(/./)
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
  await context.setOffline(true)
  await page.waitForSelector(byTest('stale'))
  await page.reload()
  await task('[data-state="on_scene"]').waitFor()
  await page.waitForSelector(byTest('stale'))
  await lookTwice('offline')
  console.log('ON SCENE')

  await context.setOffline(false)
  await task('[data-lasting="false"]').waitFor()
  await page.waitForSelector(`${byTest('line')}[data-line="feed"]`)
  allow(null)
  await inTask('verb-resolve').click()
  await inTask('submit').click()
  await task().locator('.need').first().waitFor()
  await task().locator('label', { has: page.locator(byTest('cause-cooking')) }).click()
  await inTask('note').fill('住户炒菜，无明火')
  await lookTwice('resolve')
  await inTask('submit').click()
  await task().waitFor({ state: 'detached' })
  await page.waitForSelector(`${byTest('notice')}[data-key="took"]`)
  await lookTwice('resolved')
  console.log('RESOLVED')

  // a colleague is faster, and the phone has not heard of it yet
  await task('[data-state="dispatched"]').waitFor()
  allow(/./)
  await context.setOffline(true)
  await inTask('verb-claim').click()
  await inTask('unsent').waitFor()
  console.log('LATE')
  // the line comes back when the colleague has it
  await heard()
  await context.setOffline(false)
  await page.waitForSelector(`${byTest('notice')}[data-key="moot"], ${byTest('notice')}[data-key="taken"]`)
  if (await task('[data-state="claimed"]').getAttribute('data-holder') === login) problems.push('the late claim won')
  await lookTwice('late')

  await page.click(byTest('logout'))
  await page.waitForSelector(byTest('login-name'))
  const left = await page.evaluate(() => localStorage.getItem('jiming.work.kept'))
  if (left !== null) problems.push('the list of tasks stays on the phone after logging out')
}, { patience: 60_000 })
