// How full the file systems are: one bar each.
import { element, outside, setText } from "./dom";
import { figures, quantity } from "./format";
import type { Tags } from "./types";

const SERIES = /^host\.filesystem\.(used_percent|used_bytes|total_bytes)$/;

interface Mount {
  readonly row: HTMLElement;
  readonly bar: HTMLMeterElement;
  readonly text: HTMLElement;
  readonly numbers: Map<string, number>;
}

export class FileSystems {
  static readonly series = "host.filesystem.*";
  readonly element: HTMLElement;
  private readonly list = element("ul", { class: "mounts" });
  private readonly mounts = new Map<string, Mount>();

  constructor() {
    const head = element("header", { class: "chart-head" }, element("h3", {}, "File systems"));
    this.element = element("article", { class: "chart card", hidden: true }, head, this.list);
  }

  take(name: string, tags: Tags, value: number | string): void {
    const what = SERIES.exec(name)?.[1];
    const place = Object.hasOwn(tags, "mount") ? tags["mount"] : undefined;
    if (!what || place === undefined || typeof value !== "number") return;
    const mount = this.mounts.get(place) ?? this.add(place);
    mount.numbers.set(what, value);
    this.show(mount);
  }

  private add(place: string): Mount {
    const bar = element("meter", { min: 0, max: 100, high: 85, optimum: 0, "aria-label": place });
    const text = element("span", { class: "value" });
    const row = element("li", {}, outside(place, "label"), text, bar);
    const mount = { row, bar, text, numbers: new Map<string, number>() };
    this.mounts.set(place, mount);
    const places = [...this.mounts].sort(([a], [b]) => (a < b ? -1 : 1));
    this.list.replaceChildren(...places.map(([, { row: each }]) => each));
    this.element.hidden = false;
    return mount;
  }

  private show({ bar, text, numbers }: Mount): void {
    const percent = numbers.get("used_percent");
    if (percent === undefined) return;
    bar.value = percent;
    const used = numbers.get("used_bytes");
    const total = numbers.get("total_bytes");
    const sizes =
      used === undefined || total === undefined ? "" : ` · ${quantity(used, "By")} of ${quantity(total, "By")}`;
    setText(text, `${figures(percent)} %${sizes}`);
  }
}
