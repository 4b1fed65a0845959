// Light and dark: the browser's wish, or the reader's choice kept in localStorage; and the colours for canvases.
import { element } from "./dom";

const KEY = "stathouse.theme";
const LINES = 8;

/** Colours as canvases need them, resolved from the style sheet. */
export interface Palette {
  readonly text: string;
  readonly quiet: string;
  readonly grid: string;
  readonly surface: string;
  readonly lines: readonly string[];
}

export class Theme {
  palette: Palette;
  private readonly media = window.matchMedia("(prefers-color-scheme: dark)");
  private readonly probe = element("span", { hidden: true });
  private readonly watchers: (() => void)[] = [];

  constructor(private readonly root: HTMLElement = document.documentElement) {
    this.set(stored());
    document.body.append(this.probe);
    this.palette = this.resolve();
    this.media.addEventListener("change", () => this.changed());
  }

  get dark(): boolean {
    const chosen = this.root.dataset["theme"];
    return chosen ? chosen === "dark" : this.media.matches;
  }

  /** Change to the other theme; when that is what the browser wishes anyway, follow the browser again. */
  toggle(): void {
    const next = this.dark ? "light" : "dark";
    const wished = this.media.matches ? "dark" : "light";
    this.set(next === wished ? null : next);
    try {
      if (next === wished) localStorage.removeItem(KEY);
      else localStorage.setItem(KEY, next);
    } catch {
      // Storage is switched off: the choice holds until the page is left.
    }
    this.changed();
  }

  onChange(watcher: () => void): void {
    this.watchers.push(watcher);
  }

  private set(theme: "light" | "dark" | null): void {
    if (theme) this.root.dataset["theme"] = theme;
    else delete this.root.dataset["theme"];
  }

  private changed(): void {
    this.palette = this.resolve();
    for (const watcher of this.watchers) watcher();
  }

  private resolve(): Palette {
    return {
      text: this.colour("--text"),
      quiet: this.colour("--quiet"),
      grid: this.colour("--grid"),
      surface: this.colour("--surface"),
      lines: Array.from({ length: LINES }, (_, index) => this.colour(`--line-${index + 1}`)),
    };
  }

  /** A custom property's colour as rgb(): light-dark() is only resolved where it is used. */
  private colour(property: string): string {
    this.probe.style.color = `var(${property})`;
    return getComputedStyle(this.probe).color;
  }
}

function stored(): "light" | "dark" | null {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : null;
  } catch {
    return null; // storage is switched off
  }
}

/** The same colour, less opaque. */
export function faded(colour: string, opacity: number): string {
  const parts = colour.match(/[\d.]+/g);
  return parts && parts.length >= 3 ? `rgb(${parts[0]} ${parts[1]} ${parts[2]} / ${opacity})` : colour;
}
