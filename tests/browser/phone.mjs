// What the stories of the phone pages share: a phone in a hand, and what each of its screens must keep.
import { artefacts, byTest } from './kit.mjs'
import { barriers, tooSmall, tooWide } from './inspect.mjs'

export const phone = { deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: 'light' }

/** Looks at screens of a page as large as `size`; what is wrong with them goes to `problems`, a picture of each is called after the story. */
export function looker(page, size, story, problems) {
  /** The whole page: on a screen as high as that, so that what sticks to its edge does not cover anything. */
  async function look(name) {
    const height = await page.evaluate(() => document.documentElement.scrollHeight)
    await page.setViewportSize({ ...size, height: Math.max(height, size.height) })
    await page.screenshot({ path: `${artefacts}/${story}-${name}.png` })
    const wrong = [...(await tooWide(page)), ...(await tooSmall(page)), ...(await barriers(page))]
    wrong.forEach((what) => problems.push(`${name}: ${what}`))
    await page.setViewportSize(size)
  }
  /** In both languages and both themes; left in Chinese and light. */
  async function lookTwice(name) {
    await look(`${name}-zh-light`)
    await page.emulateMedia({ colorScheme: 'dark' })
    await page.click(byTest('language'))
    await look(`${name}-en-dark`)
    await page.emulateMedia({ colorScheme: 'light' })
    await page.click(byTest('language'))
  }
  return { look, lookTwice }
}
