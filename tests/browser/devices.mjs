// Devices of the demo, for stories that decide themselves when something happens: what they say goes out by mosquitto_pub.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What a hub wrote to its `demo.json`; `base` is where its pages are. */
export function read(path) {
  const demo = JSON.parse(readFileSync(path, 'utf8'))
  return {
    ...demo,
    base: demo.http,
    user: (login) => demo.users.find((user) => user.login === login),
    of: (type) => demo.devices.filter((device) => device.class === type),
  }
}

let told = 0

/** An event as a device says it. */
export const event = (kind, phase = 'raised', attrs = {}) => ({ id: `e-${++told}`, kind, phase, attrs })

/** The line of a device for events of one kind: `say` sends one, `end` waits until the hub has acknowledged all. */
export function line(demo, device, kind) {
  const { hostname, port } = new URL(demo.mqtt)
  const topic = `ssg/v1/${device.site}/${device.id}/evt/${kind.replace(/[._]/g, '-')}`
  const child = spawn('mosquitto_pub', ['-h', hostname, '-p', port, '-u', device.username, '-P', device.password, '-i', device.id,
    '-V', 'mqttv5', '-q', '1', '-t', topic, '-l'], { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = new Promise((done, failed) => {
    child.on('error', failed)
    child.on('close', (code) => (code === 0 ? done() : failed(new Error(`mosquitto_pub of ${device.id} ended with ${code}`))))
  })
  return {
    say: (one) => child.stdin.write(`${JSON.stringify(one)}\n`),
    end: () => {
      child.stdin.end()
      return ended
    },
  }
}

/** A device says all this, which is of one kind, in one go; ends when the hub has acknowledged it. */
export function says(demo, device, ...events) {
  const { say, end } = line(demo, device, events[0].kind)
  events.forEach(say)
  return end()
}
