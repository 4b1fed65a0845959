// The names under a chart, with their values; a click hides or shows a line. And the note at the crosshair.
import { element, outside, setText } from "./dom";

export interface Entry {
  readonly id: string;
  readonly label: string;
  colour: string;
  shown: boolean;
}

interface Item {
  readonly button: HTMLButtonElement;
  readonly swatch: HTMLElement;
  readonly value: HTMLElement;
}

export class Legend {
  readonly element = element("ul", { class: "legend" });
  private readonly items = new Map<string, Item>();

  constructor(private readonly toggle: (id: string, alone: boolean) => void) {}

  /** Show these entries, in this order. */
  show(entries: readonly Entry[]): void {
    const rows = entries.map((entry) => {
      const item = this.items.get(entry.id) ?? this.make(entry);
      item.swatch.style.backgroundColor = entry.colour;
      item.button.setAttribute("aria-pressed", String(entry.shown));
      return element("li", {}, item.button);
    });
    this.element.replaceChildren(...rows);
  }

  value(id: string, text: string): void {
    const item = this.items.get(id);
    if (item) setText(item.value, text);
  }

  private make(entry: Entry): Item {
    const swatch = element("span", { class: "swatch" });
    const value = element("span", { class: "value" });
    const title = "Hide or show this line. With Shift: this line alone.";
    const button = element("button", { type: "button", title }, swatch, outside(entry.label, "label"), value);
    button.addEventListener("click", (event) => this.toggle(entry.id, event.shiftKey));
    const item = { button, swatch, value };
    this.items.set(entry.id, item);
    return item;
  }
}

export interface NoteRow {
  readonly label: string;
  readonly colour: string;
  readonly value: string;
}

/** The note beside the crosshair; it stays within the chart. */
export class Note {
  readonly element = element("div", { class: "note", hidden: true, "aria-hidden": "true" });

  show(time: string, rows: readonly NoteRow[], x: number, width: number): void {
    const lines = rows.map((row) => {
      const swatch = element("span", { class: "swatch" });
      swatch.style.backgroundColor = row.colour;
      return element("li", {}, swatch, outside(row.label, "label"), element("span", { class: "value" }, row.value));
    });
    this.element.replaceChildren(element("time", {}, time), element("ul", {}, ...lines));
    this.element.hidden = false;
    const own = this.element.offsetWidth;
    const beside = x + 14 + own <= width ? x + 14 : Math.max(0, x - 14 - own);
    this.element.style.transform = `translateX(${Math.round(beside)}px)`;
  }

  hide(): void {
    this.element.hidden = true;
  }
}
