// A resident with a phone on a poor line, in a real browser: writes a report without a network, reloads, gets a network, follows it, is
// asked and is not satisfied. Then a grid captain reports under the own name. Called by tests/stories/report_page.rs:
// `node report.mjs URL LOGIN PASSWORD`. Says what has been reached line by line; the station's part is done by the story meanwhile.
import { artefacts, byTest, story } from './kit.mjs'
import { looker, phone } from './phone.mjs'

const [base, login, password] = process.argv.slice(2)
const size = { width: 360, height: 740 }

await story('report', base, async ({ open, allow, problems }) => {
  const page = await open({ ...phone, viewport: size })
  const context = page.context()
  const { look, lookTwice } = looker(page, size, 'report', problems)
  const lost = /ERR_CONNECTION_RESET/
  allow(lost)
  const setOffline = async (to) => {
    allow(to ? /./ : lost)
    await context.setOffline(to)
  }

  /** The phone page of a grid captain who has just logged in at the dashboard, on a device of their own. */
  async function captain() {
    const device = await open({ viewport: { width: 1280, height: 800 } })
    await device.goto(`${base}/login`)
    await device.waitForSelector(byTest('report-link'))
    await device.screenshot({ path: `${artefacts}/report-login.png` })
    await device.fill(byTest('login-name'), login)
    await device.fill(byTest('login-password'), password)
    await device.click(byTest('login-submit'))
    await device.click('nav a[href="/report"]')
    await device.waitForSelector(byTest('submit'))
    return device
  }

  // larger than what a phone should send over a poor line
  const camera = await open({ viewport: { width: 2400, height: 1800 } })
  await camera.setContent('<h1 style="font-size:300px;background:#345;color:#fff;margin:0;height:100vh">3幢1单元</h1>')
  const picture = await camera.screenshot()
  await camera.close()

  const loaded = []
  page.on('request', (request) => loaded.push(new URL(request.url()).pathname))
  await page.goto(`${base}/report`)
  await page.waitForSelector(byTest('submit'))
  // installed, active, and in charge of this page
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated')
  const foreign = loaded.filter((path) => /\/assets\/index-/.test(path))
  if (foreign.length > 0) problems.push(`the dashboard's code was loaded: ${foreign}`)
  await page.click(byTest('submit'))
  await page.waitForSelector('.need')
  await lookTwice('form')
  console.log('READY')

  await setOffline(true)
  await page.waitForSelector(byTest('offline'))
  await page.locator('.kinds label').first().click()
  await page.selectOption(byTest('site'), { index: 1 })
  await page.fill(byTest('place'), '3幢1单元电梯口')
  await page.fill(byTest('text'), '楼道里有人给电动车充电，电线从窗口拉出来，有焦味。')
  await page.setInputFiles(byTest('camera'), { name: 'photo.png', mimeType: 'image/png', buffer: picture })
  await page.waitForSelector(byTest('photo'))
  await lookTwice('filled')
  await page.click(byTest('submit'))
  await page.waitForSelector(`${byTest('report')}[data-stage="kept"]`)
  await lookTwice('kept')
  await page.reload()
  await page.waitForSelector(byTest('offline'))
  await page.click(byTest('tab-mine'))
  await page.waitForSelector(`${byTest('report')}[data-stage="kept"]`)
  console.log('KEPT')

  // the first answer gets lost on the line: the report is sent again, and must not become two
  let posts = 0
  await context.route('**/api/v1/reports', async (route) => {
    posts += 1
    if (posts > 1) return route.continue()
    await route.fetch()
    return route.abort('connectionreset')
  })
  await setOffline(false)
  await page.waitForSelector(`${byTest('report')}[data-stage="sent"][data-state]`)
  if (posts === 0) problems.push('no answer was lost')
  if (await page.locator(byTest('report')).count() !== 1) problems.push('there is not one report on the phone')
  await look('sent-zh-light')
  console.log('SENT')

  await page.waitForSelector(byTest('dissatisfied'))
  await lookTwice('asked')
  await page.fill(byTest('ask-note'), '电线还在')
  await page.click(byTest('dissatisfied'))
  await page.waitForSelector(byTest('reopened'))
  await lookTwice('reopened')
  console.log('REOPENED')

  const one = await captain()
  await one.locator('.kinds label').last().click()
  await one.selectOption(byTest('site'), { index: 1 })
  await one.fill(byTest('text'), '巡查：东门路灯不亮')
  await one.click(byTest('submit'))
  await one.waitForSelector(`${byTest('report')}[data-stage="sent"][data-state]`)
  const other = await captain()
  await other.click(byTest('tab-mine'))
  await other.waitForSelector(`${byTest('report')}:has-text("东门路灯")`)
  await other.screenshot({ path: `${artefacts}/report-account.png` })
}, { patience: 60_000 })
