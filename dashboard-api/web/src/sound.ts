/** Alarm tones by WebAudio. Browsers keep quiet until somebody pressed a key or a button once: until then the chip is red. */
import { ref } from "vue";

export type Ringing = "P1" | "P2" | null;

interface Tone {
  hertz: number;
  at: number;
  seconds: number;
}

const P1: readonly Tone[] = [
  { hertz: 988, at: 0, seconds: 0.18 },
  { hertz: 784, at: 0.22, seconds: 0.18 },
  { hertz: 988, at: 0.44, seconds: 0.18 },
];
const P2: readonly Tone[] = [{ hertz: 660, at: 0, seconds: 0.3 }];
const BACK: readonly Tone[] = [{ hertz: 330, at: 0, seconds: 0.25 }];
const LOST: readonly Tone[] = [
  { hertz: 440, at: 0, seconds: 0.2 },
  { hertz: 440, at: 0.3, seconds: 0.2 },
];
const EVERY_MS = { P1: 2000, P2: 6000, lost: 10_000 };

export const isArmed = ref(false);
export const isSilenced = ref(false);
/** Where the sound of all tabs is made; only in this one it is made here. */
export const soundIn = ref<"here" | "elsewhere" | "nowhere">("nowhere");

let context: AudioContext | null = null;
/** By what was played last: for alarms and for the loss of the feed. */
const played = { alarm: { what: null as Ringing, at: 0 }, lost: { at: 0 } };

/** On load it works in a kiosk; elsewhere from the first gesture on. */
export async function arm(): Promise<void> {
  try {
    context ??= new AudioContext();
    context.onstatechange = () => (isArmed.value = context?.state === "running");
    if (context.state === "suspended") void context.resume();
    isArmed.value = context.state === "running";
  } catch {
    isArmed.value = false;
  }
}

function play(tones: readonly Tone[], volume: number): void {
  if (context === null || context.state !== "running") return;
  const start = context.currentTime + 0.02;
  for (const tone of tones) {
    const oscillator = context.createOscillator();
    const gain = context.createGain();
    const from = start + tone.at;
    const to = from + tone.seconds;
    oscillator.type = "triangle";
    oscillator.frequency.value = tone.hertz;
    // ramps: a hard edge clicks
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(volume, from + 0.01);
    gain.gain.setValueAtTime(volume, to - 0.02);
    gain.gain.linearRampToValueAtTime(0, to);
    oscillator.connect(gain).connect(context.destination);
    oscillator.start(from);
    oscillator.stop(to);
  }
}

/** Called a few times a second; `isLoud` when a P1 has waited for long. Silence holds for both, until the next of either. */
export function ring(what: Ringing, isLoud: boolean, isLost: boolean): void {
  if (soundIn.value !== "here") return;
  const at = Date.now();
  if (!isLost) played.lost.at = 0;
  else if (!isSilenced.value && at - played.lost.at >= EVERY_MS.lost) {
    played.lost.at = at;
    play(LOST, 0.4);
  }
  const due = isSilenced.value ? null : what;
  const { alarm } = played;
  if (due !== null && (due !== alarm.what || at - alarm.at >= EVERY_MS[due])) {
    alarm.at = at;
    play(due === "P1" ? P1 : P2, due === "P1" && isLoud ? 0.8 : 0.35);
  }
  alarm.what = due;
}

/** For the volume test: once as a P1 rings, then as a P2 does, in whichever tab. */
export function testTones(): void {
  play([...P1, ...P2.map((tone) => ({ ...tone, at: tone.at + 1.4 }))], 0.35);
}

export function chimeBack(): void {
  if (soundIn.value === "here") play(BACK, 0.3);
}
