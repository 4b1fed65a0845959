import { describe, expect, it } from "vitest";
import { EventParser, backOff } from "../src/sse";

function parse(...pieces: string[]): string[] {
  const parser = new EventParser();
  return pieces.flatMap((piece) => parser.feed(piece)).map((event) => `${event.event}:${event.data}`);
}

describe("EventParser", () => {
  it("reads events", () => {
    expect(parse("event: status\ndata: {}\n\nevent: points\ndata: 1\n\n")).toEqual(["status:{}", "points:1"]);
  });

  it("reads events cut anywhere", () => {
    const text = "id: 7\r\nevent: status\r\ndata: a\r\ndata: b\r\n\r\ndata:c\n\n";
    const whole = parse(text);
    expect(whole).toEqual(["status:a\nb", "message:c"]);
    for (let cut = 1; cut < text.length; cut += 1) expect(parse(text.slice(0, cut), text.slice(cut))).toEqual(whole);
    expect(parse(...text)).toEqual(whole);
  });

  it("passes over comments and events without data", () => {
    expect(parse(": ping\n\nevent: empty\n\ndata: x\n\n")).toEqual(["message:x"]);
  });

  it("waits for the blank line", () => expect(parse("data: half\n")).toEqual([]));

  it("keeps the id", () => {
    expect(new EventParser().feed("id: 42\ndata: x\n\n")[0]?.id).toBe("42");
  });
});

describe("backOff", () => {
  it("doubles and stops growing", () => {
    expect([1, 2, 3, 4, 5, 6, 20].map((failures) => backOff(failures, 0.5))).toEqual([0.5, 1, 2, 4, 8, 15, 15]);
  });

  it("spreads by a quarter each way", () => {
    expect(backOff(2, 0)).toBe(0.75);
    expect(backOff(2, 1)).toBe(1.25);
  });
});
