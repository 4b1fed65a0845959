// Which series is meant: identity, globs that match one name only, and the choice kept in the address. Pure.
import type { Tags } from "./types";

/** A series: its name and its tags. */
export interface SeriesKey {
  readonly name: string;
  readonly tags: readonly (readonly [string, string])[];
}

/** What the address says after the '#'. */
export interface Choice {
  range: string;
  pins: SeriesKey[];
}

export function seriesKey(name: string, tags: Tags): SeriesKey {
  const pairs = Object.entries(tags).map(([key, value]) => [key, value] as const);
  return { name, tags: pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) };
}

/** A text that is the same for the same series only. */
export function identity(key: SeriesKey): string {
  return JSON.stringify([key.name, ...key.tags]);
}

/** A glob that matches exactly this text: `*`, `?` and `[` stand in brackets. */
export function exactGlob(text: string): string {
  return text.replace(/[*?[]/g, "[$&]");
}

/** Tags as people write them: host=a, shop=b. */
export function tagText(key: SeriesKey): string {
  return key.tags.map(([name, value]) => (value === "" ? name : `${name}=${value}`)).join(", ");
}

/** The first part of a dotted name, under which the browser groups it. */
export function groupOf(name: string): string {
  const dot = name.indexOf(".");
  return dot > 0 ? name.slice(0, dot) : name;
}

const encode = (text: string): string => encodeURIComponent(text);

/** The part of the address after '#': range=1h&pin=shop.orders;shop=berlin */
export function writeHash(choice: Choice, defaultRange: string): string {
  const parts = choice.range === defaultRange ? [] : [`range=${encode(choice.range)}`];
  for (const pin of choice.pins) {
    parts.push(
      `pin=${[encode(pin.name), ...pin.tags.map(([key, value]) => `${encode(key)}=${encode(value)}`)].join(";")}`,
    );
  }
  return parts.join("&");
}

/** Read what `writeHash` wrote; what does not make sense is left out. */
export function readHash(hash: string, defaultRange: string): Choice {
  const choice: Choice = { range: defaultRange, pins: [] };
  const seen = new Set<string>();
  for (const part of hash.replace(/^#/, "").split("&")) {
    const at = part.indexOf("=");
    const value = part.slice(at + 1);
    try {
      if (part.startsWith("range=")) choice.range = decodeURIComponent(value);
      else if (part.startsWith("pin=") && value !== "") {
        const pin = readPin(value);
        if (!seen.has(identity(pin))) choice.pins.push(pin);
        seen.add(identity(pin));
      }
    } catch {
      // A broken % escape: someone edited the address by hand. The rest of it still counts.
    }
  }
  return choice;
}

function readPin(text: string): SeriesKey {
  const [name = "", ...rest] = text.split(";");
  const tags = rest.map((pair): [string, string] => {
    const at = pair.indexOf("=");
    return at < 0
      ? [decodeURIComponent(pair), ""]
      : [decodeURIComponent(pair.slice(0, at)), decodeURIComponent(pair.slice(at + 1))];
  });
  tags.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return { name: decodeURIComponent(name), tags };
}
