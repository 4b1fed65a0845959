// The live stream: one connection, opened again with back-off, and what the page says of it.
import type { Api } from "./api";
import { HouseError } from "./api";
import { EventParser, backOff } from "./sse";
import type { LivePoint, Tiles } from "./types";

export type Connection = "connecting" | "live" | "reconnecting" | "gone";

export interface Listener {
  /** The stream has just been opened: rows from before it must be asked for. */
  opened(): void;
  tiles(tiles: Tiles): void;
  points(points: LivePoint[]): void;
  state(connection: Connection, retryAt: number | null): void;
}

const SILENCE = 12_000; // ms without a word from a stream that speaks once a second
const GONE_AFTER = 3; // failures in a row

/** Keeps one stream open. `start()` once; `follow()` says which series it brings. */
export class LiveStream {
  private globs: readonly string[] = [];
  private failures = 0;
  private heard = 0;
  private controller: AbortController | null = null;
  private watchdog = 0;
  private timer = 0;

  constructor(
    private readonly api: Api,
    private readonly listener: Listener,
  ) {}

  start(globs: readonly string[]): void {
    this.globs = globs;
    // A hidden page's timers are slowed and a sleeping machine's stand still: look at once when it is seen again.
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && performance.now() - this.heard > SILENCE) this.again();
    });
    window.addEventListener("online", () => this.again());
    this.connect();
  }

  /** Change which series are followed; the stream is opened anew only when they differ. */
  follow(globs: readonly string[]): void {
    if (globs.join("\n") === this.globs.join("\n")) return;
    this.globs = globs;
    this.again();
  }

  /** Open the stream now, whatever it was waiting for. */
  again(): void {
    this.failures = 0;
    this.close();
    this.connect();
  }

  private close(): void {
    window.clearTimeout(this.timer);
    window.clearTimeout(this.watchdog);
    this.controller?.abort();
    this.controller = null;
  }

  private connect(): void {
    const controller = new AbortController();
    this.controller = controller;
    this.rearm(controller);
    this.read(controller).then(
      () => this.lost(controller, null),
      (error: unknown) => this.lost(controller, error),
    );
  }

  private async read(controller: AbortController): Promise<void> {
    const parameters = this.globs.map((glob): [string, string] => ["series", glob]);
    const answer = await this.api.stream("live", parameters, controller.signal);
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (!reader) throw new HouseError("The live stream has no body.", answer.status);
    const parser = new EventParser();
    let first = true;
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (this.controller !== controller) return;
      this.rearm(controller);
      this.heard = performance.now();
      if (first) this.listener.opened();
      first = false;
      for (const event of parser.feed(piece.value)) this.take(event.event, event.data);
    }
  }

  private take(event: string, data: string): void {
    if (event === "status") {
      this.failures = 0;
      this.listener.state("live", null);
      this.listener.tiles(JSON.parse(data) as Tiles);
    } else if (event === "points") {
      this.listener.points((JSON.parse(data) as { points: LivePoint[] }).points);
    }
  }

  /** Give the stream up when it says nothing for too long: a dead peer does not say that it is gone. */
  private rearm(controller: AbortController): void {
    window.clearTimeout(this.watchdog);
    this.watchdog = window.setTimeout(() => controller.abort(), SILENCE);
  }

  private lost(controller: AbortController, error: unknown): void {
    if (this.controller !== controller) return; // closed on purpose
    this.close();
    this.failures += 1;
    const denied = error instanceof HouseError && error.status === 401;
    const wait = denied ? 60 : backOff(this.failures, Math.random());
    this.listener.state(this.failures >= GONE_AFTER ? "gone" : "reconnecting", performance.now() + wait * 1000);
    this.timer = window.setTimeout(() => this.connect(), wait * 1000);
  }
}
