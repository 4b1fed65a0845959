import { describe, expect, it } from "vitest";
import { HouseClock, RANGES, rangeOf, stepFor } from "../src/ranges";

describe("ranges", () => {
  it("falls back to the first", () => expect(rangeOf("nonsense").id).toBe("5m"));

  it("asks for at most some hundreds of rows", () => {
    for (const range of RANGES) expect(range.seconds / (range.step || 1)).toBeLessThanOrEqual(400);
  });

  it("steps by whole intervals of a series", () => {
    expect(stepFor(rangeOf("5m"), 10)).toBe(0);
    expect(stepFor(rangeOf("15m"), 10)).toBe(10);
    expect(stepFor(rangeOf("1h"), 10)).toBe(20);
    expect(stepFor(rangeOf("1h"), 0)).toBe(15);
  });
});

describe("HouseClock", () => {
  it("carries the house's time on", () => {
    let ticks = 100;
    const clock = new HouseClock(() => ticks);
    clock.hear(5000);
    ticks = 102.5;
    expect(clock.now()).toBe(5002.5);
  });

  it("is not put back by one late answer", () => {
    let ticks = 0;
    const clock = new HouseClock(() => ticks);
    clock.hear(1000);
    ticks = 3;
    clock.hear(1002); // a second under way
    expect(clock.now()).toBeCloseTo(1002.95);
  });

  it("follows a clock that was set", () => {
    let ticks = 0;
    const clock = new HouseClock(() => ticks);
    clock.hear(1000);
    ticks = 1;
    clock.hear(400);
    expect(clock.now()).toBe(400);
  });
});
