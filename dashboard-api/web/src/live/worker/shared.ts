/**
 * The worker that all tabs of a browser share: it has the one line to the server, keeps the picture, tells every tab, and says which tab
 * sounds. Six streams would use up all connections of HTTP/1.1, and the seventh tab could not even acknowledge.
 */
import { Line } from "../line";
import type { Change, Pulse, ToTab, ToWorker } from "../messages";
import { Picture } from "../picture";
import { type Tab, Tabs } from "../tabs";

declare const self: SharedWorkerGlobalScope;

/** Timers of a hidden tab run late; this one's do not. */
const TICK_MS = 250;
/** Changes that come together go out together. */
const GATHER_MS = 16;
/** Between two heartbeats. */
const PULSE_MS = 2000;

interface Member extends Tab {
  port: MessagePort;
}

const tabs = new Tabs<Member>();
let picture: Picture | null = null;
/** Whose line it is; null while it is down. */
let login: string | null = null;
let pulse: { at: number; told: Pulse } | null = null;
let gathered: Change[] = [];
let flushing: ReturnType<typeof setTimeout> | undefined;

function tell(message: ToTab): void {
  for (const tab of tabs.awake(Date.now())) tab.port.postMessage(message);
}

function flush(): void {
  clearTimeout(flushing);
  flushing = undefined;
  if (gathered.length > 0) tell({ is: "changes", changes: gathered });
  gathered = [];
}

const line = new Line({
  snapshot(snapshot) {
    gathered = [];
    picture = new Picture(snapshot);
    tell({ is: "snapshot", snapshot });
  },
  change(change) {
    picture?.apply(change);
    gathered.push(change);
    flushing ??= setTimeout(flush, GATHER_MS);
  },
  pulse(told) {
    pulse = { at: Date.now(), told };
    tell({ is: "pulse", pulse: told });
  },
  ended() {
    login = null;
    picture = null;
    tell({ is: "ended" });
  },
});

/** Brings a tab up to where all are. */
function show(tab: Member): void {
  flush();
  tab.isBehind = false;
  const post = (message: ToTab) => tab.port.postMessage(message);
  if (picture === null) return;
  post({ is: "snapshot", snapshot: picture.snapshot() });
  // an old one would say that the feed is live
  if (pulse !== null && Date.now() - pulse.at < PULSE_MS) post({ is: "pulse", pulse: pulse.told });
}

function take(tab: Member, message: ToWorker): void {
  if (message.ask === "leave") {
    tabs.left(tab);
    if (tabs.size > 0) return;
    line.stop();
    login = null;
    picture = null;
    return;
  }
  tabs.heard(tab, Date.now());
  if (message.ask === "silence") return tell({ is: "silence" });
  tab.isArmed = message.isArmed;
  if (message.ask === "join") {
    if (login === message.login) show(tab);
    else {
      // somebody else logged in, or the same one again: the picture is theirs
      login = message.login;
      picture = null;
      tab.isBehind = false;
      line.start(login);
    }
  } else if (tab.isBehind) show(tab);
}

setInterval(() => {
  const now = Date.now();
  const sounder = tabs.sounds(now);
  for (const tab of tabs.awake(now)) {
    const sound = tab === sounder ? "here" : sounder?.isArmed === true ? "elsewhere" : "nowhere";
    tab.port.postMessage({ is: "tick", sound } satisfies ToTab);
  }
}, TICK_MS);

self.onconnect = ({ ports: [port] }) => {
  if (port === undefined) return;
  const tab: Member = { port, isArmed: false, heardAt: Date.now(), isBehind: false };
  port.onmessage = ({ data }: MessageEvent<ToWorker>) => take(tab, data);
};
