// The busiest processes, by processor time and by memory.
import { element, outside } from "./dom";
import { quantity } from "./format";
import type { Process, Processes } from "./types";

const ROWS = 8;

export class ProcessTables {
  readonly element = element("div", { class: "tables", hidden: true });
  private readonly cpu = table("Processes by CPU");
  private readonly memory = table("Processes by memory");

  constructor() {
    this.element.append(this.cpu.card, this.memory.card);
  }

  show(processes: Processes): void {
    this.element.hidden = processes.by_cpu.length === 0 && processes.by_memory.length === 0;
    fill(this.cpu.body, processes.by_cpu);
    fill(this.memory.body, processes.by_memory);
  }
}

function table(title: string): { card: HTMLElement; body: HTMLTableSectionElement } {
  const head = ["Process", "User", "PID", "CPU", "Memory"].map((text) => element("th", { scope: "col" }, text));
  const body = element("tbody");
  const made = element("table", { "aria-label": title }, element("thead", {}, element("tr", {}, ...head)), body);
  const card = element(
    "article",
    { class: "card" },
    element("header", { class: "chart-head" }, element("h3", {}, title)),
    made,
  );
  return { card, body };
}

function fill(body: HTMLTableSectionElement, processes: readonly Process[]): void {
  const rows = processes
    .slice(0, ROWS)
    .map((process) =>
      element(
        "tr",
        {},
        element("td", { title: process.name }, outside(process.name)),
        element("td", {}, outside(process.user)),
        element("td", {}, String(process.pid)),
        element("td", {}, quantity(process.cpu_percent, "%")),
        element("td", {}, quantity(process.memory_bytes, "By")),
      ),
    );
  body.replaceChildren(...rows);
}
