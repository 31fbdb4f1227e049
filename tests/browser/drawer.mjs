// The incident drawer in a real browser: an incident's whole life by keyboard alone, three roles with what each may do, two people where
// two are needed, and somebody who was faster. Called by tests/stories/browser.rs: `node drawer.mjs URL USERS`, USERS as in demo.json.
// A word on a line asks the story for what the devices do next.
import { artefacts, byTest, expect, live, story } from './kit.mjs'

const [base, told] = process.argv.slice(2)
const users = Object.fromEntries(JSON.parse(told).map((user) => [user.login, user]))
const drawer = (more = '') => `${byTest('drawer')}${more}`

/** Logs in by keyboard, in a browser of one's own. */
async function sit(open, login) {
  const page = await open()
  await page.goto(base)
  await page.focus(byTest('login-name'))
  await page.keyboard.type(login)
  await page.keyboard.press('Tab')
  await page.keyboard.type(users[login].password)
  await page.keyboard.press('Enter')
  await live(page)
  return hand(page)
}

/** What a person at the keyboard can do. */
function hand(page) {
  const press = (key) => page.keyboard.press(key)
  const wait = (selector) => page.waitForSelector(selector)
  const says = (id, text) =>
    page.waitForFunction(([id, text]) => document.querySelector(id)?.textContent.includes(text), [byTest(id), text])
  return {
    page, press, wait, says,
    verbs: async () => {
      await wait(byTest('action-note'))
      return page.$$eval('[data-testid^="action-"]', (all) => all.map((one) => one.dataset.testid.slice(7)))
    },
    /** Moves down the list until the incident is selected, and opens it. */
    open: async (id) => {
      await wait(`${byTest('incident-row')}[data-id="${id}"]`)
      await press('Escape')
      for (let n = 0; n < 60; n++) {
        const selected = await page.$eval('[aria-selected="true"]', (row) => row.dataset.id).catch(() => null)
        if (selected === id) break
        await press(n < 30 ? 'j' : 'k')
        await page.waitForTimeout(20)
      }
      await press('Enter')
      await wait(drawer(`[data-id="${id}"][data-version]`))
    },
    /** Tabs forward to a field or button. */
    tabTo: async (id) => {
      for (let n = 0; n < 120; n++) {
        if (await page.evaluate((id) => document.activeElement?.dataset.testid === id, id)) return
        await press('Tab')
      }
      throw new Error(`${id} is not reached by Tab`)
    },
    /** Opens the form of a verb by its key, types the note and submits. */
    say: async (key, verb, note) => {
      await press(key)
      await wait(byTest(`${verb}-form`))
      if (note !== undefined) {
        const isThere = () => page.evaluate(() => document.activeElement?.dataset.testid === 'form-note')
        for (let n = 0; n < 12 && !(await isThere()); n++) await press('Tab')
        await page.keyboard.type(note)
      }
      await press('Enter')
      await page.waitForSelector(byTest(`${verb}-form`), { state: 'detached' })
    },
  }
}

async function newest(who, severity, known) {
  const fits = ([row, severity, known]) =>
    [...document.querySelectorAll(`${row}[data-severity="${severity}"]`)].map((one) => one.dataset.id).find((id) => !known.includes(id))
  const found = await who.page.waitForFunction(fits, [byTest('incident-row'), severity, known])
  return found.jsonValue()
}

/** The same over the API, as somebody who is faster: on whatever version there is. */
async function asks(login, id, verb) {
  const headers = { Authorization: `Bearer ${users[login].token}`, 'Content-Type': 'application/json' }
  let told = ''
  for (let n = 0; n < 10; n++) {
    const now = await (await fetch(`${base}/api/v1/incidents/${id}`, { headers })).json()
    const answer = await fetch(`${base}/api/v1/incidents/${id}/${verb}`, {
      method: 'POST',
      headers: { ...headers, 'Idempotency-Key': `${id}-${verb}-${n}` },
      body: JSON.stringify({ expected_version: now.version }),
    })
    if (answer.ok) return
    told = await answer.text()
    if (!told.includes('version_conflict')) break
  }
  throw new Error(`${verb} by ${login}: ${told}`)
}

