// The host's charts: asks for their past, takes what the live stream brings, shows those that have something to show.
import type { Api } from "./api";
import { Chart, type LineSpec } from "./chart";
import { element } from "./dom";
import { HOST_CHARTS, type HostChart } from "./hostcharts";
import type { Range } from "./ranges";
import type { Palette } from "./theme";
import type { LivePoint, Row, Tags } from "./types";
import type { Watcher } from "./watch";

const HOST_INTERVAL = 1;

/** One chart with the numbers that are no lines of it. */
class HostPanel {
  readonly chart: Chart;
  private readonly numbers = new Map<string, number>();
  private readonly zeros = new Map<string, { spec: LineSpec; times: number[] }>();

  constructor(
    readonly spec: HostChart,
    palette: Palette,
  ) {
    this.chart = new Chart(spec.options, palette);
    this.chart.element.hidden = true;
  }

  take(name: string, tags: Tags, rows: readonly Row[]): void {
    const line = this.spec.line(name, tags);
    if (!line) return;
    for (const row of rows) {
      if (typeof row.value !== "number") continue;
      const value = this.spec.value ? this.spec.value(row.value) : row.value;
      if (line.id.startsWith("=")) this.numbers.set(line.id, value);
      else this.put(line, row.time, value);
    }
  }

  clear(): void {
    this.chart.clear();
    this.zeros.clear();
  }

  draw(now: number, range: Range): void {
    const { spec, chart } = this;
    const latest = (id: string): number | undefined => this.numbers.get(id) ?? chart.latest(id);
    chart.element.hidden = chart.empty || (spec.pointless?.(latest) ?? false);
    if (chart.element.hidden) return;
    chart.top = spec.top?.(latest) ?? null;
    if (spec.headline) chart.say(spec.headline(latest, chart.ids()));
    chart.draw({ from: now - range.seconds, to: now, interval: range.step || HOST_INTERVAL });
  }

  /** Zeros wait until the line has been something else; then they are part of it. */
  private put(line: LineSpec, time: number, value: number): void {
    if (this.spec.omitZero && !this.chart.empty && !this.chart.has(line.id)) {
      const waiting = this.zeros.get(line.id) ?? { spec: line, times: [] };
      if (value < 0.05) {
        waiting.times.push(time);
        if (waiting.times.length > 1000) waiting.times.shift();
        this.zeros.set(line.id, waiting);
        return;
      }
      for (const before of waiting.times) this.chart.put(line, before, 0);
      this.zeros.delete(line.id);
    }
    this.chart.put(line, time, value);
  }
}

export class HostView {
  readonly element = element("div", { class: "charts" });
  private readonly panels: HostPanel[];
  private asked = 0;

  constructor(
    private readonly api: Api,
    palette: Palette,
    watcher: Watcher,
  ) {
    this.panels = HOST_CHARTS.map((spec) => new HostPanel(spec, palette));
    for (const { chart } of this.panels) {
      this.element.append(chart.element);
      watcher.watch(chart);
    }
  }

  /** Put a card of another make behind the chart of this title. */
  insert(card: HTMLElement, after: string): void {
    const panel = this.panels.find(({ spec }) => spec.options.title === after);
    if (panel) panel.chart.element.after(card);
    else this.element.append(card);
  }

  get empty(): boolean {
    return this.panels.every((panel) => panel.chart.empty);
  }

  /** Ask for the range's rows; with `afresh` the rows that are there are of another step and go first. */
  async fill(range: Range, afresh: boolean): Promise<void> {
    const turn = ++this.asked;
    const questions = this.panels.map(async (panel) => {
      const { series, tags = [] } = panel.spec;
      const answer = await this.api.query({ series, tags, last: range.seconds, step: range.step });
      if (turn !== this.asked) return; // another range was chosen meanwhile
      if (afresh) panel.clear();
      for (const found of answer.series) panel.take(found.name, found.tags, found.rows);
    });
    await Promise.all(questions);
  }

  take(points: readonly LivePoint[]): void {
    for (const point of points) {
      for (const panel of this.panels) panel.take(point.name, point.tags, [point]);
    }
  }

  draw(now: number, range: Range): void {
    for (const panel of this.panels) panel.draw(now, range);
  }

  retheme(palette: Palette): void {
    for (const panel of this.panels) panel.chart.retheme(palette);
  }
}
