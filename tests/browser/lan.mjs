// The board over plain HTTP at an address of the network, where a browser withholds much: log in, see an alarm come, acknowledge it, look at
// every screen that a desk has. Called by tests/stories/qualities.rs: `node lan.mjs DEMO`, the hub's demo.json with that address.
import { artefacts, byTest, enter, expect, settled, story } from './kit.mjs'
import { event, read, says } from './devices.mjs'

const demo = read(process.argv[2])

await story('lan', demo.base, async ({ open }) => {
  const page = await open()
  await enter(page, demo.base, demo.user('wanglei'))
  expect('a secure context', await page.evaluate(() => isSecureContext), false)
  expect('a worker that all tabs share', await page.evaluate(() => typeof SharedWorker), 'function')
  await says(demo, demo.of('fire_sensor')[0], event('fire.smoke', 'raised', { level: 9 }))
  await page.waitForSelector(`${byTest('incident-row')}[data-severity="P1"]`)
  await page.keyboard.press('j')
  await page.keyboard.press('Enter')
  await page.waitForSelector(`${byTest('drawer')}[data-version]`)
  await page.keyboard.press('a')
  await page.waitForSelector(`${byTest('drawer')}[data-acknowledged="true"]`)
  await page.screenshot({ path: `${artefacts}/lan.png` })
  for (const path of ['/map', '/devices', '/alarms', '/history', '/duty', '/reports', '/wall', '/account', '/live']) {
    await page.goto(demo.base + path)
    await settled(page)
  }
  // the phones' pages do without what they cannot have
  for (const [path, login] of [['/report', null], ['/work', 'fire']]) {
    const phone = await open({ viewport: { width: 360, height: 740 }, hasTouch: true })
    await phone.goto(demo.base + path)
    await phone.waitForSelector('main')
    if (login !== null) {
      const { password } = demo.user(login)
      await phone.fill(byTest('login-name'), login)
      await phone.fill(byTest('login-password'), password)
      await phone.click(byTest('login-submit'))
      await phone.waitForSelector(byTest('login-name'), { state: 'detached' })
    }
    await settled(phone)
    await phone.screenshot({ path: `${artefacts}/lan${path.replace('/', '-')}.png` })
  }
})
