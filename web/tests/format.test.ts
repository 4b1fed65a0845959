import { describe, expect, it } from "vitest";
import { ago, axisTexts, duration, figures, grouped, quantity } from "../src/format";

/** Spaces of all kinds become plain ones, so that the tests can be read. */
const plain = (text: string): string => text.replace(/\s/g, " ");

describe("figures", () => {
  it.each([
    [0, "0"],
    [1, "1"],
    [1.5, "1.5"],
    [3.14159, "3.14"],
    [99.96, "100"],
    [123.4, "123"],
    [100, "100"],
    [-2.5, "-2.5"],
    [0.00123, "0.00123"],
    [1e-9, "1.00e-9"],
  ])("%d is %s", (value, text) => expect(figures(value)).toBe(text));
});

describe("quantity", () => {
  it.each([
    [1234, "", "1.23 k"],
    [999.9, "", "1 k"],
    [999_999, "1", "1 M"],
    [1536, "By", "1.5 KiB"],
    [0, "By", "0 B"],
    [24 * 2 ** 30, "By", "24 GiB"],
    [5_800_000, "By/s", "5.8 MB/s"],
    [42.25, "%", "42.3 %"],
    [51.5, "Cel", "51.5 °C"],
    [1500, "ms", "1.5 s"],
    [0.25, "s", "250 ms"],
    [2500, "us", "2.5 ms"],
    [12_000, "1/s", "12 k/s"],
    [3, "orders", "3 orders"],
    [-1500, "", "-1.5 k"],
    [Number.NaN, "By", "–"],
    [Number.POSITIVE_INFINITY, "", "–"],
  ])("%d of unit '%s' is %s", (value, unit, text) => expect(plain(quantity(value, unit))).toBe(text));
});

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [0.0031, "3.1 ms"],
    [0.0000042, "4.2 µs"],
    [59.4, "59.4 s"],
    [60, "1 min"],
    [125, "2 min 5 s"],
    [3600, "1 h"],
    [7500, "2 h 5 min"],
    [90_000, "1 d 1 h"],
    [-125, "−2 min 5 s"],
  ])("%d s is %s", (seconds, text) => expect(plain(duration(seconds))).toBe(text));
});

describe("grouped", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [1000, "1 000"],
    [1_234_567, "1 234 567"],
    [-1234, "−1 234"],
    [Number.NaN, "–"],
  ])("%d is %s", (value, text) => expect(plain(grouped(value))).toBe(text));
});

describe("axisTexts", () => {
  it("uses prefixes while they tell the marks apart", () => {
    expect(axisTexts([0, 500, 1000], "").map(plain)).toEqual(["0", "500", "1 k"]);
  });

  it("writes numbers out when they would look alike", () => {
    expect(axisTexts([100_100, 100_200], "")).toEqual(["100100", "100200"]);
  });
});

describe("ago", () => {
  it("says now for what has just been", () => expect(ago(1.4)).toBe("now"));
  it("counts whole seconds", () => expect(plain(ago(7.8))).toBe("7 s ago"));
});
