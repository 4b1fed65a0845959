// One chart: lines that may come and go, a legend, a crosshair shared by all charts of the page.
import uPlot from "uplot";
import { Buffer, align, stacked, type Cell } from "./buffer";
import { element, setText } from "./dom";
import { axisTexts, moment, quantity, timeMark } from "./format";
import { Legend, Note, type Entry } from "./legend";
import { intervalBars, noPath, paintHeat } from "./paint";
import { faded, type Palette } from "./theme";

export type Paint = "lines" | "stack" | "bars" | "heat";

export interface ChartOptions {
  title: string;
  paint: Paint;
  unit: string;
  height?: number;
  /** Fill below the lines of these ids ("lines" only). */
  filled?: readonly string[];
  /** The value axis begins at 0; else only where the values are near it. */
  zero?: boolean;
  /** Show the running interval lighter. */
  running?: boolean;
}

/** A line's place and name in its chart. */
export interface LineSpec {
  readonly id: string;
  readonly label: string;
  readonly order: number;
}

interface Line extends LineSpec, Entry {
  readonly buffer: Buffer;
}

export interface View {
  from: number;
  to: number;
  /** Seconds of one row, for bars. */
  interval: number;
}

const BINARY_STEPS = Array.from({ length: 60 }, (_, power) => 2 ** power);
const NOTE_ROWS = 12;

/** Pixels between two marks of the time axis: where they are less than a minute apart they also say the second. */
function markSpace(pixelsPerMinute: number): number {
  return pixelsPerMinute >= 92 ? 68 : 46;
}

export class Chart {
  readonly element: HTMLElement;
  readonly head = element("header", { class: "chart-head" });
  /** Drawn only while it is on the screen. */
  visible = false;
  /** Top of the value axis where it is known, as a memory's size. */
  top: number | null = null;
  unit: string;
  private readonly lines = new Map<string, Line>();
  private readonly legend = new Legend((id, alone) => this.toggle(id, alone));
  private readonly note = new Note();
  private readonly canvas = element("div", { class: "canvas", role: "img" });
  private readonly headline = element("output", { class: "headline", "aria-live": "off" });
  private plot: uPlot | null = null;
  private view: View = { from: 0, to: 1, interval: 10 };

  constructor(
    private readonly options: ChartOptions,
    private palette: Palette,
  ) {
    this.unit = options.unit;
    this.head.append(element("h3", {}, options.title), this.headline);
    this.element = element("article", { class: "chart card" }, this.head, this.canvas, this.legend.element);
    this.canvas.setAttribute("aria-label", options.title);
    this.canvas.style.height = `${options.height ?? 150}px`;
    this.canvas.append(this.note.element);
    new ResizeObserver(() => this.resize()).observe(this.canvas);
  }

  get empty(): boolean {
    return this.lines.size === 0;
  }

  has(id: string): boolean {
    return this.lines.has(id);
  }

  put(spec: LineSpec, time: number, value: number, partial = false): void {
    let line = this.lines.get(spec.id);
    if (!line) {
      line = { ...spec, colour: "", shown: true, buffer: new Buffer() };
      this.lines.set(spec.id, line);
      this.discard();
    }
    line.buffer.put(time, value, partial);
  }

  /** Forget all rows; the lines stay, so that their colours do. */
  clear(): void {
    for (const line of this.lines.values()) line.buffer.clear();
  }

  latest(id: string): number | undefined {
    return this.lines.get(id)?.buffer.last;
  }

  /** The latest row whose interval is over. */
  finished(id: string): number | undefined {
    return this.lines.get(id)?.buffer.finished;
  }

  /** Ids of the lines, in their order. */
  ids(): string[] {
    return this.sorted().map((line) => line.id);
  }

  say(headline: string): void {
    setText(this.headline, headline);
  }

  retheme(palette: Palette): void {
    this.palette = palette;
    this.discard();
  }

