// How far back the page looks, how finely, and the house's own clock. Pure but for the browser's timer.

export interface Range {
  readonly id: string;
  readonly text: string;
  readonly title: string;
  readonly seconds: number;
  /** Width of a row in seconds; 0 takes rows as they are kept. */
  readonly step: number;
  /** Seconds between two questions; 0 where the live stream brings the rows. */
  readonly refresh: number;
}

export const RANGES: readonly Range[] = [
  { id: "5m", text: "Live", title: "the last 5 minutes, live", seconds: 300, step: 0, refresh: 0 },
  { id: "15m", text: "15 m", title: "the last 15 minutes", seconds: 900, step: 5, refresh: 5 },
  { id: "1h", text: "1 h", title: "the last hour", seconds: 3600, step: 15, refresh: 15 },
  { id: "6h", text: "6 h", title: "the last 6 hours", seconds: 21600, step: 60, refresh: 30 },
  { id: "24h", text: "24 h", title: "the last 24 hours", seconds: 86400, step: 300, refresh: 60 },
  { id: "7d", text: "7 d", title: "the last 7 days", seconds: 604800, step: 1800, refresh: 60 },
];

export const DEFAULT_RANGE = "5m";

/** The range of this id, the default one where there is none. */
export function rangeOf(id: string): Range {
  const found = RANGES.find((range) => range.id === id) ?? RANGES[0];
  if (!found) throw new Error("there are no ranges");
  return found;
}

/** The step for a series that gets a row every `every` seconds: a multiple of it, never finer. */
export function stepFor(range: Range, every: number): number {
  if (range.step === 0) return 0;
  return every <= 0 ? range.step : Math.ceil(range.step / every) * every;
}

/** The house's time, carried on between its answers by this browser's timer: the two clocks need not agree. */
export class HouseClock {
  private offset: number | null = null;

  constructor(private readonly ticks: () => number = () => performance.now() / 1000) {}

  /** Take the time of an answer just come; the earliest arrival is the best measure, slow drift is followed. */
  hear(unix: number): void {
    const offset = unix - this.ticks();
    const known = this.offset;
    const jumped = known !== null && Math.abs(offset - known) > 5;
    if (known === null || jumped || offset > known) this.offset = offset;
    else this.offset = known + (offset - known) * 0.05;
  }

  now(): number {
    return this.offset === null ? Date.now() / 1000 : this.ticks() + this.offset;
  }
}
