// Every screen in both themes and languages and at its sizes: nothing that axe finds, nothing cut off or over something else, nothing wider than
// the screen, no word of the wrong language. A picture of each, and all of them on one page: artefacts/screens/index.html. The screens are those
// of the router and the pages of the build: one without a row here fails. Run by hand, beside a hub with something to see: `node screens.mjs URL USERS`, USERS as in demo.json.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { artefacts, byTest, desk, enter, live, must, repository, settled, small, story } from './kit.mjs'
import { barriers, clipped, foreign, tooSmall, tooWide } from './inspect.mjs'
import { phone } from './phone.mjs'

const [base, told, only = ''] = process.argv.slice(2)
const users = JSON.parse(told)
const by = (login) => users.find((user) => user.login === login)
const phones = [{ width: 360, height: 740 }]

/** Opens the first row of a list of the managers' pages. */
const first = (row) => async (page) => {
  await page.click(byTest(row))
}
/** One row a screen: whose, at which sizes, and what is done there before it is looked at. */
const screens = [
  { name: 'login', path: '/login', who: null },
  { name: 'live', path: '/live', who: 'lead' },
  { name: 'live-drawer', path: '/live', who: 'lead', act: async (page) => {
    await page.click(byTest('incident-row'))
    await page.waitForSelector(`${byTest('drawer')}[data-version] ${byTest('timeline')}`)
  } },
  { name: 'live-form', path: '/live', who: 'wanglei', act: async (page) => {
    await page.click(byTest('incident-row'))
    await page.waitForSelector(`${byTest('drawer')}[data-version] ${byTest('action-dispatch')}`)
    await page.keyboard.press('d')
    await page.waitForSelector(byTest('dispatch-form'))
  } },
  { name: 'live-help', path: '/live', who: 'wanglei', act: (page) => page.keyboard.press('?') },
  { name: 'map', path: '/map', who: 'lead' },
  { name: 'devices', path: '/devices', who: 'manager', act: first('device-row') },
  { name: 'device', path: '/devices/:id', who: 'manager' },
  { name: 'device-command', path: '/devices/:door', who: 'lead', act: async (page) => {
    await page.click(byTest('ask-hold-open'))
    await page.check(byTest('command-alone'))
    await page.waitForSelector(byTest('alone-warning'))
  } },
  { name: 'fire', path: '/fire', who: 'lead', act: async (page) => {
    await page.click(byTest('fire-start'))
    await page.waitForSelector(byTest('fire-form'))
  } },
  { name: 'alarms', path: '/alarms', who: 'lead', act: first('alarm-row') },
  { name: 'maintenance', path: '/maintenance', who: 'manager', act: first('window-row') },
  { name: 'maintenance-plan', path: '/maintenance', who: 'manager', act: (page) => page.click(byTest('plan')) },
  { name: 'incidents', path: '/incidents', who: 'lead', act: first('past-incident') },
  { name: 'incident', path: '/incidents/:id', who: 'lead' },
  { name: 'history', path: '/history', who: 'lead', act: first('history-row') },
  { name: 'quarantine', path: '/quarantine', who: 'manager', act: first('quarantine-row') },
  { name: 'newcomers', path: '/newcomers', who: 'manager' },
  { name: 'rules', path: '/rules', who: 'lead', act: async (page) => {
    await page.click(byTest('rule-row'))
    await page.waitForSelector(byTest('rule-form'))
  } },
  { name: 'account', path: '/account', who: 'lead' },
  { name: 'duty', path: '/duty', who: 'lead' },
  { name: 'reports', path: '/reports', who: 'lead' },
  { name: 'reports-alarms', path: '/reports', who: 'lead', act: async (page) => {
    await page.click(byTest('tab-alarms'))
    await page.waitForSelector(byTest('alarm-load'))
  } },
  { name: 'users', path: '/admin/users', who: 'admin' },
  { name: 'tokens', path: '/admin/tokens', who: 'admin' },
  { name: 'roster', path: '/roster', who: 'lead', act: first('stint') },
  { name: 'grid', path: '/grid', who: 'manager', act: first('grid-row') },
  { name: 'registry', path: '/registry', who: 'admin' },
  { name: 'system', path: '/admin/system', who: 'admin' },
  { name: 'audit', path: '/admin/audit', who: 'admin' },
  { name: 'wall', path: '/wall', who: 'lead', sizes: [desk] },
  { name: 'missing', path: '/:any(.*)*', who: 'lead' },
  { name: 'report', path: '/report', who: null, sizes: phones },
  { name: 'report-mine', path: '/report', who: null, sizes: phones, act: (page) => page.click(byTest('tab-mine')) },
  { name: 'work-login', path: '/work', who: null, sizes: phones },
  { name: 'work', path: '/work', who: 'fire', sizes: phones },
]

