// Server-sent events, read from bytes as they come. Pure: no network.
// By hand and not by EventSource, which can send no token and does not say how it fares.

export interface ServerEvent {
  event: string;
  data: string;
  id: string;
}

/** Cuts a text stream into events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class EventParser {
  private rest = "";
  private data: string[] = [];
  private event = "";
  private id = "";

  /** Return the events that are complete with this piece. */
  feed(piece: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    this.rest += piece;
    // A line may end in CR LF; a CR at the very end may be half of that, so it waits for the next piece.
    const ends = /\r\n|\n|\r(?!$)/g;
    let start = 0;
    for (let end = ends.exec(this.rest); end; end = ends.exec(this.rest)) {
      const done = this.line(this.rest.slice(start, end.index));
      if (done) found.push(done);
      start = ends.lastIndex;
    }
    this.rest = this.rest.slice(start);
    return found;
  }

  private line(line: string): ServerEvent | null {
    if (line === "") return this.finish();
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") this.data.push(value);
    else if (name === "event") this.event = value;
    else if (name === "id" && !value.includes("\0")) this.id = value;
    return null; // comments (an empty name) and unknown fields are left out
  }

  private finish(): ServerEvent | null {
    const event = { event: this.event || "message", data: this.data.join("\n"), id: this.id };
    const empty = this.data.length === 0;
    this.data = [];
    this.event = "";
    return empty ? null : event;
  }
}

/** Seconds to wait before the next try: doubled up to `most`, spread so that many pages do not come at once. */
export function backOff(failures: number, random: number, most = 15): number {
  const full = Math.min(most, 0.5 * 2 ** Math.max(0, failures - 1));
  return full * (0.75 + 0.5 * random);
}
