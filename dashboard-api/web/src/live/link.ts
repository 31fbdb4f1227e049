/** Where a page's changes come from: the worker that all tabs share, or a line of its own where there is none. */
import { isArmed } from "../sound";
import { Line } from "./line";
import type { ToTab, ToWorker } from "./messages";

export interface Link {
  /** Also after `ended`, when somebody has logged in again. */
  join(login: string): void;
  /** The station was silenced in this tab. */
  silence(): void;
  leave(): void;
}

const TICK_MS = 250;
/** The worker knows by this that the tab is there. */
const HERE_MS = 1000;
/** The worker ticks a few times a second. When it has said nothing for so long, it is given up, */
const DEAD_MS = 5000;
/** unless the page has slept: then what the worker said still waits to be read. */
const WAKE_MS = 2000;
/** Names of workers that are tried one after the other: one that crashed comes anew, one that hangs is left alone. */
const WORKERS = ["jiming-live", "jiming-live", "jiming-live-2"];
/** A worker that has spoken for so long is as good as the first. */
const GOOD_MS = 60_000;

/** A line of this page's own. It rings for itself: twice is better than never. */
class OwnLink implements Link {
  private readonly line: Line;
  private ticker: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly take: (message: ToTab) => void) {
    this.line = new Line({
      snapshot: (snapshot) => take({ is: "snapshot", snapshot }),
      change: (change) => take({ is: "changes", changes: [change] }),
      pulse: (pulse) => take({ is: "pulse", pulse }),
      ended: () => take({ is: "ended" }),
    });
  }

  join(login: string): void {
    clearInterval(this.ticker);
    this.ticker = setInterval(() => this.take({ is: "tick", sound: "here" }), TICK_MS);
    this.line.start(login);
  }

  silence(): void {
    // there is nobody to tell
  }

  leave(): void {
    clearInterval(this.ticker);
    this.line.stop();
  }
}

class SharedLink implements Link {
  private readonly worker: SharedWorker;
  private readonly watch: ReturnType<typeof setInterval>;
  private heardAt = Date.now();
  private saidAt = 0;
  private wokeAt = 0;
  private watchedAt = Date.now();
  private login: string | null = null;

  constructor(name: string, take: (message: ToTab) => void, died: () => void) {
    this.worker = new SharedWorker(new URL("./worker/shared.ts", import.meta.url), { type: "module", name });
    this.worker.onerror = died;
    this.worker.port.onmessage = ({ data }: MessageEvent<ToTab>) => {
      this.heardAt = Date.now();
      if (data.is === "tick") this.here();
      take(data);
    };
    this.watch = setInterval(() => {
      const now = Date.now();
      if (now - this.watchedAt > WAKE_MS) this.wokeAt = now;
      this.watchedAt = now;
      this.here();
      if (now - this.heardAt > DEAD_MS && now - this.wokeAt > WAKE_MS) died();
    }, HERE_MS);
    window.addEventListener("pagehide", this.hidden);
    window.addEventListener("pageshow", this.shown);
  }

  private say(message: ToWorker): void {
    this.saidAt = Date.now();
    this.worker.port.postMessage(message);
  }

  private here(): void {
    if (Date.now() - this.saidAt >= HERE_MS) this.say({ ask: "here", isArmed: isArmed.value });
  }

  private readonly hidden = () => this.say({ ask: "leave" });

  /** Back from the browser's memory of pages. */
  private readonly shown = (event: PageTransitionEvent) => {
    if (event.persisted && this.login !== null) this.join(this.login);
  };

  join(login: string): void {
    this.login = login;
    this.say({ ask: "join", login, isArmed: isArmed.value });
  }

  silence(): void {
    this.say({ ask: "silence" });
  }

  leave(): void {
    clearInterval(this.watch);
    window.removeEventListener("pagehide", this.hidden);
    window.removeEventListener("pageshow", this.shown);
    this.say({ ask: "leave" });
    this.worker.port.onmessage = null;
    this.worker.port.close();
  }
}

/** `changed` gives the next one when a worker died, or does not start. */
export function link(take: (message: ToTab) => void, changed: (next: Link) => void, tried = 0): Link {
  const name = WORKERS[tried];
  // all of the browser's tabs have six connections: a line for each tab is the last resort
  if (typeof SharedWorker === "undefined" || name === undefined) return new OwnLink(take);
  const began = Date.now();
  let isDead = false;
  try {
    const shared: SharedLink = new SharedLink(name, take, () => {
      if (isDead) return;
      isDead = true;
      shared.leave();
      changed(link(take, changed, Date.now() - began > GOOD_MS ? 1 : tried + 1));
    });
    return shared;
  } catch {
    return new OwnLink(take);
  }
}