  draw(view: View): void {
    this.view = view;
    for (const line of this.lines.values()) line.buffer.trim(view.from - view.interval);
    if (!this.visible || this.empty || this.canvas.clientWidth === 0) return;
    const data = this.data();
    if (this.plot) {
      const plot = this.plot;
      plot.batch(() => {
        plot.setData(data, false);
        plot.setScale("x", { min: view.from, max: view.to });
      });
    } else {
      this.colour();
      this.plot = new uPlot(this.plotOptions(), data, this.canvas);
      this.legend.show(this.sorted());
    }
    this.read();
  }

  private sorted(): Line[] {
    return [...this.lines.values()].sort((a, b) => a.order - b.order || (a.label < b.label ? -1 : 1));
  }

  private shown(): Line[] {
    return this.sorted().filter((line) => line.shown);
  }

  private colour(): void {
    this.sorted().forEach((line, index) => {
      const lines = this.palette.lines;
      line.colour = (this.options.paint === "heat" ? lines[0] : lines[index % lines.length]) ?? this.palette.text;
    });
  }

  private toggle(id: string, alone: boolean): void {
    const all = [...this.lines.values()];
    const line = this.lines.get(id);
    if (!line) return;
    const isAlone = line.shown && all.every((other) => other === line || !other.shown);
    if (alone) for (const other of all) other.shown = isAlone || other === line;
    else line.shown = !line.shown;
    this.discard();
    this.draw(this.view);
  }

  private discard(): void {
    this.plot?.destroy();
    this.plot = null;
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    if (width === 0) return;
    if (this.plot) this.plot.setSize({ width, height });
    else this.draw(this.view);
  }

  private data(): uPlot.AlignedData {
    const lines = this.shown();
    const [times, ...columns] = align(lines.map((line) => line.buffer));
    const painted = this.options.paint === "stack" ? stacked(columns) : columns;
    if (!this.options.running) return [times, ...painted];
    return [
      times,
      ...painted.flatMap((column, index) => this.apart(times, column, lines[index]?.buffer.partial ?? null)),
    ];
  }

  /** A column without the running interval, and one with it alone (a line also has the row before, to lead there). */
  private apart(times: readonly number[], column: Cell[], partial: number | null): [Cell[], Cell[]] {
    const running: Cell[] = new Array<Cell>(times.length).fill(null);
    const at = partial === null ? -1 : times.indexOf(partial);
    if (at < 0) return [column, running];
    const finished = [...column];
    finished[at] = null;
    running[at] = column[at];
    if (this.options.paint === "lines") {
      let before = at - 1;
      while (before >= 0 && column[before] === undefined) before -= 1;
      for (let between = before + 1; between < at; between += 1) running[between] = undefined;
      if (before >= 0) running[before] = column[before];
    }
    return [finished, running];
  }

  private plotOptions(): uPlot.Options {
    const { palette } = this;
    const axis = { stroke: palette.quiet, font: "11px system-ui, sans-serif", ticks: { show: false } };
    const grid = { stroke: palette.grid, width: 1 };
    const heat = this.options.paint === "heat";
    const lines = this.shown();
    return {
      width: this.canvas.clientWidth,
      height: this.canvas.clientHeight,
      padding: [8, 10, 0, 0],
      legend: { show: false },
      cursor: {
        sync: { key: "page", setSeries: false },
        drag: { x: false, y: false, setScale: false },
        points: { show: !heat, size: 6 },
        y: false,
      },
      scales: {
        x: { time: true, range: () => [this.view.from, this.view.to] },
        y: { range: (_plot, low, high) => this.valueRange(low, high, lines.length) },
      },
      axes: [
        {
          ...axis,
          size: 24,
          grid,
          space: (_plot, _axis, from, to, width) => markSpace((width / (to - from)) * 60),
          values: (_plot, marks, _axis, _space, apart) => marks.map((mark) => timeMark(mark, apart)),
        },
        heat
          ? {
              ...axis,
              size: 62,
              grid: { show: false },
              splits: () => lines.map((_line, at) => at + 0.5),
              values: () => this.rowTexts(lines),
            }
          : {
              ...axis,
              size: 62,
              grid,
              space: 32,
              values: (_plot, marks) => axisTexts(marks, this.unit),
              ...(this.unit === "By" ? { incrs: BINARY_STEPS } : {}),
            },
      ],
      series: [{}, ...lines.flatMap((line) => this.seriesOptions(line))],
      ...(this.options.paint === "stack"
        ? { bands: lines.slice(1).map((_line, index) => ({ series: [index + 2, index + 1] as [number, number] })) }
        : {}),
      hooks: {
        setCursor: [() => this.read()],
        ...(heat ? { draw: [(plot: uPlot) => paintHeat(plot, palette.lines[0] ?? palette.text, 100)] } : {}),
      },
    };
  }

