// What all browser stories share: a Chromium that reaches nothing but the hub, pages that are watched, a picture of each when a story fails.
// `await story('board', base, async ({ open }) => { … })` ends the process: DONE and 0, or what went wrong and 1.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

export const byTest = (id) => `[data-testid="${id}"]`
export const desk = { width: 1920, height: 1080 }
export const small = { width: 1366, height: 768 }
export const repository = fileURLToPath(new URL('../..', import.meta.url))
/** Where pictures are kept. */
export const artefacts = `${repository}artefacts`

/** A name that is not the hub's is not found, whoever asks: page, worker or the browser itself. */
const switches = (base) => ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', `--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE ${new URL(base).hostname}`]

export function must(is, what) {
  if (!is) throw new Error(what)
}

export function expect(what, is, should) {
  must(JSON.stringify(is) === JSON.stringify(should), `${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(should)}`)
}

/** Waits for the next line of the story on the other side. */
export const heard = () => new Promise((resolve) => process.stdin.once('data', resolve))

/**
 * Tells a story. `tell` gets `open(options)` for a page in a browser context of its own, `problems` to add to, `browser`, and `allow(pattern)`:
 * what the browser may log as an error from now on (answers with 4xx, a line that is cut). Further switches are for Chromium.
 */
export async function story(name, base, tell, { patience = 20_000, more = [] } = {}) {
  mkdirSync(artefacts, { recursive: true })
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: [...switches(base), ...more] })
  const problems = []
  const pages = []
  let allowed = null
  const allow = (pattern) => (allowed = pattern)

  async function open({ theme, language, ...options } = {}) {
    const context = await browser.newContext({ viewport: desk, locale: 'zh-CN', ...options })
    context.setDefaultTimeout(patience)
    await context.addInitScript(([theme, language]) => {
      if (location.origin === 'null') return
      for (const page of ['', 'report.']) {
        if (theme) localStorage.setItem(`jiming.${page}theme`, theme)
        if (language) localStorage.setItem(`jiming.${page}language`, language)
      }
      globalThis.violated = []
      addEventListener('securitypolicyviolation', (event) => globalThis.violated.push(`${event.violatedDirective}: ${event.blockedURI}`))
    }, [theme, language])
    context.on('page', (page) => pages.push(page))
    context.on('weberror', (error) => problems.push(String(error.error())))
    context.on('console', (message) => {
      const { url } = message.location()
      // the 401 that sends a stranger to the log-in page is logged by the browser
      const isStranger = url.endsWith('/api/v1/session') && /status of 401/.test(message.text())
      if (message.type() !== 'error' || isStranger || allowed?.test(message.text())) return
      problems.push(`${message.text()} (${url})`)
    })
    context.on('page', (page) => pending.set(page, new Set()))
    const ended = (request) => request.serviceWorker() === null && pending.get(request.frame().page())?.delete(request)
    context.on('requestfinished', ended)
    context.on('requestfailed', ended)
    context.on('request', (request) => {
      if (request.serviceWorker() === null && request.url().startsWith(`${base}/api/`) && !request.url().includes('/live?')) pending.get(request.frame().page())?.add(request)
      if (!request.url().startsWith(`${base}/`) && !/^(data|blob):/.test(request.url())) problems.push(`request outside: ${request.url()}`)
    })
    context.on('dialog', (dialog) => {
      if (dialog.type() === 'alert' || dialog.type() === 'prompt') problems.push(`a dialog: ${dialog.message()}`)
      void dialog.accept()
    })
    return context.newPage()
  }

  try {
    await tell({ browser, open, allow, problems, patience })
    for (const page of pages.filter((page) => !page.isClosed())) {
      problems.push(...(await page.evaluate(() => globalThis.violated ?? []).catch(() => [])).map((what) => `against the content security policy: ${what}`))
    }
    must(problems.length === 0, `the browser complained:\n${problems.join('\n')}`)
    console.log('DONE')
  } catch (error) {
    for (const [n, page] of pages.entries()) await page.screenshot({ path: `${artefacts}/${name}-failed-${n}.png` }).catch(() => {})
    console.error(problems.join('\n'))
    console.error(error)
    process.exitCode = 1
  } finally {
    await browser.close()
    // an input that nobody reads any more would keep it waiting
    process.exit()
  }
}

/** Logs in at a page of the dashboard, and waits until the feed is live. */
export async function enter(page, address, { login, password }) {
  await page.goto(address)
  await page.fill(byTest('login-name'), login)
  await page.fill(byTest('login-password'), password)
  await page.click(byTest('login-submit'))
  await live(page)
}

/** What each page waits for. */
const pending = new WeakMap()

/** Waits until a page asks for nothing more, and has painted what it got. */
export async function settled(page, patience = 20_000) {
  const end = Date.now() + patience
  // a locator, not `waitForSelector`: the handle that this gives would keep the page's elements from being collected
  await page.locator('main').first().waitFor()
  for (let quiet = 0; quiet < 3; ) {
    must(Date.now() < end, `${page.url()} still waits for ${[...pending.get(page)].map((request) => request.url())}`)
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))
    quiet = pending.get(page).size === 0 ? quiet + 1 : 0
  }
}

export async function live(page, is = 'live') {
  await page.waitForSelector(`${byTest('live-indicator')}[data-state="${is}"]`)
}
