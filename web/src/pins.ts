// The chosen series: their charts in order, kept in the address so that it can be shared.
import type { Api } from "./api";
import { element } from "./dom";
import { exactGlob, identity, type SeriesKey } from "./keys";
import { PinnedSeries } from "./pinned";
import type { HouseClock, Range } from "./ranges";
import type { Palette } from "./theme";
import type { LivePoint } from "./types";
import type { Watcher } from "./watch";

export interface PinsOwner {
  /** The pins have changed: address, stream and browser follow. */
  changed(): void;
  /** The house did not answer a pin's question. */
  failed(error: unknown): void;
  range(): Range;
  flushEvery(): number;
}

export class Pins {
  readonly element = element("div", { class: "pins", role: "list", "aria-label": "Chosen series", hidden: true });
  private readonly pins = new Map<string, PinnedSeries>();

  constructor(
    private readonly api: Api,
    private readonly clock: HouseClock,
    private readonly watcher: Watcher,
    private palette: Palette,
    private readonly owner: PinsOwner,
  ) {}

  keys(): SeriesKey[] {
    return [...this.pins.values()].map((pin) => pin.key);
  }

  has(key: SeriesKey): boolean {
    return this.pins.has(identity(key));
  }

  /** Globs for the live stream. */
  globs(): string[] {
    return [...new Set(this.keys().map((key) => exactGlob(key.name)))].sort();
  }

  toggle(key: SeriesKey): void {
    if (this.has(key)) this.drop(key);
    else this.add(key).focus();
    this.owner.changed();
  }

  /** Show exactly these, as the address says. */
  set(keys: readonly SeriesKey[]): void {
    const wanted = new Set(keys.map(identity));
    for (const key of this.keys()) if (!wanted.has(identity(key))) this.drop(key);
    for (const key of keys) if (!this.has(key)) this.add(key);
  }

  async fill(): Promise<void> {
    await Promise.all([...this.pins.values()].map((pin) => this.ask(pin)));
  }

  take(points: readonly LivePoint[]): void {
    for (const pin of this.pins.values()) pin.take(points);
  }

  draw(now: number, range: Range): void {
    for (const pin of this.pins.values()) pin.draw(now, range);
  }

  retheme(palette: Palette): void {
    this.palette = palette;
    for (const pin of this.pins.values()) pin.retheme(palette);
  }

  private add(key: SeriesKey): PinnedSeries {
    const pin = new PinnedSeries(this.api, key, this.palette, {
      appear: (chart) => this.watcher.watch(chart),
      unpin: (unwanted) => this.toggle(unwanted),
    });
    this.pins.set(pin.id, pin);
    this.element.append(pin.element);
    this.element.hidden = false;
    this.ask(pin).catch((error: unknown) => this.owner.failed(error));
    return pin;
  }

  private ask(pin: PinnedSeries): Promise<void> {
    return pin.fill(this.owner.range(), this.owner.flushEvery(), this.clock.now());
  }

  private drop(key: SeriesKey): void {
    const pin = this.pins.get(identity(key));
    if (!pin) return;
    for (const chart of pin.charts) this.watcher.forget(chart);
    pin.element.remove();
    this.pins.delete(pin.id);
    this.element.hidden = this.pins.size === 0;
  }
}
