// Which of the host's series make which chart. Plain data: a new chart is one more entry.
import type { ChartOptions, LineSpec } from "./chart";
import { quantity } from "./format";
import type { Tags } from "./types";

/** What the chart's headline may use: the latest value of a line, or of a number that is no line. */
export type Latest = (id: string) => number | undefined;

export interface HostChart {
  readonly options: ChartOptions;
  /** A glob over names for the question, and globs over tags. */
  readonly series: string;
  readonly tags?: readonly (readonly [string, string])[];
  /** The line that a point belongs to; a line whose id begins with "=" is a number for headline and top only. */
  line(name: string, tags: Tags): LineSpec | null;
  /** What is drawn for a value. */
  value?(value: number): number;
  headline?(latest: Latest, ids: readonly string[]): string;
  top?(latest: Latest): number | null;
  /** Lines that have only been 0 are left out, so that the legend says what is going on. */
  readonly omitZero?: boolean;
  /** Not shown while this says so, although there are lines. */
  pointless?(latest: Latest): boolean;
}

const STATES = ["user", "system", "iowait", "nice", "irq", "softirq", "steal"];
const RESOURCES = ["cpu", "memory", "io"];

const sum = (latest: Latest, ids: readonly string[]): number => ids.reduce((total, id) => total + (latest(id) ?? 0), 0);

/** A chart whose lines are names below a prefix: name → [label, order]; "=total" is a number. */
function byName(prefix: string, names: Readonly<Record<string, readonly [string, number]>>): HostChart["line"] {
  const known = new Map(Object.entries(names));
  return (name) => {
    if (!name.startsWith(prefix)) return null;
    const id = name.slice(prefix.length);
    const found = known.get(id);
    if (!found) return null;
    const [label, order] = found;
    return { id: label.startsWith("=") ? label : id, label, order };
  };
}

/** Two directions per device: the series' ending says which. */
function directions(prefix: string, tag: string, words: readonly (readonly [string, string])[]): HostChart["line"] {
  return (name, tags) => {
    const at = words.findIndex(([ending]) => name === `${prefix}.${ending}_bytes_per_second`);
    const word = words[at];
    const device = Object.hasOwn(tags, tag) ? tags[tag] : undefined;
    if (!word || device === undefined) return null;
    return { id: `${word[1]} ${device}`, label: `${device} ${word[1]}`, order: (device === "lo" ? 10 : 0) + at };
  };
}

const own = (tags: Tags, key: string): string | undefined => (Object.hasOwn(tags, key) ? tags[key] : undefined);

/** The sum of each direction over all devices; what a host sends to itself is not traffic. */
const both = (words: readonly string[]): NonNullable<HostChart["headline"]> => {
  return (latest, ids) => {
    const told = words.map((word) => {
      const mine = ids.filter((id) => id.startsWith(`${word} `) && id !== `${word} lo`);
      return `${word} ${quantity(sum(latest, mine), "By/s")}`;
    });
    return told.join(" · ");
  };
};

const part = (of: Latest, used: string, total: string, unit: string): string => {
  const most = of(total);
  const now = of(used);
  if (now === undefined) return "";
  return most === undefined ? quantity(now, unit) : `${quantity(now, unit)} of ${quantity(most, unit)}`;
};

