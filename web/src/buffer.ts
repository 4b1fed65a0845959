// Rows of one line of a chart, in order of time, and several lines on one time axis. Pure.

/** A value where there is one, null where the line has a gap, undefined where only other lines have a row. */
export type Cell = number | null | undefined;

/** Rows in order of time; a row that comes again at the same time replaces the first. */
export class Buffer {
  readonly times: number[] = [];
  readonly values: number[] = [];
  /** Time of the row whose interval still runs, or null. */
  partial: number | null = null;

  get length(): number {
    return this.times.length;
  }

  get last(): number | undefined {
    return this.values[this.values.length - 1];
  }

  /** The value of the last row whose interval is over. */
  get finished(): number | undefined {
    const end = this.times.length - 1;
    return this.values[this.times[end] === this.partial ? end - 1 : end];
  }

  put(time: number, value: number, partial = false): void {
    const at = this.place(time);
    if (this.times[at] === time) this.values[at] = value;
    else if (at === this.times.length) {
      this.times.push(time);
      this.values.push(value);
    } else {
      this.times.splice(at, 0, time);
      this.values.splice(at, 0, value);
    }
    if (partial) {
      if (this.partial === null || time >= this.partial) this.partial = time;
    } else if (this.partial !== null && time >= this.partial) this.partial = null;
  }

  /** Forget rows before `start`, but keep the one before it, so that the line enters from the edge. */
  trim(start: number): void {
    const drop = this.place(start) - 1;
    if (drop > 0) {
      this.times.splice(0, drop);
      this.values.splice(0, drop);
    }
  }

  clear(): void {
    this.times.length = 0;
    this.values.length = 0;
    this.partial = null;
  }

  /** The value of the last row at or before `time`, but none from more than `within` seconds before it. */
  at(time: number, within: number): number | undefined {
    const found = this.place(time);
    const at = this.times[found] === time ? found : found - 1;
    const from = this.times[at];
    return from !== undefined && time - from <= within ? this.values[at] : undefined;
  }

  /** The usual distance between two rows (the median of the last 32), 0 with fewer than two. */
  interval(): number {
    const tail = this.times.slice(-33);
    const gaps = tail.slice(1).map((time, index) => time - (tail[index] ?? time));
    gaps.sort((a, b) => a - b);
    return gaps[gaps.length >> 1] ?? 0;
  }

  /** Index of the first row at or after `time`; the search begins at the end, where rows arrive. */
  private place(time: number): number {
    const last = this.times[this.times.length - 1];
    if (last === undefined || time > last) return this.times.length;
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.times[middle] ?? 0) < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Several buffers on one time axis, with a null where a line has had no row for `gapFactor` intervals. */
export function align(buffers: readonly Buffer[], gapFactor = 3.5): [number[], ...Cell[][]] {
  const breaks = buffers.map((buffer) => gaps(buffer, gapFactor));
  const times = merged([...buffers.map((buffer) => buffer.times), ...breaks]);
  const columns = buffers.map((buffer, index) => {
    const column: Cell[] = new Array<Cell>(times.length);
    const own = breaks[index] ?? [];
    let row = 0;
    let gap = 0;
    times.forEach((time, at) => {
      if (buffer.times[row] === time) column[at] = buffer.values[row++];
      else if (own[gap] === time) {
        column[at] = null;
        gap += 1;
      }
    });
    return column;
  });
  return [times, ...columns];
}

/** Each line on top of those before it; a line without a row at a time adds nothing there. */
export function stacked(columns: readonly Cell[][]): Cell[][] {
  const floor: number[] = [];
  return columns.map((column) =>
    Array.from(column, (value, at) => {
      if (value === null) return null;
      floor[at] = (floor[at] ?? 0) + (value ?? 0);
      return floor[at];
    }),
  );
}

/** Times in the middle of a buffer's gaps. */
function gaps(buffer: Buffer, factor: number): number[] {
  const widest = buffer.interval() * factor;
  const found: number[] = [];
  if (widest <= 0 || !Number.isFinite(widest)) return found;
  for (let at = 1; at < buffer.times.length; at += 1) {
    const before = buffer.times[at - 1] ?? 0;
    const after = buffer.times[at] ?? 0;
    if (after - before > widest) found.push((before + after) / 2);
  }
  return found;
}

/** The union of sorted lists, sorted. */
function merged(lists: readonly (readonly number[])[]): number[] {
  const first = lists.find((list) => list.length > 0);
  if (!first) return [];
  // Lines of one chart mostly share their times: then there is nothing to merge.
  const alike = lists.every((list) => list.length === 0 || same(list, first));
  return alike ? [...first] : [...new Set(lists.flat())].sort((a, b) => a - b);
}

function same(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index]);
}
