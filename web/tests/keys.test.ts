import { describe, expect, it } from "vitest";
import { exactGlob, groupOf, identity, readHash, seriesKey, tagText, writeHash } from "../src/keys";

const NASTY = ["<img src=x onerror=alert(1)>", "__proto__", "a;b=c&d#e%f", "\u202eשלום", "100 %", "a=b"];

describe("seriesKey", () => {
  it("is the same whatever the order of the tags", () => {
    expect(identity(seriesKey("a", { x: "1", b: "2" }))).toBe(identity(seriesKey("a", { b: "2", x: "1" })));
  });

  it("tells apart what a joined text would not", () => {
    expect(identity(seriesKey("a", { b: "c,d=e" }))).not.toBe(identity(seriesKey("a", { b: "c", d: "e" })));
  });

  it("takes __proto__ for a tag like any other", () => {
    const tags = JSON.parse('{"__proto__": "x", "constructor": "y"}') as Record<string, string>;
    expect(tagText(seriesKey("a", tags))).toBe("__proto__=x, constructor=y");
    expect(Object.prototype).not.toHaveProperty("x");
  });
});

describe("the address", () => {
  it("keeps range and series", () => {
    const choice = {
      range: "1h",
      pins: [seriesKey("shop.orders", {}), seriesKey("shop.time", { shop: "berlin", a: "" })],
    };
    const hash = writeHash(choice, "5m");
    expect(hash).toBe("range=1h&pin=shop.orders&pin=shop.time;a=;shop=berlin");
    expect(readHash(`#${hash}`, "5m")).toEqual(choice);
  });

  it.each(NASTY)("keeps %s", (name) => {
    const choice = { range: "5m", pins: [seriesKey(name, { [`k${name}`]: name })] };
    expect(readHash(writeHash(choice, "5m"), "5m")).toEqual(choice);
  });

  it("says nothing of the usual", () => expect(writeHash({ range: "5m", pins: [] }, "5m")).toBe(""));

  it("leaves out what is broken or said twice", () => {
    const read = readHash("#pin=%E0%A4%A&pin=a&pin=a&nonsense&pin=", "5m");
    expect(read).toEqual({ range: "5m", pins: [{ name: "a", tags: [] }] });
  });
});

describe("exactGlob", () => {
  it("puts what a glob would read into brackets", () => expect(exactGlob("a*b?c[d]")).toBe("a[*]b[?]c[[]d]"));
  it("leaves plain names alone", () => expect(exactGlob("shop.orders-1_x")).toBe("shop.orders-1_x"));
});

describe("groupOf", () => {
  it.each([
    ["shop.orders", "shop"],
    ["plain", "plain"],
    [".hidden.a", ".hidden.a"],
  ])("%s is in %s", (name, group) => expect(groupOf(name)).toBe(group));
});
