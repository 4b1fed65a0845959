// Puts the page together and keeps it going: one stream, one drawing a second, questions for what is past.
import "uplot/dist/uPlot.min.css";
import "./style.css";
import "./parts.css";
import { Api, HouseError } from "./api";
import { Browser } from "./browser";
import { byId, setText } from "./dom";
import { FileSystems } from "./filesystems";
import { Header } from "./header";
import { HealthLine, LostPanel } from "./health";
import { HostView } from "./hostview";
import { readHash, writeHash } from "./keys";
import { LiveStream, type Connection } from "./live";
import { Pins } from "./pins";
import { ProcessTables } from "./processes";
import { DEFAULT_RANGE, HouseClock, rangeOf, type Range } from "./ranges";
import { Theme } from "./theme";
import { TileRow } from "./tiles";
import type { LivePoint, Status, Tiles } from "./types";
import { Watcher } from "./watch";

const STATUS_EVERY = 5_000;
const TOP_EVERY = 1_000;
const LIST_EVERY = 15_000;
const RETRY = 5_000;

class Page {
  private readonly theme = new Theme();
  private readonly clock = new HouseClock();
  private readonly api = new Api(() => this.denied());
  private readonly watcher = new Watcher(() => this.wantDrawing());
  private readonly tiles = new TileRow();
  private readonly health = new HealthLine();
  private readonly lost = new LostPanel();
  private readonly fileSystems = new FileSystems();
  private readonly processes = new ProcessTables();
  private readonly host = new HostView(this.api, this.theme.palette, this.watcher);
  private readonly header: Header;
  private readonly pins: Pins;
  private readonly browser: Browser;
  private readonly stream: LiveStream;
  private range: Range;
  private status: Status | null = null;
  private drawing = 0;
  private filledAt = -Infinity;
  private filled = false;
  private failed = false;
  private hostTag = "";
  private readonly problems = new Map<string, string>();

  constructor() {
    const choice = readHash(location.hash, DEFAULT_RANGE);
    this.range = rangeOf(choice.range);
    this.header = new Header({
      chosen: (range) => this.choose(range),
      theme: () => this.theme.toggle(),
      retry: () => this.stream.again(),
    });
    this.pins = new Pins(this.api, this.clock, this.watcher, this.theme.palette, {
      changed: () => this.pinsChanged(true),
      failed: (error) => this.rowsFailed(error),
      range: () => this.range,
      flushEvery: () => this.status?.flush.every_seconds ?? 10,
    });
    this.browser = new Browser(this.api, byId("series", HTMLElement), byId("search", HTMLInputElement), this.pins);
    this.stream = new LiveStream(this.api, {
      opened: () => this.opened(),
      tiles: (tiles) => this.took(tiles),
      points: (points) => this.points(points),
      state: (state, retryAt) => this.connected(state, retryAt),
    });
    this.lay();
    this.header.range(this.range);
    this.pins.set(choice.pins);
    this.pinsChanged(false);
  }

  start(): void {
    this.stream.start(this.globs());
    void this.fill(false);
    this.theme.onChange(() => this.retheme());
    window.addEventListener("hashchange", () => this.readAddress());
    document.addEventListener("visibilitychange", () => this.seenAgain());
    byId("token", HTMLFormElement).addEventListener("submit", (event) => this.takeToken(event));
    this.every(STATUS_EVERY, () => this.ask());
    this.every(TOP_EVERY, () => this.askTop());
    this.every(LIST_EVERY, () => this.browser.refresh());
    window.setInterval(() => this.second(), 1000);
  }

  private lay(): void {
    byId("overview", HTMLElement).append(this.tiles.element, this.health.element, this.lost.element);
    byId("pins", HTMLElement).append(this.pins.element);
    byId("host", HTMLElement).append(this.host.element, this.processes.element);
    this.host.insert(this.fileSystems.element, "Disk");
    this.tiles.lost.addEventListener("click", () => {
      this.lost.element.hidden = !this.lost.element.hidden;
      this.tiles.lost.setAttribute("aria-expanded", String(!this.lost.element.hidden));
      void this.ask();
    });
  }

  /** Do something again and again, but not while the page is hidden, and less often where the house is slow. */
  private every(milliseconds: number, what: () => Promise<void>): void {
    const turn = (): void => {
      const began = performance.now();
      const done = document.visibilityState === "hidden" ? Promise.resolve() : what();
      void done.finally(() => window.setTimeout(turn, Math.max(milliseconds, 3 * (performance.now() - began))));
    };
    turn();
  }

  private globs(): string[] {
    return ["host.*", ...this.pins.globs()];
  }

  // ---- what comes in

  private opened(): void {
    // Rows from while the stream was away; at the very first the question is under way already.
    if (this.filled || this.failed) void this.fill(false);
    void this.ask();
  }

  private took(tiles: Tiles): void {
    this.clock.hear(tiles.time);
    this.tiles.take(tiles);
    this.wantDrawing();
  }

