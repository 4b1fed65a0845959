// The top line: who speaks, whether it speaks, how far back the page looks, light or dark.
import { byId, element, setText } from "./dom";
import { ago, duration } from "./format";
import type { Connection } from "./live";
import { RANGES, type Range } from "./ranges";

const SILENT = 3_500; // ms; the house speaks once a second

const SAID: Readonly<Record<Connection, string>> = {
  connecting: "",
  live: "Connected: the figures are live.",
  reconnecting: "The connection was lost. Trying again.",
  gone: "The house does not answer. The figures are old.",
};

export interface HeaderOwner {
  chosen(range: Range): void;
  theme(): void;
  retry(): void;
}

export class Header {
  private readonly about = byId("about", HTMLElement);
  private readonly connection = byId("connection", HTMLElement);
  private readonly text = byId("connection-text", HTMLElement);
  /** For screen readers: the state alone, for the text beside it counts the seconds. */
  private readonly said = byId("connection-said", HTMLElement);
  private readonly retry = byId("retry", HTMLButtonElement);
  private readonly ranges = byId("ranges", HTMLElement);
  private state: Connection = "connecting";
  private retryAt: number | null = null;
  private heard: number | null = null;

  constructor(owner: HeaderOwner) {
    byId("theme", HTMLButtonElement).addEventListener("click", () => owner.theme());
    this.retry.addEventListener("click", () => owner.retry());
    for (const range of RANGES) {
      const radio = element("input", { type: "radio", name: "range", value: range.id });
      radio.addEventListener("change", () => owner.chosen(range));
      this.ranges.append(element("label", { title: range.title }, radio, element("span", {}, range.text)));
    }
  }

  range(range: Range): void {
    for (const radio of this.ranges.querySelectorAll("input")) radio.checked = radio.value === range.id;
  }

  /** Host and version. */
  say(host: string, version: string): void {
    setText(this.about, [host, version].filter((text) => text !== "").join(" · "));
    document.title = host ? `${host} – Stathouse` : "Stathouse";
  }

  connected(state: Connection, retryAt: number | null): void {
    if (state !== this.state) setText(this.said, SAID[state]);
    this.state = state;
    this.retryAt = retryAt;
    if (state === "live") this.heard = performance.now();
    this.draw();
  }

  /** Write the connection's state; once a second, for it says how old the last word is. */
  draw(): void {
    const now = performance.now();
    const age = this.heard === null ? "" : `, last update ${ago((now - this.heard) / 1000)}`;
    const wait = this.retryAt === null ? 0 : Math.max(0, Math.ceil((this.retryAt - now) / 1000));
    const next = wait > 0 ? `, next try in ${duration(wait)}` : ", trying";
    const silent = this.heard !== null && now - this.heard > SILENT;
    const texts: Readonly<Record<Connection, string>> = {
      connecting: "connecting",
      live: silent ? `live${age}` : "live",
      reconnecting: `reconnecting${age}${next}`,
      gone: `the house does not answer${age}${next}`,
    };
    this.connection.dataset["state"] = this.state;
    setText(this.text, texts[this.state]);
    this.retry.hidden = this.state === "live" || this.state === "connecting";
  }
}
