// What uPlot does not paint by itself: bars as wide as their interval, and a heat map of many lines.
import type uPlot from "uplot";
import { faded } from "./theme";

/** Bars that cover their interval exactly: a row's time is the start of its interval. */
export function intervalBars(seconds: () => number): uPlot.Series.PathBuilder {
  return (plot, index, from, to) => {
    const path = new Path2D();
    const times = plot.data[0];
    const values = plot.data[index] ?? [];
    const floor = plot.valToPos(0, "y", true);
    for (let at = from; at <= to; at += 1) {
      const time = times[at];
      const value = values[at];
      if (time === undefined || value === null || value === undefined) continue;
      const left = plot.valToPos(time, "x", true);
      const right = plot.valToPos(time + seconds(), "x", true);
      const y = plot.valToPos(value, "y", true);
      const gap = right - left > 4 ? 1 : 0;
      // At least one pixel each way, so that a small value is seen to be there.
      const height = value === 0 ? 0 : Math.max(1, Math.abs(floor - y));
      path.rect(left, value < 0 ? floor : floor - height, Math.max(1, right - left - gap), height);
    }
    return { stroke: null, fill: path };
  };
}

/** Nothing: the line is only there for its values, something else paints it. */
export const noPath: uPlot.Series.PathBuilder = () => null;

/** One band per line, from the bottom up, darker where the value is nearer to `most`. */
export function paintHeat(plot: uPlot, colour: string, most: number): void {
  const [times, ...lines] = plot.data;
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const step = usualStep(times);
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  lines.forEach((values, line) => {
    const bottom = plot.valToPos(line, "y", true);
    const band = Math.max(1, bottom - plot.valToPos(line + 1, "y", true) - 1);
    times.forEach((time, at) => {
      const value = values[at];
      if (value === null || value === undefined) return;
      const x = plot.valToPos(time - step, "x", true);
      const end = plot.valToPos(time, "x", true);
      if (end < left || x > left + width) return;
      ctx.fillStyle = faded(colour, 0.06 + 0.94 * Math.min(1, Math.max(0, value / most)));
      ctx.fillRect(x, bottom - band, Math.max(1, end - x + 0.5), band);
    });
  });
  ctx.restore();
}

function usualStep(times: uPlot.AlignedData[0]): number {
  const tail = Array.from(times.slice(-32));
  const gaps = tail.slice(1).map((time, index) => time - (tail[index] ?? time));
  gaps.sort((a, b) => a - b);
  return gaps[gaps.length >> 1] ?? 1;
}
