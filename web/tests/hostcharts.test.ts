import { describe, expect, it } from "vitest";
import { HOST_CHARTS } from "../src/hostcharts";
import type { Tags } from "../src/types";

/** Titles of the charts that show a series, with the line's label. */
function shownIn(name: string, tags: Tags = {}): string[] {
  return HOST_CHARTS.flatMap((chart) => {
    const line = chart.line(name, tags);
    return line ? [`${chart.options.title}: ${line.label || line.id}`] : [];
  });
}

describe("the host's charts", () => {
  it.each<[string, Tags, string[]]>([
    ["host.cpu.percent", { cpu: "all", state: "user", host: "a" }, ["CPU: user"]],
    ["host.cpu.percent", { cpu: "all", state: "idle" }, ["CPU: =idle"]],
    ["host.cpu.percent", { cpu: "3", state: "idle" }, ["Processors: cpu 3"]],
    ["host.cpu.percent", { cpu: "3", state: "user" }, []],
    ["host.load15", {}, ["Load: 15 min"]],
    ["host.memory.total_bytes", {}, ["Memory: =total"]],
    ["host.memory.used_bytes", {}, ["Memory: used"]],
    ["host.swap.used_bytes", {}, ["Swap: used"]],
    ["host.disk.read_bytes_per_second", { device: "vda" }, ["Disk: vda read"]],
    ["host.network.transmit_bytes_per_second", { interface: "eth0" }, ["Network: eth0 out"]],
    ["host.network.receive_packets_per_second", { interface: "eth0" }, []],
    ["host.pressure.full_percent", { resource: "io" }, ["Pressure: io, all tasks"]],
    ["host.file_descriptors.open", {}, ["Open files: open"]],
    ["host.cgroup.memory_used_bytes", {}, ["Control group memory: used"]],
    ["host.cgroup.cpu_limit_cores", {}, ["Control group processors: =limit"]],
    ["host.temperature_celsius", { sensor: "coretemp 0" }, ["Temperature: coretemp 0"]],
    ["shop.orders", {}, []],
    ["host.load.__proto__", {}, []],
    ["host.memory.constructor", {}, []],
  ])("%s %j is in %j", (name, tags, charts) => expect(shownIn(name, tags)).toEqual(charts));

  it("shows busy time where idle time is kept", () => {
    const processors = HOST_CHARTS.find((chart) => chart.options.title === "Processors");
    expect([processors?.value?.(30), processors?.value?.(101)]).toEqual([70, 0]);
  });

  it("does not count traffic of the host with itself", () => {
    const network = HOST_CHARTS.find((chart) => chart.options.title === "Network");
    const text = network?.headline?.((id) => (id === "in eth0" ? 1000 : 5_000_000), ["in eth0", "in lo"]);
    expect(text?.replace(/\s/g, " ")).toBe("in 1 kB/s · out 0 B/s");
  });

  it("does not show swap where there is none", () => {
    const swap = HOST_CHARTS.find((chart) => chart.options.title === "Swap");
    expect(swap?.pointless?.(() => 0)).toBe(true);
    expect(swap?.pointless?.(() => 2 ** 30)).toBe(false);
  });
});
