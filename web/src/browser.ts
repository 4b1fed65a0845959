// The series browser: what arrives now, and all series grouped by the first part of their name, with a search.
import type { Api } from "./api";
import { button, element, outside, setText } from "./dom";
import { quantity } from "./format";
import { groupOf, identity, seriesKey, tagText, type SeriesKey } from "./keys";
import type { Kind, SeriesInfo, Top, TopSeries } from "./types";

const PAGE = 200;
const TYPING = 180; // ms of silence before a search is sent
const ARRIVING = 12;
const FEW = 25;
const SIGNS: Readonly<Record<string, string>> = { counter: "Σ", gauge: "◔", timer: "◷", set: "∪" };
/** Groups that every house has; they begin closed, so that the reader's own stand out. */
const BUILT_IN = new Set(["host", "stathouse"]);
const MAIN_FIELD: Readonly<Record<string, string>> = { counter: "sum", gauge: "last", timer: "p50", set: "distinct" };

export interface Chooser {
  has(key: SeriesKey): boolean;
  toggle(key: SeriesKey): void;
}

interface Group {
  readonly list: HTMLElement;
  readonly count: HTMLElement;
  /** Identities of its rows, sorted as they stand. */
  readonly ids: string[];
}

interface Item {
  readonly row: HTMLButtonElement;
  readonly value: HTMLElement;
  readonly key: SeriesKey;
}

export class Browser {
  private readonly arriving = element("div", { class: "arriving", hidden: true });
  private readonly arrivingList = element("ul", { class: "series" });
  private readonly own = element("div", { class: "groups" });
  private readonly builtIn = element("div", { class: "groups" });
  private readonly more = button("Show more", { class: "more", hidden: true }, () => void this.load(false));
  private readonly count = element("p", { class: "quiet count", role: "status" });
  private readonly hint = element("div", { class: "hint", hidden: true });
  private readonly items = new Map<string, Item>();
  private readonly now = new Map<string, Item>();
  private readonly lists = new Map<string, Group>();
  private loaded = 0;
  private known = false;
  private asked = 0;
  private timer = 0;

  constructor(
    private readonly api: Api,
    private readonly box: HTMLElement,
    private readonly search: HTMLInputElement,
    private readonly chooser: Chooser,
  ) {
    this.arriving.append(element("h3", {}, "Arriving now"), this.arrivingList);
    box.append(this.hint, this.arriving, this.count, this.own, this.more, this.builtIn);
    search.addEventListener("input", () => {
      window.clearTimeout(this.timer);
      this.timer = window.setTimeout(() => void this.load(true), TYPING);
    });
    search.addEventListener("keydown", (event) => this.searchKey(event));
    box.addEventListener("keydown", (event) => this.listKey(event));
    document.addEventListener("keydown", (event) => {
      const typing = event.target instanceof HTMLInputElement || event.target instanceof HTMLTextAreaElement;
      if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      search.focus();
    });
  }

  /** Ask for the list: from its beginning, or the next page. */
  async load(anew: boolean): Promise<void> {
    const turn = ++this.asked;
    const search = this.search.value.trim();
    try {
      const page = await this.api.series(search, PAGE, anew ? 0 : this.loaded);
      if (turn !== this.asked) return;
      const focused = [...this.items].find(([, item]) => item.row === document.activeElement)?.[0] ?? "";
      if (anew) this.clear();
      this.known = true;
      this.append(page.series, search !== "");
      this.loaded += page.series.length;
      this.more.hidden = this.loaded >= page.total || page.series.length === 0;
      this.items.get(focused)?.row.focus(); // the keyboard stays where it was, though the row is a new one
      this.showArriving();
      setText(this.count, this.words(page.total, search));
    } catch (error) {
      if (turn === this.asked) setText(this.count, error instanceof Error ? error.message : String(error));
    }
  }

  /** Add what is new at the list's beginning, and leave the rest as the reader has it. */
  async refresh(): Promise<void> {
    if (this.loaded === 0) return this.load(true);
    if (this.searching) return;
    const turn = this.asked;
    try {
      const page = await this.api.series("", Math.min(Math.max(PAGE, this.loaded), 1000), 0);
      if (turn !== this.asked || this.searching) return;
      this.append(page.series, false);
      setText(this.count, this.words(page.total, ""));
    } catch {
      // The list stays as it is; the top line says that the house does not answer.
    }
  }

  /** Show what the house has heard in the running interval; what comes from the house's own sources is left out. */
  arrived(top: Top): void {
    const found = top.series.filter((series) => !BUILT_IN.has(groupOf(series.name))).slice(0, ARRIVING);
    const keys = found.map((series) => ({ series, key: seriesKey(series.name, series.tags) }));
    const ids = new Set(keys.map(({ key }) => identity(key)));
    let moved = [...this.now.keys()].some((id) => !ids.has(id));
    for (const id of this.now.keys()) if (!ids.has(id)) this.now.delete(id);
    for (const { series, key } of keys) {
      const known = this.now.get(identity(key));
      const item = known ?? this.item(key, series.kind, "");
      this.now.set(identity(key), item);
      setText(item.value, valueText(series));
      moved ||= known === undefined;
      if (!this.searching && this.loaded > 0) this.list(key, series.kind, "", false);
      const listed = this.items.get(identity(key));
      if (listed) setText(listed.value, valueText(series));
    }
    if (moved) {
      const sorted = [...this.now.values()].sort((a, b) => (identity(a.key) < identity(b.key) ? -1 : 1));
      this.arrivingList.replaceChildren(...sorted.map((item) => element("li", {}, item.row)));
    }
    this.showArriving();
    this.advise();
  }

