/**
 * The line to the server: a snapshot, then every change after it, in order and each once. A gap, a reset or a lost tail leads to a new
 * snapshot that replaces everything. Knows nothing of screens and runs wherever there is an `EventSource`.
 */
import { ApiError, api } from "../api/client";
import type { Device, FireMode, Heartbeat, IncidentItem, QuarantineItem, Storm } from "../api/types";
import { TailWatch, judge } from "./gap";
import type { Change, Pulse, Snapshot } from "./messages";

/** Two heartbeats and a half. */
export const STALE_MS = 5000;
const RETRY_MS = 500;
const WATCH_MS = 1000;
const CLOCK_DRIFT_MS = 5;
/** What the feed brings that pages read again themselves. A kind that is not listened to would look like a gap. */
const OTHER = ["maintenance", "command", "hidden"] as const;

export interface Listener {
  snapshot(snapshot: Snapshot): void;
  change(change: Change): void;
  /** The server said something, if only that it is there. */
  pulse(pulse: Pulse): void;
  /** Nobody is logged in any more: the line is down until it is started again. */
  ended(): void;
}

export class Line {
  private source: EventSource | null = null;
  private last = 0;
  private heardAt = 0;
  private tail = new TailWatch();
  private told: Pulse = { offset: null, delay: 0, rate: null, uiHash: null };
  private watch: ReturnType<typeof setInterval> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  /** What an earlier start or load still has under way comes to nothing. */
  private generation = 0;

  constructor(private readonly to: Listener) {}

  /** For this user, from a snapshot on. */
  start(login: string): void {
    this.stop();
    this.heardAt = Date.now();
    this.watch = setInterval(() => this.giveUp(), WATCH_MS);
    void this.load(login);
  }

  stop(): void {
    this.generation += 1;
    clearInterval(this.watch);
    clearTimeout(this.retry);
    this.source?.close();
    this.source = null;
  }

  /** A connection that only looks open. */
  private giveUp(): void {
    if (this.source === null || Date.now() - this.heardAt <= 2 * STALE_MS) return;
    this.heardAt = Date.now();
    this.source.dispatchEvent(new Event("error"));
  }

  private async load(login: string): Promise<void> {
    this.source?.close();
    this.source = null;
    this.generation += 1;
    const mine = this.generation;
    try {
      const [meta, incidents, devices, storms, fires, quarantine] = await Promise.all([
        api.meta(),
        api.activeIncidents(),
        api.devices(),
        api.storms(),
        // only for want of the right to: a fire mode that could not be read is none that is not there
        api.fireModes().catch((e) => {
          if (e instanceof ApiError && e.problem.status === 403) return { items: [] };
          throw e;
        }),
        api.quarantine().catch(() => null),
      ]);
      if (mine !== this.generation) return;
      this.told.offset ??= Date.parse(meta.server_time) - Date.now();
      this.last = Math.min(incidents.revision, devices.revision);
      this.tail = new TailWatch();
      this.to.snapshot({
        login,
        meta,
        incidents: incidents.items,
        devices: devices.items,
        storms: storms.items,
        fires: fires.items,
        quarantine: quarantine?.items ?? null,
        revision: this.last,
      });
      this.open(login);
    } catch (e) {
      if (mine !== this.generation) return;
      if (e instanceof ApiError && e.problem.status === 401) {
        this.stop();
        this.to.ended();
      } else this.again(() => void this.load(login));
    }
  }

  private open(login: string): void {
    const mine = this.generation;
    const stream = new EventSource(`/api/v1/live?from=${this.last}`);
    this.source = stream;
    const listen = <T>(name: string, take: (data: T, id: number) => void) =>
      stream.addEventListener(name, (event: MessageEvent<string>) => {
        if (stream !== this.source) return;
        this.heardAt = Date.now();
        take(JSON.parse(event.data) as T, Number(event.lastEventId));
      });
    const change = <T>(name: string, make: (item: T, revision: number) => Change) =>
      listen<T>(name, (item, revision) => {
        const verdict = judge(this.last, revision);
        if (verdict === "gap") return void this.load(login);
        if (verdict === "drop") return;
        this.last = revision;
        this.to.change(make(item, revision));
      });
    change<IncidentItem>("incident", (item, revision) => ({ kind: "incident", item, revision }));
    change<Device>("device", (item, revision) => ({ kind: "device", item, revision }));
    change<QuarantineItem>("quarantine", (item, revision) => ({ kind: "quarantine", item, revision }));
    change<Storm>("storm", (item, revision) => ({ kind: "storm", item, revision }));
    change<FireMode>("fire_mode", (item, revision) => ({ kind: "fire", item, revision }));
    for (const name of ["alarm", "notification"]) {
      change<{ incident?: string | null }>(name, ({ incident }, revision) => ({ kind: "about", incident: incident ?? null, revision }));
    }
    for (const name of OTHER) change<unknown>(name, (_, revision) => ({ kind: "other", revision }));
    listen("reset", () => void this.load(login));
    listen<Heartbeat>("hb", (heartbeat) => {
      const sent = Date.parse(heartbeat.server_time);
      const difference = sent - Date.now();
      const offset = this.told.offset === null ? difference : Math.max(this.told.offset - CLOCK_DRIFT_MS, difference);
      this.told = { offset, delay: Math.max(0, Date.now() + offset - sent), rate: heartbeat.rate ?? null, uiHash: heartbeat.ui_hash };
      this.to.pulse(this.told);
      if (this.tail.isLost(this.last, heartbeat.revision)) void this.load(login);
    });
    stream.onerror = () => {
      if (stream !== this.source || mine !== this.generation) return;
      // a refusal closes for good: the session may have ended
      const isRefused = stream.readyState === EventSource.CLOSED;
      stream.close();
      this.source = null;
      this.again(() => (isRefused ? void this.load(login) : this.open(login)));
    };
  }

  private again(what: () => void): void {
    const mine = this.generation;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => mine === this.generation && what(), RETRY_MS + Math.random() * RETRY_MS);
  }
}