  /** Names beside the rows of a heat map, while there is room for them. */
  private rowTexts(lines: readonly Line[]): string[] {
    const room = this.canvas.clientHeight - 32;
    return lines.map((line) => (lines.length * 13 <= room ? line.label : ""));
  }

  private seriesOptions(line: Line): uPlot.Series[] {
    const { paint } = this.options;
    const base: uPlot.Series = {
      stroke: line.colour,
      width: 1.5,
      points: { size: 4, fill: line.colour },
      spanGaps: false,
    };
    if (paint === "heat") return [{ ...base, paths: noPath, points: { show: false } }];
    if (paint === "stack") return [{ ...base, width: 1, fill: faded(line.colour, 0.45), points: { show: false } }];
    if (paint === "bars") {
      const bars = { ...base, width: 0, paths: intervalBars(() => this.view.interval), points: { show: false } };
      const main = { ...bars, fill: faded(line.colour, 0.85) };
      return this.options.running ? [main, { ...bars, fill: faded(line.colour, 0.35) }] : [main];
    }
    const main = this.options.filled?.includes(line.id) ? { ...base, fill: faded(line.colour, 0.18) } : base;
    const running = { ...base, stroke: faded(line.colour, 0.6), dash: [3, 3], points: { show: false } };
    return this.options.running ? [main, running] : [main];
  }

  private valueRange(low: number | null, high: number | null, lines: number): [number, number] {
    if (this.options.paint === "heat") return [0, Math.max(1, lines)];
    const least = low ?? 0;
    const most = high ?? 0;
    if (this.top !== null && this.top > 0) return [Math.min(0, least), Math.max(this.top, most)];
    const nearZero = this.options.zero !== false || least <= most * 0.6;
    if (least >= 0 && nearZero) return [0, most > 0 ? most * 1.08 : 1];
    const margin = (most - least) * 0.1 || Math.abs(most) * 0.1 || 1;
    return [least - margin, most + margin];
  }

  /** Write the values at the crosshair, or the latest, into legend, note and label. */
  private read(): void {
    const { plot } = this;
    if (!plot) return;
    const at = plot.cursor.idx;
    const time = at === null || at === undefined ? undefined : plot.data[0][at];
    const rows = this.sorted().map((line) => {
      const within = Math.max(line.buffer.interval() * 3.5, this.view.interval);
      const value = time === undefined ? line.buffer.last : line.buffer.at(time, within);
      const text = value === undefined ? "–" : quantity(value, this.unit);
      this.legend.value(line.id, text);
      return { label: line.label, colour: line.colour, value: text, shown: line.shown };
    });
    const here = plot.over.matches(":hover") && time !== undefined;
    const left = plot.cursor.left ?? 0;
    if (here && left >= 0) {
      const noted = rows.filter((row) => row.shown).slice(0, NOTE_ROWS);
      this.note.show(moment(time, this.view.to), noted, plot.over.offsetLeft + left, this.canvas.clientWidth);
    } else this.note.hide();
    const summary = rows.map((row) => `${row.label} ${row.value}`).slice(0, NOTE_ROWS);
    this.canvas.setAttribute("aria-label", `${this.options.title}: ${summary.join(", ")}`);
  }
}