/** What there is to show: the router's paths, and the pages that have a document of their own. */
function all() {
  const web = `${repository}dashboard-api/web/`
  const routes = [...readFileSync(`${web}src/router.ts`, 'utf8').matchAll(/path: "([^"]+)"(?!,.* redirect)/g)].map(([, path]) => path)
  const pages = readdirSync(web).filter((name) => name.endsWith('.html') && name !== 'index.html').map((name) => `/${name.slice(0, -5)}`)
  must(routes.length > 10 && pages.length > 1, 'the screens are not found')
  return [...routes, ...pages]
}

await story('screens', base, async ({ open, problems }) => {
  for (const path of all()) if (!screens.some((screen) => screen.path === path)) problems.push(`no row for ${path} in screens.mjs`)
  mkdirSync(`${artefacts}/screens`, { recursive: true })

  // everybody logs in once
  const sessions = { null: undefined }
  for (const { who } of screens) {
    if (who in sessions) continue
    const page = await open()
    await enter(page, base, by(who))
    sessions[who] = { cookies: await page.context().cookies(), origins: [] }
    await page.context().close()
  }
  const [device] = await (await fetch(`${base}/api/v1/incidents?state=active`, { headers: { Authorization: `Bearer ${by('admin').token}` } })).json()
    .then(({ items }) => items.filter(({ device }) => device !== null))
  const address = { '/devices/:id': `/devices/${device.device}`, '/devices/:door': '/devices/door-q1-0301', '/incidents/:id': `/incidents/${device.id}`, '/:any(.*)*': '/nothing-here' }

  const pictures = []
  async function look(page, { name, path, who, act, sizes = [small, desk] }, theme, language) {
    await page.goto(base + (address[path] ?? path))
    await settled(page)
    if (sizes.includes(desk) && who !== null) await live(page)
    await act?.(page)
    for (const size of sizes) {
      await page.setViewportSize(size)
      // so that what sticks to the edge of a phone does not cover anything
      if (sizes === phones) await page.setViewportSize({ ...size, height: Math.max(size.height, await page.evaluate(() => document.documentElement.scrollHeight)) })
      await settled(page)
      const picture = `${name}-${theme}-${language}-${size.width}.png`
      await page.screenshot({ path: `${artefacts}/screens/${picture}` })
      pictures.push({ name, picture, theme, language, size })
      const wrong = [...(await clipped(page)), ...(await tooWide(page)), ...(await foreign(page, language))]
      if (sizes === phones) wrong.push(...(await tooSmall(page)))
      // every theme and every language once
      if (size === sizes[0] && (theme === 'dark') === (language === 'zh-CN')) wrong.push(...(await barriers(page)))
      wrong.forEach((what) => problems.push(`${picture}: ${what}`))
    }
  }

  /** All screens in a theme and a language, person by person. */
  async function walk(theme, language) {
    for (const who of new Set(screens.map((screen) => screen.who))) {
      for (const isPhone of [false, true]) {
        const theirs = screens.filter((screen) => screen.who === who && (screen.sizes === phones) === isPhone && screen.name.includes(only))
        if (theirs.length === 0) continue
        const page = await open({ theme, language, storageState: sessions[who], viewport: theirs[0].sizes?.[0] ?? small, ...(isPhone ? phone : {}) })
        for (const screen of theirs) {
          const before = problems.length
          await look(page, screen, theme, language).catch((error) => problems.push(`${screen.name} ${theme} ${language}: ${error}`))
          if (problems.length > before + 30) problems.length = before + 30
        }
        await page.context().close()
      }
    }
  }
  await Promise.all([
    (async () => { await walk('dark', 'zh-CN'); await walk('light', 'en') })(),
    (async () => { await walk('light', 'zh-CN'); await walk('dark', 'en') })(),
  ])

  pictures.sort((a, b) => screens.findIndex(({ name }) => name === a.name) - screens.findIndex(({ name }) => name === b.name))
  const cards = pictures.map(({ picture, theme, language, size }) =>
    `<a href="${picture}"><img src="${picture}" loading="lazy" alt=""><br>${picture.replace('.png', '')} (${theme}, ${language}, ${size.width}×${size.height})</a>`)
  writeFileSync(`${artefacts}/screens/index.html`, `<!doctype html><meta charset="utf-8"><title>Screens</title><style>
body { font: 13px sans-serif; display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px } img { max-width: 100%; max-height: 360px; border: 1px solid #888 }
</style>${cards.join('\n')}\n`)
})
