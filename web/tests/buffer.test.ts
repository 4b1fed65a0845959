import { describe, expect, it } from "vitest";
import { Buffer, align, stacked } from "../src/buffer";

function buffer(...rows: [number, number][]): Buffer {
  const made = new Buffer();
  for (const [time, value] of rows) made.put(time, value);
  return made;
}

describe("Buffer", () => {
  it("keeps rows in order of time, whatever the order of arrival", () => {
    const made = buffer([10, 1], [30, 3], [20, 2]);
    expect(made.times).toEqual([10, 20, 30]);
    expect(made.values).toEqual([1, 2, 3]);
    expect(made.last).toBe(3);
  });

  it("replaces a row that comes again", () => {
    const made = buffer([10, 1], [10, 5]);
    expect(made.times).toEqual([10]);
    expect(made.last).toBe(5);
  });

  it("marks the running interval until its finished row comes", () => {
    const made = buffer([10, 7]);
    made.put(20, 1, true);
    expect([made.partial, made.finished]).toEqual([20, 7]);
    made.put(20, 4);
    expect([made.partial, made.finished]).toEqual([null, 4]);
  });

  it("keeps the mark when an older row arrives late", () => {
    const made = buffer();
    made.put(20, 1, true);
    made.put(10, 9);
    expect(made.partial).toBe(20);
  });

  it("forgets rows before the start, but for the one that leads in", () => {
    const made = buffer([10, 1], [20, 2], [30, 3], [40, 4]);
    made.trim(35);
    expect(made.times).toEqual([30, 40]);
    made.trim(100);
    expect(made.times).toEqual([40]);
  });

  it("finds the row at or before a time, but not one from too long before", () => {
    const made = buffer([10, 1], [20, 2]);
    expect(made.at(20, 5)).toBe(2);
    expect(made.at(14, 5)).toBe(1);
    expect(made.at(16, 5)).toBeUndefined();
    expect(made.at(9, 5)).toBeUndefined();
  });

  it("knows the usual distance of its rows", () => {
    expect(buffer([0, 1], [10, 1], [20, 1], [90, 1]).interval()).toBe(10);
    expect(buffer([0, 1]).interval()).toBe(0);
  });
});

describe("align", () => {
  it("puts lines on one axis and leaves open where only others have a row", () => {
    const [times, first, second] = align([buffer([1, 10], [3, 30]), buffer([2, 20], [3, 33])]);
    expect(times).toEqual([1, 2, 3]);
    expect(first).toEqual([10, undefined, 30]);
    expect(second).toEqual([undefined, 20, 33]);
  });

  it("breaks a line where its rows stop for long", () => {
    const [times, line] = align([buffer([0, 1], [1, 1], [2, 1], [12, 1], [13, 1], [14, 1])]);
    expect(times).toContain(7);
    expect(line?.[times.indexOf(7)]).toBeNull();
  });

  it("does not break a line of even rows", () => {
    const [, line] = align([buffer([0, 1], [10, 2], [20, 3], [31, 4])]);
    expect(line).toEqual([1, 2, 3, 4]);
  });

  it("is empty without rows", () => {
    expect(align([new Buffer(), new Buffer()])).toEqual([[], [], []]);
    expect(align([])).toEqual([[]]);
  });
});

describe("stacked", () => {
  it("puts each line on those before it", () => {
    expect(
      stacked([
        [1, 2],
        [3, undefined],
        [5, 5],
      ]),
    ).toEqual([
      [1, 2],
      [4, 2],
      [9, 7],
    ]);
  });

  it("keeps gaps", () => {
    expect(
      stacked([
        [1, null, 1],
        [1, null, 1],
      ]),
    ).toEqual([
      [1, null, 1],
      [2, null, 2],
    ]);
  });
});
