// The four figures at the top, each with the course of its last two minutes.
import { element, setText, svg } from "./dom";
import { grouped, quantity } from "./format";
import type { Tiles } from "./types";

const KEPT = 120;
const WIDTH = 120;
const HEIGHT = 28;

/** A small line without axes. */
class Spark {
  readonly element: SVGSVGElement;
  private readonly line = svg("path", { class: "spark-line" });
  private readonly area = svg("path", { class: "spark-area" });
  private readonly values: number[] = [];

  constructor() {
    const attributes = {
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      "aria-hidden": "true",
      class: "spark",
    };
    this.element = svg("svg", attributes, this.area, this.line);
  }

  push(value: number): void {
    this.values.push(value);
    if (this.values.length > KEPT) this.values.shift();
  }

  draw(): void {
    if (this.values.length < 2) return;
    const least = Math.min(...this.values);
    const spread = Math.max(...this.values) - least;
    // A figure that hardly moves is a straight line, not noise blown up.
    const scale = spread > Math.abs(least) * 0.001 ? (HEIGHT - 4) / spread : 0;
    const base = scale === 0 ? HEIGHT / 2 : HEIGHT - 2;
    const step = WIDTH / (KEPT - 1);
    const start = WIDTH - (this.values.length - 1) * step;
    const points = this.values.map(
      (value, at) => `${(start + at * step).toFixed(1)} ${(base - (value - least) * scale).toFixed(1)}`,
    );
    const path = `M${points.join("L")}`;
    this.line.setAttribute("d", path);
    this.area.setAttribute("d", `${path}V${HEIGHT}H${start.toFixed(1)}Z`);
  }
}

interface Tile {
  readonly value: HTMLElement;
  readonly spark: Spark;
  readonly text: (tiles: Tiles) => string;
  /** What the small line shows; null where there is nothing to compare with yet. */
  readonly course: (tiles: Tiles, before: Tiles | null) => number | null;
}

const perSecond =
  (read: (tiles: Tiles) => number) =>
  (tiles: Tiles, before: Tiles | null): number | null => {
    const seconds = before ? tiles.time - before.time : 0;
    return before && seconds > 0 ? Math.max(0, (read(tiles) - read(before)) / seconds) : null;
  };

export class TileRow {
  readonly element = element("section", { class: "tiles", "aria-label": "Figures" });
  readonly lost = element("button", {
    type: "button",
    class: "tile card",
    "aria-expanded": "false",
    "aria-controls": "lost",
  });
  private readonly tiles: Tile[] = [];
  private before: Tiles | null = null;

  constructor() {
    this.add(
      "Series live",
      element("div", { class: "tile card" }),
      (tiles) => grouped(tiles.series_live),
      (tiles) => tiles.series_live,
    );
    this.add(
      "Samples per second",
      element("div", { class: "tile card" }),
      (tiles) => quantity(tiles.samples_per_second, "1"),
      (tiles) => tiles.samples_per_second,
    );
    this.add(
      "Lost",
      this.lost,
      (tiles) => grouped(tiles.lost),
      perSecond((tiles) => tiles.lost),
    );
    this.add(
      "Rows stored",
      element("div", { class: "tile card" }),
      (tiles) => grouped(tiles.stored),
      perSecond((tiles) => tiles.stored),
    );
  }

  take(tiles: Tiles): void {
    for (const tile of this.tiles) {
      const value = tile.course(tiles, this.before);
      if (value !== null) tile.spark.push(value);
    }
    this.before = tiles;
  }

  draw(): void {
    const { before } = this;
    if (!before) return;
    for (const tile of this.tiles) {
      setText(tile.value, tile.text(before));
      tile.spark.draw();
    }
    this.lost.classList.toggle("bad", before.lost > 0);
  }

  private add(title: string, box: HTMLElement, text: Tile["text"], course: Tile["course"]): void {
    const value = element("span", { class: "tile-value" }, "–");
    const spark = new Spark();
    const hint = box === this.lost ? element("span", { class: "tile-hint" }, "why?") : null;
    box.append(element("span", { class: "tile-title" }, title, hint), value);
    box.append(spark.element);
    this.tiles.push({ value, spark, text, course });
    this.element.append(box);
  }
}
