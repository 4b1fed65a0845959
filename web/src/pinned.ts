// The chart of one chosen series, drawn by its kind.
import { Api } from "./api";
import { Chart, type ChartOptions, type LineSpec, type Paint } from "./chart";
import { button, element, outside, setText } from "./dom";
import { duration, quantity } from "./format";
import { identity, seriesKey, tagText, type SeriesKey } from "./keys";
import { stepFor, type Range } from "./ranges";
import type { Palette } from "./theme";
import type { Kind, LivePoint, Row, SeriesRows, Tags } from "./types";

const TIMER_LINES = ["p50", "p95", "p99"];
const WORDS: Readonly<Record<Exclude<Kind, "">, string>> = {
  counter: "counter",
  gauge: "gauge",
  timer: "timer",
  set: "set",
};

/** How a kind is painted. */
function paintOf(kind: Kind): Paint {
  return kind === "counter" || kind === "set" ? "bars" : "lines";
}

/** The line of a field; null for fields that are told in words. */
function lineOf(kind: Kind, field: string): LineSpec | null {
  if (kind === "timer") {
    const order = TIMER_LINES.indexOf(field);
    return order < 0 ? null : { id: field, label: field, order };
  }
  if (kind === "") return { id: field, label: field, order: 0 };
  // A gauge's rows come as "last", and as "mean" where a step folds several of them.
  const label = kind === "gauge" ? "value" : kind === "set" ? "distinct" : "sum";
  return { id: "value", label, order: 0 };
}

export class PinnedSeries {
  readonly element = element("div", { class: "pinned", role: "listitem" });
  readonly id: string;
  private chart: Chart | null = null;
  private readonly message = element("p", { class: "quiet message" }, "Asking the house …");
  private readonly facts = element("p", { class: "facts" });
  private readonly numbers = new Map<string, number>();
  private kind: Kind = "";
  private asked = 0;
  private every = 10;

  constructor(
    private readonly api: Api,
    readonly key: SeriesKey,
    private palette: Palette,
    private readonly watch: { appear(chart: Chart): void; unpin(key: SeriesKey): void },
  ) {
    this.id = identity(key);
    this.element.append(this.head(), this.message);
  }

  get charts(): Chart[] {
    return this.chart ? [this.chart] : [];
  }

  /** Ask for the range's rows; `every` is the house's flush interval in seconds. */
  async fill(range: Range, every: number, now: number): Promise<void> {
    const turn = ++this.asked;
    this.every = every;
    const step = stepFor(range, every);
    try {
      const answer = await this.api.query({ ...Api.exactly(this.key), last: range.seconds, step });
      if (turn !== this.asked) return;
      this.chart?.clear();
      for (const rows of answer.series.filter((found) => this.mine(found.name, found.tags)))
        this.rows(rows, step || every, now);
      if (!this.chart) setText(this.message, `No rows in ${range.title}. The chart begins when some arrive.`);
    } catch (error) {
      if (turn === this.asked && !this.chart)
        setText(this.message, error instanceof Error ? error.message : String(error));
      throw error;
    }
  }

  take(points: readonly LivePoint[]): void {
    for (const point of points) {
      if (this.mine(point.name, point.tags)) this.put(point.kind, point.unit, point.field, point, point.partial);
    }
  }

  draw(now: number, range: Range): void {
    const { chart } = this;
    if (!chart) return;
    const interval = stepFor(range, this.every) || this.every;
    setText(this.facts, this.words(chart, interval));
    chart.draw({ from: now - range.seconds, to: now, interval });
  }

  retheme(palette: Palette): void {
    this.palette = palette;
    this.chart?.retheme(palette);
  }

  focus(): void {
    this.element.scrollIntoView({ block: "nearest" });
  }

  private head(): HTMLElement {
    const tags = tagText(this.key);
    const close = button(
      "×",
      { class: "plain", title: "Take this chart away", "aria-label": `Unpin ${this.key.name}` },
      () => this.watch.unpin(this.key),
    );
    return element(
      "header",
      { class: "pinned-head" },
      element("h3", {}, outside(this.key.name, "series-name")),
      tags ? outside(tags, "tags") : null,
      close,
    );
  }

  private mine(name: string, tags: Tags): boolean {
    return name === this.key.name && identity(seriesKey(name, tags)) === this.id;
  }

  private rows(found: SeriesRows, interval: number, now: number): void {
    for (const row of found.rows) {
      const running = found.kind !== "" && row.time + interval > now;
      this.put(found.kind, found.unit, found.field, row, running);
    }
  }

  private put(kind: Kind, unit: string, field: string, row: Row, partial: boolean): void {
    if (typeof row.value !== "number") return;
    this.numbers.set(field, row.value);
    const line = lineOf(kind, field);
    if (!line) return;
    const chart = this.chart ?? this.make(kind, unit);
    chart.put(line, row.time, row.value, partial && kind !== "");
  }

  private make(kind: Kind, unit: string): Chart {
    const options: ChartOptions = {
      title: this.key.name,
      paint: paintOf(kind),
      unit: kind === "counter" && unit === "" ? "1" : unit,
      height: 180,
      zero: kind !== "gauge" && kind !== "",
      running: true,
    };
    this.kind = kind;
    this.chart = new Chart(options, this.palette);
    this.chart.element.classList.remove("card");
    this.chart.head.remove(); // the panel has its own
    this.message.remove();
    this.element.append(this.facts, this.chart.element);
    this.watch.appear(this.chart);
    return this.chart;
  }

  /** The kind, and what the lines do not show. */
  private words(chart: Chart, interval: number): string {
    const { kind } = this;
    const unit = chart.unit;
    const parts = [kind === "" ? "posted values" : WORDS[kind]];
    const latest = chart.latest("value");
    const finished = chart.finished("value");
    if (kind === "counter" || kind === "set")
      parts.push(`${kind === "set" ? "distinct members" : "sum"} of each ${duration(interval)}`);
    if (kind === "counter" && finished !== undefined)
      parts.push(`last ${quantity(finished, unit)}, ${quantity(finished / interval, "1/s")}`);
    if (kind === "gauge" && latest !== undefined) parts.push(`now ${quantity(latest, unit)}`);
    if (kind === "timer") {
      const told = [
        ["count", "1"],
        ["mean", unit],
        ["max", unit],
      ] as const;
      for (const [field, of] of told) {
        const value = this.numbers.get(field);
        if (value !== undefined) parts.push(`${field} ${quantity(value, of)}`);
      }
    }
    return parts.join(" · ");
  }
}
