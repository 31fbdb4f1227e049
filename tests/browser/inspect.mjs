// What a screen must keep, asked of a page as it stands. Each answers with a list of what is wrong, empty when nothing is.
import { readdirSync, readFileSync } from 'node:fs'
import { repository } from './kit.mjs'

const axe = readFileSync(new URL('node_modules/axe-core/axe.min.js', import.meta.url), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22a', 'wcag22aa', 'best-practice']

/** What axe finds: WCAG 2.2 A and AA, and best practice. */
export async function barriers(page) {
  // by the debugger: under the content security policy no other script comes in
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe)
  const run = (tags) => globalThis.axe.run(document, { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'] })
  const { violations } = await page.evaluate(run, tags)
  // the digits of a glyph on the plan are a drawing and no label: nobody says them to press it
  const isDrawn = (id, { html }) => id === 'label-content-name-mismatch' && html.startsWith('<g ')
  const found = violations.map(({ nodes, ...rest }) => ({ ...rest, nodes: nodes.filter((node) => !isDrawn(rest.id, node)) })).filter(({ nodes }) => nodes.length > 0)
  return found.map(({ id, help, nodes }) => `axe ${id}: ${help}: ${nodes.slice(0, 4).map((n) => n.html.slice(0, 160)).join(' | ')}`)
}

/** The page wider than the screen, or a table's row wider than its table. */
export function tooWide(page) {
  return page.evaluate(() => {
    const wrong = []
    const over = document.documentElement.scrollWidth - innerWidth
    if (over > 0) wrong.push(`${over} px wider than the screen`)
    for (const row of document.querySelectorAll('.managed .row, .list .row')) {
      if (row.scrollWidth > row.clientWidth) wrong.push(`a row ${row.scrollWidth - row.clientWidth} px wider than its table: ${row.textContent.slice(0, 60)}`)
    }
    return wrong.slice(0, 3)
  })
}

/** What a thumb must hit and is too small for it. */
export function tooSmall(page, least = 44) {
  return page.evaluate((least) => [...document.querySelectorAll('a, button, input, select, textarea, summary')]
    .map((element) => ({ box: element.getBoundingClientRect(), text: element.outerHTML.slice(0, 120) }))
    .filter(({ box }) => box.width > 0 && (box.height < least || box.width < least))
    .map(({ box, text }) => `too small for a thumb: ${Math.round(box.width)}×${Math.round(box.height)} ${text}`), least)
}

/**
 * Words that are cut off, or lie over other words. What scrolls is not cut off; what ends in an ellipsis must tell all of itself in a
 * `title`, its own or that of what it stands in.
 */
export function clipped(page) {
  return page.evaluate(() => {
    const wrong = []
    const shown = []
    const name = (element) => `<${element.tagName.toLowerCase()} class="${element.getAttribute('class') ?? ''}">`
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement
      if (node.data.trim() === '' || element === null || element.closest('svg, script, style, noscript, option, textarea') !== null) continue
      if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue
      const range = document.createRange()
      range.selectNodeContents(node)
      const words = node.data.trim().slice(0, 60)
      for (const rect of range.getClientRects()) {
        if (rect.width < 1 || rect.height < 1) continue
        const seen = { left: rect.left, right: rect.right, top: rect.top, bottom: rect.bottom }
        let isCut = false
        for (let box = element; box !== null && box !== document.documentElement; box = box.parentElement) {
          const style = getComputedStyle(box)
          if (style.position === 'fixed') break
          if (style.overflowX === 'visible' && style.overflowY === 'visible') continue
          const edge = box.getBoundingClientRect()
          // what an element says of itself does not know how large it is drawn
          const zoom = box.currentCSSZoom ?? 1
          const [left, top] = [edge.left + box.clientLeft * zoom, edge.top + box.clientTop * zoom]
          const inner = { left, top, right: left + box.clientWidth * zoom, bottom: top + box.clientHeight * zoom }
          const hides = (overflow) => overflow === 'hidden' || overflow === 'clip'
          // 1 px: letters overhang; a third of a line: ascent and descent that the font claims and does not use
          const across = hides(style.overflowX) && (seen.right > inner.right + 1 || seen.left < inner.left - 1)
          const along = hides(style.overflowY) && (seen.bottom > inner.bottom + rect.height / 3 || seen.top < inner.top - rect.height / 3)
          if ((across || along) && !isCut) {
            isCut = true
            const isHiddenOnPurpose = box.clientWidth <= 1 || box.clientHeight <= 1
            const isTold = element.closest('[title]') !== null
            if (!isHiddenOnPurpose && !isTold) wrong.push(`cut off: “${words}” in ${name(element)}, at the edge of ${name(box)}`)
          }
          seen.left = Math.max(seen.left, inner.left)
          seen.right = Math.min(seen.right, inner.right)
          seen.top = Math.max(seen.top, inner.top)
          seen.bottom = Math.min(seen.bottom, inner.bottom)
        }
        if (seen.right - seen.left > 2 && seen.bottom - seen.top > 2) shown.push({ element, words, ...seen })
      }
    }
    const isOpaque = (element) => {
      const { backgroundColor } = getComputedStyle(element)
      return backgroundColor !== 'transparent' && !/, 0(\.\d+)?\)$/.test(backgroundColor)
    }
    shown.sort((a, b) => a.top - b.top)
    shown.forEach((one, n) => {
      for (const other of shown.slice(n + 1)) {
        if (other.top > one.bottom - 4) break
        if (one.element === other.element || Math.min(one.right, other.right) - Math.max(one.left, other.left) < 3) continue
        if (Math.min(one.bottom, other.bottom) - other.top < 6) continue
        const x = (Math.max(one.left, other.left) + Math.min(one.right, other.right)) / 2
        const y = (other.top + Math.min(one.bottom, other.bottom)) / 2
        // one lies under something that covers it
        const stack = document.elementsFromPoint(x, y)
        const [top, under] = [stack.indexOf(one.element), stack.indexOf(other.element)].sort((a, b) => a - b)
        if (top < 0 || stack.slice(top, under).some(isOpaque)) continue
        wrong.push(`over each other: “${one.words}” and “${other.words}”`)
      }
    })
    return [...new Set(wrong)].slice(0, 12)
  })
}