  private points(points: LivePoint[]): void {
    for (const point of points) {
      this.fileSystems.take(point.name, point.tags, point.value);
      if (Object.hasOwn(point.tags, "host")) this.hostTag = point.tags["host"] ?? "";
    }
    // Coarser rows than the stream's come by question only.
    if (this.range.refresh === 0) {
      this.host.take(points);
      this.pins.take(points);
    }
    this.wantDrawing();
  }

  private connected(state: Connection, retryAt: number | null): void {
    this.header.connected(state, retryAt);
    document.body.classList.toggle("stale", state === "reconnecting" || state === "gone");
  }

  private async ask(): Promise<void> {
    try {
      const status = await this.api.status();
      const first = this.status === null;
      this.status = status;
      if (first) this.clock.hear(status.now);
      this.health.show(status);
      this.lost.show(status);
      this.browser.advise(status.doors.find((door) => door.door === "udp")?.address ?? "");
      this.header.say(this.hostTag || addressOf(status), status.version);
      this.processes.show(await this.api.processes());
      this.complain("status", null);
    } catch (error) {
      this.complain("status", error);
    }
  }

  private async askTop(): Promise<void> {
    try {
      this.browser.arrived(await this.api.top(40));
      this.complain("top", null);
    } catch (error) {
      this.complain("top", error);
    }
  }

  /** Ask for the range's rows. */
  private async fill(afresh: boolean): Promise<void> {
    this.filledAt = performance.now();
    try {
      const [space] = await Promise.all([
        this.api.query({ series: FileSystems.series, last: 120, step: 0 }),
        this.host.fill(this.range, afresh || this.range.refresh > 0),
        this.pins.fill(),
      ]);
      for (const found of space.series) {
        const last = found.rows[found.rows.length - 1];
        if (last) this.fileSystems.take(found.name, found.tags, last.value);
      }
      this.filled = true;
      this.failed = false;
      this.complain("rows", null);
    } catch (error) {
      this.rowsFailed(error);
    }
    this.wantDrawing();
  }

  private rowsFailed(error: unknown): void {
    this.failed = true; // asked for again by and by
    this.complain("rows", error);
  }

  // ---- what the reader does

  private choose(range: Range): void {
    this.range = range;
    this.header.range(range);
    this.writeAddress();
    void this.fill(true);
  }

  private pinsChanged(write: boolean): void {
    byId("pins-title", HTMLElement).hidden = this.pins.keys().length === 0;
    this.browser.mark();
    if (!write) return;
    this.writeAddress();
    this.stream.follow(this.globs());
  }

  private writeAddress(): void {
    const hash = writeHash({ range: this.range.id, pins: this.pins.keys() }, DEFAULT_RANGE);
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  }

  private readAddress(): void {
    const choice = readHash(location.hash, DEFAULT_RANGE);
    this.pins.set(choice.pins);
    this.pinsChanged(false);
    this.stream.follow(this.globs());
    if (choice.range !== this.range.id) this.choose(rangeOf(choice.range));
  }

  private denied(): void {
    byId("token", HTMLFormElement).hidden = false;
  }

  private takeToken(event: SubmitEvent): void {
    event.preventDefault();
    const input = byId("token-text", HTMLInputElement);
    this.api.setToken(input.value);
    input.value = "";
    byId("token", HTMLFormElement).hidden = true;
    this.stream.again();
    void this.fill(true);
    void this.browser.load(true);
    void this.ask();
  }

  // ---- what is shown

  private wantDrawing(): void {
    if (this.drawing !== 0 || document.visibilityState === "hidden") return;
    this.drawing = requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  private draw(): void {
    const now = this.clock.now();
    this.tiles.draw();
    this.host.draw(now, this.range);
    this.pins.draw(now, this.range);
    const message = byId("host-message", HTMLElement);
    message.hidden = !this.host.empty;
    if (this.filled) setText(message, "No host statistics. They are on unless the config says [host] enabled = false.");
  }

  /** What goes on without the stream: the age of the last word, and coarse ranges. */
  private second(): void {
    this.header.draw();
    const { refresh } = this.range;
    const hidden = document.visibilityState === "hidden";
    const due = this.failed ? RETRY : refresh * 1000;
    if (!hidden && due > 0 && performance.now() - this.filledAt > due) void this.fill(false);
  }

  private seenAgain(): void {
    if (document.visibilityState === "visible") this.wantDrawing();
  }

  private retheme(): void {
    this.host.retheme(this.theme.palette);
    this.pins.retheme(this.theme.palette);
    this.wantDrawing();
  }

  /** Say what went wrong, until it goes well again. That the house does not answer at all is the top line's to say. */
  private complain(about: string, error: unknown): void {
    const silent = error === null || (error instanceof HouseError && (error.status === 0 || error.status === 401));
    if (silent) this.problems.delete(about);
    else this.problems.set(about, error instanceof Error ? error.message : String(error));
    const problem = byId("problem", HTMLElement);
    setText(problem, [...new Set(this.problems.values())].join(" "));
    problem.hidden = this.problems.size === 0;
  }
}

/** The house's address, for a house without a host tag. */
function addressOf(status: Status): string {
  try {
    return new URL(status.url).host;
  } catch {
    return location.host;
  }
}

new Page().start();