export const HOST_CHARTS: readonly HostChart[] = [
  {
    options: { title: "CPU", paint: "stack", unit: "%" },
    series: "host.cpu.percent",
    tags: [["cpu", "all"]],
    line: (name, tags) => {
      const state = own(tags, "state");
      if (name !== "host.cpu.percent" || own(tags, "cpu") !== "all" || !state) return null;
      if (state === "idle") return { id: "=idle", label: "", order: 0 };
      const order = STATES.indexOf(state);
      return { id: state, label: state, order: order < 0 ? STATES.length : order };
    },
    headline: (latest) => quantity(Math.max(0, 100 - (latest("=idle") ?? 100)), "%"),
    top: () => 100,
    omitZero: true,
  },
  {
    options: { title: "Processors", paint: "heat", unit: "%" },
    series: "host.cpu.percent",
    tags: [["state", "idle"]],
    line: (name, tags) => {
      const cpu = own(tags, "cpu");
      if (name !== "host.cpu.percent" || own(tags, "state") !== "idle" || !cpu || cpu === "all") return null;
      return { id: cpu, label: `cpu ${cpu}`, order: Number(cpu) };
    },
    value: (idle) => Math.max(0, 100 - idle),
    headline: (_latest, ids) => `${ids.length}`,
  },
  {
    options: { title: "Load", paint: "lines", unit: "1" },
    series: "host.load*",
    line: byName("host.load", { "1": ["1 min", 0], "5": ["5 min", 1], "15": ["15 min", 2] }),
    headline: (latest) => quantity(latest("1") ?? NaN, "1"),
  },
  {
    options: { title: "Memory", paint: "lines", unit: "By", filled: ["used_bytes"] },
    series: "host.memory.*",
    line: byName("host.memory.", {
      used_bytes: ["used", 0],
      available_bytes: ["available", 1],
      cached_bytes: ["cached", 2],
      total_bytes: ["=total", 9],
    }),
    headline: (latest) => part(latest, "used_bytes", "=total", "By"),
    top: (latest) => latest("=total") ?? null,
  },
  {
    options: { title: "Swap", paint: "lines", unit: "By", filled: ["used_bytes"] },
    series: "host.swap.*",
    line: byName("host.swap.", { used_bytes: ["used", 0], total_bytes: ["=total", 9] }),
    headline: (latest) => part(latest, "used_bytes", "=total", "By"),
    top: (latest) => latest("=total") ?? null,
    pointless: (latest) => latest("=total") === 0,
  },
  {
    options: { title: "Disk", paint: "lines", unit: "By/s" },
    series: "host.disk.*_bytes_per_second",
    line: directions("host.disk", "device", [
      ["read", "read"],
      ["write", "written"],
    ]),
    headline: both(["read", "written"]),
  },
  {
    options: { title: "Network", paint: "lines", unit: "By/s" },
    series: "host.network.*_bytes_per_second",
    line: directions("host.network", "interface", [
      ["receive", "in"],
      ["transmit", "out"],
    ]),
    headline: both(["in", "out"]),
  },
  {
    options: { title: "Pressure", paint: "lines", unit: "%" },
    series: "host.pressure.*",
    line: (name, tags) => {
      const resource = own(tags, "resource");
      const full = name === "host.pressure.full_percent";
      if (!resource || (!full && name !== "host.pressure.some_percent")) return null;
      const label = full ? `${resource}, all tasks` : resource;
      return {
        id: `${full ? "full" : "some"} ${resource}`,
        label,
        order: RESOURCES.indexOf(resource) + (full ? 5 : 0),
      };
    },
    headline: (latest, ids) => quantity(Math.max(0, ...ids.map((id) => latest(id) ?? 0)), "%"),
    omitZero: true,
  },
  {
    options: { title: "Open files", paint: "lines", unit: "1", filled: ["open"], zero: false },
    series: "host.file_descriptors.*",
    line: byName("host.file_descriptors.", { open: ["open", 0], limit: ["=limit", 9] }),
    headline: (latest) => part(latest, "open", "=limit", "1"),
  },
  {
    options: { title: "Control group memory", paint: "lines", unit: "By", filled: ["memory_used_bytes"] },
    series: "host.cgroup.memory_*",
    line: byName("host.cgroup.", { memory_used_bytes: ["used", 0], memory_limit_bytes: ["=limit", 9] }),
    headline: (latest) => part(latest, "memory_used_bytes", "=limit", "By"),
    top: (latest) => latest("=limit") ?? null,
  },
  {
    options: { title: "Control group processors", paint: "lines", unit: "1", filled: ["cpu_used_cores"] },
    series: "host.cgroup.cpu_*",
    line: byName("host.cgroup.", { cpu_used_cores: ["used", 0], cpu_limit_cores: ["=limit", 9] }),
    headline: (latest) => part(latest, "cpu_used_cores", "=limit", "1"),
    top: (latest) => latest("=limit") ?? null,
  },
  {
    options: { title: "Temperature", paint: "lines", unit: "Cel", zero: false },
    series: "host.temperature_celsius",
    line: (name, tags) => {
      const sensor = own(tags, "sensor");
      return name === "host.temperature_celsius" && sensor ? { id: sensor, label: sensor, order: 0 } : null;
    },
    headline: (latest, ids) => quantity(Math.max(...ids.map((id) => latest(id) ?? -Infinity)), "Cel"),
  },
];