/** All messages of all tables of a language, by key. */
function messages(language) {
  const src = `${repository}dashboard-api/web/src/`
  const files = readdirSync(src, { recursive: true }).filter((name) => name.endsWith(`/${language}.ts`))
  const pairs = files.flatMap((name) => [...readFileSync(src + name, 'utf8').matchAll(/^ {2}"([^"]+)":\s+"((?:[^"\\]|\\.)*)",?$/gm)])
  return new Map(pairs.map(([, key, text]) => [key, JSON.parse(`"${text}"`)]))
}
const tables = { 'zh-CN': messages('zh'), en: messages('en') }

/**
 * Words of the wrong language: the key of a message, a message of the other language, and in Chinese an English sentence, as of the server. What is
 * marked with `lang`, raw data in `code`, `pre` and `translate="no"`, and what people typed, in `q`, are left alone; names of places and devices are as registered.
 */
export function foreign(page, language) {
  const other = language === 'en' ? 'zh-CN' : 'en'
  const same = new Set(tables[language].values())
  const theirs = [...tables[other].values()].filter((text) => !same.has(text) && text.length > 1 && (language === 'en' ? /[\u4e00-\u9fff]/ : /[a-z]{2}/).test(text))
  return page.evaluate(([language, other, keys, theirs]) => {
    const wrong = []
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const element = node.parentElement
      const words = node.data.trim()
      if (words === '' || element === null || element.closest('script, style, noscript, pre, code, q, [translate=no]') !== null) continue
      if (keys.includes(words)) wrong.push(`the key of a message: ${words}`)
      if (element.closest('[lang]')?.getAttribute('lang') === other) continue
      if (theirs.includes(words)) wrong.push(`a message in ${other}: “${words.slice(0, 80)}”`)
      else if (language === 'zh-CN' && /[a-z]{2,} [a-z]{2,} [a-z]{2,}/.test(words)) wrong.push(`English in Chinese: “${words.slice(0, 80)}”`)
    }
    return [...new Set(wrong)].slice(0, 12)
  }, [language, other, [...tables[language].keys()].filter((key) => key.includes('.')), theirs])
}
