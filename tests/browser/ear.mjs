// What a page plays, written down by the page itself. Loading it is no gesture; asking is, so what must be silent before a gesture is asked by `whisper`.

/** For `addInitScript`: `heard` gets every tone with its pitch, its loudness, its begin and end by the clock of sound, and at which tick of the line it was planned. */
export function ear() {
  window.heard = []
  window.ticks = 0
  window.rang = {}
  const ramp = AudioParam.prototype.linearRampToValueAtTime
  AudioParam.prototype.linearRampToValueAtTime = function (value, at) {
    this.most = Math.max(this.most ?? 0, value)
    return ramp.call(this, value, at)
  }
  const connect = AudioNode.prototype.connect
  AudioNode.prototype.connect = function (to, ...more) {
    this.to = to
    return connect.call(this, to, ...more)
  }
  const { start, stop } = OscillatorNode.prototype
  OscillatorNode.prototype.start = function (at) {
    this.tone = { hertz: Math.round(this.frequency.value), loud: Math.round((this.to.gain.most ?? this.to.gain.value) * 100), from: at, to: at, tick: window.ticks }
    window.heard.push(this.tone)
    return start.call(this, at)
  }
  OscillatorNode.prototype.stop = function (at) {
    this.tone.to = at
    return stop.call(this, at)
  }
  // the line's ticks plan the sound; a listener that comes before the page's own counts them
  window.SharedWorker = class extends SharedWorker {
    constructor(...how) {
      super(...how)
      this.port.addEventListener('message', ({ data }) => (window.ticks += data.is === 'tick' ? 1 : 0))
    }
  }
  // at which tick each alarm was first on the screen
  new MutationObserver(() => {
    for (const row of document.querySelectorAll('[data-testid="incident-row"]')) window.rang[row.dataset.id] ??= window.ticks
  }).observe(document, { subtree: true, childList: true })
  // a page that is given another time
  const now = Date.now
  window.later = 0
  Date.now = () => now() + window.later
}

/** Asks a page as nobody who touches it: what playwright asks counts as a gesture, and sounds are allowed from the first on. */
export async function whisper(page, expression) {
  const cdp = await page.context().newCDPSession(page)
  const { result } = await cdp.send('Runtime.evaluate', { expression, returnByValue: true })
  await cdp.detach()
  return result.value
}

/** Tones that were planned together, in order. */
export function patterns(tones) {
  const all = []
  for (const tone of [...tones].sort((a, b) => a.from - b.from)) {
    const last = all.at(-1)
    if (last?.tick === tone.tick) last.tones.push(tone)
    else all.push({ tick: tone.tick, tones: [tone] })
  }
  return all.map(({ tick, tones }) => ({
    tick, loud: tones[0].loud, what: tones.map(({ hertz }) => hertz).join(' '), from: tones[0].from, to: Math.max(...tones.map(({ to }) => to)),
  }))
}

export const P1 = '988 784 988'
export const P2 = '660'
