// The board's queries over HTTP, one after the other as a page asks them: `node api.mjs DEMO [ROUNDS] [PID] [CONNECTIONS]`, the hub's demo.json and its
// process. Prints JSON: milliseconds until the whole answer was there, and with PID the hub's processor time a request, which others on the machine do not change.
import http from 'node:http'
import { readFileSync } from 'node:fs'

const demo = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const rounds = Number(process.argv[3] ?? 500)
const pid = process.argv[4]
/** Of Linux's clock, 100 a second. */
const TICK_MS = 10
const CONNECTIONS = Number(process.argv[5] ?? 1)
const { token } = demo.users.find((user) => user.role === 'station_lead')
const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS })

function get(path) {
  return new Promise((done, failed) => {
    const begun = process.hrtime.bigint()
    http.get(demo.http + path, { agent, headers: { Authorization: `Bearer ${token}` } }, (reply) => {
      const parts = []
      reply.on('data', (part) => parts.push(part))
      reply.on('end', () => {
        const ms = Number(process.hrtime.bigint() - begun) / 1e6
        const body = Buffer.concat(parts)
        // a user may ask so much and no more: it goes on when the second is over, and the answer is none of the figures
        if (reply.statusCode === 429) return setTimeout(() => get(path).then(done, failed), 1000 * JSON.parse(body).retry_after_s)
        if (reply.statusCode !== 200) return failed(new Error(`${path} answered ${reply.statusCode}: ${body}`))
        done({ ms, bytes: body.length, body })
      })
      reply.on('error', failed)
    }).on('error', failed)
  })
}
const list = async (path) => JSON.parse((await get(path)).body)

const active = (await list('/api/v1/incidents?state=active&limit=500')).items
const closed = (await list('/api/v1/incidents?limit=500&state=cancelled')).items
const devices = demo.devices.filter((device) => device.class === 'access' || device.class === 'barrier')
const pick = (all, n) => all[(n * 7919) % all.length]
const day = 24 * 3600_000
const ago = (days) => new Date(Date.now() - days * day).toISOString()
const cursors = {}
/** The next page of a list after some pages, as somebody who scrolls asks for it. */
async function after(path, pages) {
  if (cursors[path] === undefined) {
    cursors[path] = ''
    for (let n = 0; n < pages; n++) {
      const { next } = await list(path + cursors[path])
      if (next === null) break
      cursors[path] = `&cursor=${encodeURIComponent(next)}`
    }
  }
  return path + cursors[path]
}

/** What is asked, by the number of the question. */
const questions = {
  active_first_page: () => '/api/v1/incidents?state=active&limit=300',
  active_50: () => '/api/v1/incidents?state=active&limit=50',
  all_incidents_page_20: () => after('/api/v1/incidents?limit=100', 20),
  active_of_a_department: (n) => `/api/v1/incidents?state=active&limit=100&department=${pick(['fire', 'police', 'property', 'traffic'], n)}`,
  one_active_incident: (n) => `/api/v1/incidents/${pick(active, n).id}`,
  one_closed_incident: (n) => `/api/v1/incidents/${pick(closed, n).id}`,
  active_alarms: () => '/api/v1/alarms?state=active&limit=100',
  alarms_page_20: () => after('/api/v1/alarms?limit=100', 20),
  devices: () => '/api/v1/devices',
  storms: () => '/api/v1/storms',
  meta: () => '/api/v1/meta',
  load: () => '/api/v1/load',
  counts_today_by_kind: () => `/api/v1/counts?from=${ago(1)}&to=${ago(0)}&by=kind`,
  counts_30_days_by_kind: () => `/api/v1/counts?from=${ago(30)}&to=${ago(0)}&by=kind&bucket=1d`,
  history_newest: () => '/api/v1/events?limit=100',
  history_of_a_device: (n) => `/api/v1/events?device=${pick(devices, n).id}&limit=100`,
  history_of_a_device_20_days_ago: (n) => `/api/v1/events?device=${pick(devices, n).id}&limit=100&to=${ago(20)}`,
  history_of_a_kind: (n) => `/api/v1/events?kind=${pick(['access.granted', 'vehicle.passage', 'camera.motion', 'device.telemetry'], n)}&limit=100`,
  history_of_a_rare_kind: () => '/api/v1/events?kind=fire.smoke&limit=100',
  history_of_a_quarter_a_week_ago: (n) => `/api/v1/events?site=${pick(['q1', 'q5', 'q9'], n)}&limit=100&to=${ago(7)}`,
}

function ticks() {
  if (pid === undefined) return null
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ')
  return Number(fields[11]) + Number(fields[12])
}

const figures = {}
for (const [name, path] of Object.entries(questions)) {
  const asked = await path(0)
  const { bytes } = await get(asked)
  const all = []
  let n = 0
  const before = ticks()
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (n < rounds) all.push((await get(await path(n++))).ms)
  }))
  all.sort((a, b) => a - b)
  const at = (percent) => Number(all[Math.min(all.length - 1, Math.floor((all.length * percent) / 100))].toFixed(1))
  figures[name] = { p50: at(50), p95: at(95), p99: at(99), max: at(100), cpu: pid === undefined ? null : Number((((ticks() - before) * TICK_MS) / all.length).toFixed(1)), bytes }
  console.error(name, JSON.stringify(figures[name]))
}
console.log(JSON.stringify({ connections: CONNECTIONS, rounds, figures }))
process.exit()