await story('drawer', base, async ({ open, allow }) => {
  allow(/status of 4/) // answers with 4xx are part of the story
  const desk = await sit(open, 'wanglei')
  console.log('FIRE')
  const fire = await newest(desk, 'P1', [])

  // the desk: what it may not do is not there, what cannot be now says why
  await desk.open(fire)
  const deskVerbs = await desk.verbs()
  for (const verb of ['acknowledge', 'verify', 'dispatch', 'claim', 'arrive', 'resolve', 'note', 'escalate', 'merge']) {
    expect(`${verb} is offered to the desk`, deskVerbs.includes(verb), true)
  }
  for (const verb of ['assign', 'cancel', 'force_close', 'shelve', 'reopen']) expect(`${verb} is offered to the desk`, deskVerbs.includes(verb), false)
  expect('nobody can arrive yet', await desk.page.getAttribute(byTest('action-arrive'), 'title'), '尚无人认领，请先认领')
  await desk.press('v')
  await desk.says('notice', '尚无人认领')
  await desk.page.screenshot({ path: `${artefacts}/drawer-new.png` })

  await desk.press('a')
  await desk.wait(drawer('[data-acknowledged="true"]'))
  await desk.say('n', 'note', '邻居有钥匙')
  await desk.says('timeline', '邻居有钥匙')
  await desk.say('e', 'escalate')
  await desk.says('clocks', '已上报至第 1 级')
  await desk.tabTo('sop-1')
  await desk.press('Space')
  await desk.wait(`${byTest('sop-1')}:checked`)
  await desk.says('timeline', '完成预案步骤')
  await desk.press('y')
  await desk.says('facts', '核实人')
  // one department more: the form has the rule's, Space takes another
  await desk.press('d')
  await desk.wait(byTest('dispatch-form'))
  for (let n = 0; n < 12; n++) {
    if (await desk.page.evaluate(() => document.activeElement?.value === 'traffic')) break
    await desk.press('Tab')
  }
  await desk.press('Space')
  await desk.press('Enter')
  await desk.wait(`${byTest('task')}[data-department="traffic"]`)
  await desk.press('c')
  await desk.wait(drawer('[data-held="true"]'))
  await desk.press('v')
  await desk.wait(drawer('[data-lead="on_scene"]'))
  await desk.say('p', 'progress', '锅里冒烟，已关火')
  await desk.says('timeline', '锅里冒烟')
  await desk.page.screenshot({ path: `${artefacts}/drawer-on-scene.png` })
  await desk.press('r')
  await desk.says('notice', '现场尚未恢复正常')
  console.log('CLEAR')
  await desk.wait(drawer('[data-lasting="false"]'))
  // what the detector measured, as a line and as numbers
  await desk.wait(`${byTest('readings')}:not([data-points="0"]) canvas`)
  expect('a reading in the table', (await desk.page.textContent(byTest('readings-table'))).includes('9'), true)

  // taken back within five seconds nothing has happened, and what was typed is there again
  await desk.say('r', 'resolve', '油烟散了')
  await desk.wait(`${byTest('outbox')}[data-stage="held"]`)
  await desk.page.screenshot({ path: `${artefacts}/drawer-held.png` })
  await desk.press('u')
  await desk.wait(byTest('resolve-form'))
  expect('what was typed before it was taken back', await desk.page.inputValue(byTest('form-note')), '油烟散了')
  expect('what was taken back', await desk.page.$(byTest('outbox')), null)
  await desk.wait(drawer('[data-state="dispatched"]'))
  await desk.press('Enter')
  await desk.wait(drawer('[data-state="resolved"]'))
  await desk.says('timeline', '油烟散了')
  // whoever goes on at once need not wait: the next command sends it first
  await desk.press('x')
  await desk.wait(drawer('[data-state="closed"]'))
  await desk.page.screenshot({ path: `${artefacts}/drawer-closed.png` })

  // what is done before the desk's next dispatch arrives; set up early, since a page takes its time until it lets requests be held
  let faster = async () => {}
  for (const verb of ['dispatch', 'acknowledge']) {
    await desk.page.route(`**/${verb}`, async (route) => {
      await faster()
      faster = async () => {}
      await route.continue()
    })
  }

  // a responder sees less, and is faster
  const crew = await sit(open, 'fire')
  console.log('FIRE AGAIN')
  const second = await newest(crew, 'P1', [fire])
  await crew.open(second)
  const crewVerbs = await crew.verbs()
  expect('verbs of a responder', crewVerbs.sort(), ['arrive', 'claim', 'hand_back', 'note', 'progress', 'resolve'])
  await crew.page.screenshot({ path: `${artefacts}/drawer-responder.png` })
  await desk.open(second)
  await crew.press('c')
  await crew.wait(drawer('[data-held="true"]'))
  await desk.wait(drawer('[data-held="true"]'))
  await desk.press('c')
  await desk.says('notice', '已由毛文华负责')
  await crew.say('h', 'hand_back', '不属消防')
  await crew.says('timeline', '不属消防')

  // decided on an older version: what is now is said, what was typed stays
  await desk.press('Escape')
  await desk.press('d')
  await desk.wait(byTest('dispatch-form'))
  for (let n = 0; n < 12; n++) {
    if (await desk.page.evaluate(() => document.activeElement?.value === 'traffic')) break
    await desk.press('Tab')
  }
  await desk.press('Space')
  await desk.tabTo('form-note')
  await desk.page.keyboard.type('疏导车辆')
  faster = () => asks('police', second, 'claim')
  await desk.press('Enter')
  await desk.says('notice', '金明磊 已在')
  await desk.wait(`${byTest('dispatch-form')} [type="submit"]:enabled`)
  expect('what was typed', await desk.page.inputValue(byTest('form-note')), '疏导车辆')
  await desk.press('Enter')
  await desk.wait(`${byTest('task')}[data-department="traffic"]`)

  // where it is: the building's badge, the list beside the plan, and back to the incident; a choice in one is a choice in the other
  const map = (more = '') => `${byTest('map-page')}${more}`
  await desk.press('m')
  await desk.wait(`${byTest('plan-badge')}[data-severity="P1"]`)
  await desk.page.click(byTest('map-line'))
  await desk.wait(byTest('plan-halo'))
  await desk.page.screenshot({ path: `${artefacts}/map-quarter.png` })
  await desk.press('Escape')
  await desk.page.focus(byTest('plan-badge'))
  await desk.press('Enter')
  await desk.wait(map('[data-building]'))
  await desk.page.focus(byTest('plan-pin'))
  await desk.press('Enter')
  await desk.wait(`${map('[data-picked]')} ${byTest('map-line')}[aria-pressed="true"]`)
  await desk.page.screenshot({ path: `${artefacts}/map-building.png` })
  await desk.page.click(byTest('layer-fire'))
  await desk.page.waitForSelector(byTest('plan-pin'), { state: 'detached' })
  await desk.page.click(byTest('layer-fire'))
  await desk.page.click(byTest('map-open'))
  await desk.wait(drawer(`[data-id="${second}"]`))

  // two people close a P1 by force
  const lead = await sit(open, 'lead')
  await lead.open(second)
  await lead.say('q', 'force_close', '传感器损坏，已断电')
  await lead.wait(drawer('[data-state="dispatched"]'))
  await desk.wait(`${drawer()} .due.late >> text=楼志明 已申请强制结案`)
  await desk.say('q', 'force_close')
  await desk.wait(drawer('[data-state="resolved"]'))
  await lead.wait(drawer('[data-state="resolved"]'))
  // and it is opened again, with the reason
  await lead.say('b', 'reopen', '又冒烟')
  await lead.wait(drawer('[data-state="dispatched"]'))

  // a door: put aside and back, merged and taken apart, and none after all
  console.log('DOOR')
  const door = await newest(lead, 'P2', [])
  await lead.open(door)
  // the desk writes about the same door meanwhile: its drawer follows, and what it types stays under its hands
  await desk.open(door)
  await desk.press('n')
  await desk.wait(byTest('note-form'))
  await desk.tabTo('form-note')
  await desk.page.keyboard.type('门口')
  await lead.say('s', 'shelve', '门正在维修')
  await lead.wait(`${byTest('alarm')}[data-flags~="shelved"]`)
  await desk.wait(`${byTest('alarm')}[data-flags~="shelved"]`)
  await desk.page.keyboard.type('有人')
  expect('what was typed while the feed came', await desk.page.inputValue(byTest('form-note')), '门口有人')
  await desk.press('Escape')
  await lead.page.screenshot({ path: `${artefacts}/drawer-shelved.png` })
  await lead.tabTo('unshelve')
  await lead.press('Enter')
  await lead.wait(`${byTest('alarm')}:not([data-flags~="shelved"])`)
  await lead.press('w')
  await lead.wait(byTest('merge-form'))
  await lead.press('ArrowDown')
  await lead.press('Enter')
  await lead.wait(drawer('[data-state="merged"]'))
  await lead.says('notice', '10分钟内')
  await lead.press('w')
  await lead.wait(drawer('[data-state="open"]'))
  await lead.press('o')
  await lead.wait(byTest('cancel-form'))
  // the second cause is the drill
  await lead.press('ArrowDown')
  await lead.tabTo('form-note')
  await lead.page.keyboard.type('计划内演练')
  await lead.press('Enter')
  await lead.wait(drawer('[data-state="cancelled"]'))
  await lead.page.screenshot({ path: `${artefacts}/drawer-cancelled.png` })

  // one key acknowledges and goes on to the next; whoever was faster is named, and the row is as it was
  await desk.press('Escape')
  await desk.press('Escape')
  console.log('DOORS')
  const row = (id, more = '') => `${byTest('incident-row')}[data-id="${id}"]${more}`
  const doors = []
  for (let n = 0; n < 3; n++) doors.push(await newest(desk, 'P2', [door, ...doors]))
  await desk.page.waitForFunction(([row, doors]) => {
    const all = [...document.querySelectorAll(row)].map((one) => one.dataset.id).filter((id) => doors.includes(id))
    return all.length === 3
  }, [byTest('incident-row'), doors])
  const inOrder = await desk.page.$$eval(byTest('incident-row'), (all, doors) => all.map((one) => one.dataset.id).filter((id) => doors.includes(id)), doors)
  for (let n = 0; n < 60; n++) {
    if ((await desk.page.$(row(inOrder[0], '[aria-selected="true"]'))) !== null) break
    await desk.press(n < 30 ? 'j' : 'k')
    await desk.page.waitForTimeout(20)
  }
  let release = () => {}
  faster = () => new Promise((resolve) => (release = resolve))
  await desk.press('a')
  await desk.wait(row(inOrder[1], '[aria-selected="true"]'))
  await desk.wait(row(inOrder[0], '.asked'))
  await desk.page.screenshot({ path: `${artefacts}/board-asked.png` })
  release()
  await desk.wait(row(inOrder[0], '[data-acknowledged="true"]:not(.asked)'))
  faster = () => asks('lead', inOrder[1], 'acknowledge')
  await desk.press('a')
  await desk.wait(row(inOrder[2], '[aria-selected="true"]'))
  await desk.says('outbox', '已在')
  await desk.page.screenshot({ path: `${artefacts}/board-refused.png` })
  expect('who was faster', /楼志明/.test(await desk.page.textContent(byTest('outbox'))), true)
  await desk.wait(row(inOrder[1], '[data-acknowledged="true"]:not(.asked)'))
  await desk.press('a')
  await desk.wait(row(inOrder[2], '[data-acknowledged="true"]'))
})
