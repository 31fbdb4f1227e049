// Logging in at an identity provider that is another site, in a real browser: the button leads there and back, and whoever is not known is told so.
// Called by tests/stories/oidc.rs: `node oidc.mjs URL ISSUER`. Between the two somebody else sits down before the provider.
import { artefacts, byTest, heard, live, must, settled, story } from './kit.mjs'
import { barriers, clipped, tooWide } from './inspect.mjs'

const [base, issuer] = process.argv.slice(2)
const hosts = [base, issuer].map((url) => `EXCLUDE ${new URL(url).hostname}`).join(', ')

await story('oidc', base, async ({ open, problems }) => {
  const page = await open()
  await page.goto(`${base}/live?x=1`)
  const button = page.locator(byTest('oidc-begin'))
  must((await button.innerText()) === '统一身份认证登录', 'the button says something else')
  await settled(page)
  const found = [...(await barriers(page)), ...(await tooWide(page)), ...(await clipped(page))]
  must(found.length === 0, found.join('\n'))
  await page.screenshot({ path: `${artefacts}/oidc-login.png` })
  await button.click()
  await page.waitForURL(`${base}/live?x=1`)
  await live(page)
  console.log('IN')

  await heard()
  const stranger = await open({ language: 'en' })
  await stranger.goto(`${base}/login`)
  await stranger.click(byTest('oidc-begin'))
  const said = await stranger.locator(byTest('oidc-said')).innerText()
  must(said.includes('not known here'), said)
  await settled(stranger)
  const wrong = [...(await barriers(stranger)), ...(await tooWide(stranger)), ...(await clipped(stranger))]
  must(wrong.length === 0, wrong.join('\n'))
  await stranger.screenshot({ path: `${artefacts}/oidc-unknown.png` })

  // to the provider each went once, and nowhere else
  const outside = problems.filter((problem) => problem.startsWith(`request outside: ${issuer}/authorize?`))
  must(outside.length === 2, `${outside.length} requests to the provider`)
  problems.splice(0, problems.length, ...problems.filter((problem) => !outside.includes(problem)))
}, { more: [`--host-resolver-rules=MAP * ~NOTFOUND, ${hosts}`] })