  /** Say how to send something, as long as there is nothing but what every house has. */
  advise(sendTo = ""): void {
    if (sendTo) this.hint.dataset["to"] = sendTo;
    const others = this.now.size > 0 || [...this.lists.keys()].some((name) => !BUILT_IN.has(name));
    this.hint.hidden = !this.known || others || this.searching || !this.hint.dataset["to"];
    if (this.hint.hidden) return;
    const [host = "127.0.0.1", port = "8125"] = splitAddress(this.hint.dataset["to"] ?? "");
    const line = `echo "shop.orders:3|c" | nc -u -w1 ${host} ${port}`;
    if (this.hint.textContent?.includes(line)) return;
    const copy = button("Copy", { class: "plain" }, () => void navigator.clipboard?.writeText(line));
    this.hint.replaceChildren(
      element("p", {}, "Nothing but the host yet. Send a number:"),
      element("code", {}, line),
      copy,
    );
  }

  /** Mark the rows of chosen series. */
  mark(): void {
    for (const item of [...this.items.values(), ...this.now.values()]) {
      item.row.setAttribute("aria-pressed", String(this.chooser.has(item.key)));
    }
  }

  /** With few series the list itself shows what arrives; a list of its own would say it twice. */
  private showArriving(): void {
    const own = [...this.lists].reduce((sum, [name, group]) => sum + (BUILT_IN.has(name) ? 0 : group.ids.length), 0);
    this.arriving.hidden = this.now.size === 0 || this.searching || own <= FEW;
  }

  private get searching(): boolean {
    return this.search.value.trim() !== "";
  }

  private clear(): void {
    this.loaded = 0;
    this.items.clear();
    this.lists.clear();
    this.own.replaceChildren();
    this.builtIn.replaceChildren();
  }

  private append(found: readonly SeriesInfo[], searched: boolean): void {
    for (const info of found) this.list(seriesKey(info.name, info.tags), info.kind, info.description, searched);
    this.advise();
  }

  private list(key: SeriesKey, kind: Kind, description: string, searched: boolean): void {
    const id = identity(key);
    if (this.items.has(id)) return; // it arrived before the page that holds it was asked for
    const group = this.group(groupOf(key.name), searched);
    const item = this.item(key, kind, description);
    this.items.set(id, item);
    const after = group.ids.findLastIndex((other) => other < id);
    group.ids.splice(after + 1, 0, id);
    group.list.insertBefore(element("li", {}, item.row), group.list.children[after + 1] ?? null);
    setText(group.count, String(group.ids.length));
  }

  private group(name: string, open: boolean): Group {
    const known = this.lists.get(name);
    if (known) return known;
    const list = element("ul", { class: "series" });
    const count = element("span", { class: "quiet" });
    const summary = element("summary", {}, outside(name), count);
    const builtIn = BUILT_IN.has(name);
    const box = element("details", { open: open || !builtIn }, summary, list);
    (builtIn ? this.builtIn : this.own).append(box);
    const made: Group = { list, count, ids: [] };
    this.lists.set(name, made);
    return made;
  }

  private item(key: SeriesKey, kind: Kind, description: string): Item {
    const value = element("span", { class: "value" });
    const tags = tagText(key);
    const sign = element("span", { class: "sign", "aria-hidden": "true" }, SIGNS[kind] ?? "·");
    const name = element(
      "span",
      { class: "names" },
      outside(key.name, "series-name"),
      tags ? outside(tags, "tags") : null,
    );
    const title = [key.name, tags, kind, description].filter((text) => text !== "").join("\n");
    const pressed = String(this.chooser.has(key));
    const row = element("button", { type: "button", title, "aria-pressed": pressed }, sign, name, value);
    row.addEventListener("click", () => this.chooser.toggle(key));
    return { row, value, key };
  }

  private words(total: number, search: string): string {
    if (total > 0) return `${total} series${search ? " found" : ""}`;
    return search ? "Nothing has this in its name or tags." : "No series yet.";
  }

  private searchKey(event: KeyboardEvent): void {
    const first = this.rows()[0];
    if (event.key === "ArrowDown") first?.focus();
    else if (event.key === "Enter") first?.click();
    else if (event.key === "Escape" && this.search.value !== "") {
      this.search.value = "";
      void this.load(true);
    } else return;
    event.preventDefault();
  }

  private listKey(event: KeyboardEvent): void {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    const rows = this.rows();
    const at = rows.indexOf(event.target as HTMLButtonElement);
    if (at < 0) return;
    event.preventDefault();
    const next = rows[at + (event.key === "ArrowDown" ? 1 : -1)];
    (next ?? this.search).focus();
  }

  /** The rows that can be seen, in order. */
  private rows(): HTMLButtonElement[] {
    const rows = this.box.querySelectorAll<HTMLButtonElement>("ul.series button");
    return [...rows].filter((row) => row.offsetParent !== null);
  }
}

function valueText(series: TopSeries): string {
  const fields = new Map(Object.entries(series.fields));
  const main = fields.get(MAIN_FIELD[series.kind] ?? "") ?? [...fields.values()][0];
  return typeof main === "number" ? quantity(main, series.unit) : (main ?? "");
}

/** "127.0.0.1:8125" or "[::1]:8125" in its two parts. */
function splitAddress(address: string): [string, string] | [] {
  const at = address.lastIndexOf(":");
  return at < 0 ? [] : [address.slice(0, at).replace(/^\[|\]$/g, ""), address.slice(at + 1)];
}
