// Numbers as people read them: three figures, a prefix, a unit. Pure functions.

const THIN = "\u202f"; // narrow no-break space, between number and unit
const SI = ["", "k", "M", "G", "T", "P", "E"];
const BINARY = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const MINUTES = [60, "min", 1, "s"] as const;
const HOURS = [3600, "h", 60, "min"] as const;
const DAYS = [86400, "d", 3600, "h"] as const;

/** A number with three significant figures, without a trailing ".0". */
export function figures(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e21 || size < 1e-6) return value.toExponential(2);
  if (size >= 100) return String(Math.round(value));
  const text = value.toPrecision(3);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

/** A whole number in full, its thousands apart: 12 345. */
export function grouped(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = String(Math.round(Math.abs(value)));
  const text = digits.replace(/\B(?=(\d{3})+$)/g, THIN);
  return value < 0 && digits !== "0" ? `−${text}` : text;
}

/** A number with the prefix of a power of `base`, and the prefix itself. */
function scaled(value: number, base: number, prefixes: readonly string[]): [string, string] {
  let size = Math.abs(value);
  let power = 0;
  // What would be rounded up to the base takes the next prefix: 999.9 k is 1 M.
  while (power < prefixes.length - 1 && size >= base - 0.5) {
    size /= base;
    power += 1;
  }
  return [figures(Math.sign(value) * size), prefixes[power] ?? ""];
}

function si(value: number, unit: string): string {
  const [number, prefix] = scaled(value, 1000, SI);
  return prefix + unit === "" ? number : number + THIN + prefix + unit;
}

/** Seconds in the unit that reads best: 1.2 ms, 3 s, 2 h 5 min. */
export function duration(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return `0${THIN}s`;
  if (size < 1e-3) return `${figures(seconds * 1e6)}${THIN}µs`;
  if (size < 1) return `${figures(seconds * 1e3)}${THIN}ms`;
  if (size < 60) return `${figures(seconds)}${THIN}s`;
  const [unit, name, part, partName] = size < 3600 ? MINUTES : size < 86400 ? HOURS : DAYS;
  const whole = Math.floor(size / unit);
  const rest = Math.floor((size - whole * unit) / part);
  const text = `${whole}${THIN}${name}` + (rest ? ` ${rest}${THIN}${partName}` : "");
  return seconds < 0 ? `−${text}` : text;
}

/** A value with its unit: a UCUM code where there is one (By, By/s, %, s, Cel); others are shown as they are. */
export function quantity(value: number, unit: string): string {
  if (!Number.isFinite(value)) return "–";
  switch (unit) {
    case "":
    case "1":
      return si(value, "");
    case "By": {
      const [number, prefix] = scaled(value, 1024, BINARY);
      return `${number}${THIN}${prefix}`;
    }
    case "By/s":
      return si(value, "B/s");
    case "%":
      return `${figures(Math.abs(value) < 0.01 ? 0 : value)}${THIN}%`;
    case "Cel":
      return `${figures(value)}${THIN}°C`;
    case "s":
      return duration(value);
    case "ms":
      return duration(value / 1e3);
    case "us":
      return duration(value / 1e6);
    case "ns":
      return duration(value / 1e9);
    default:
      return si(value, unit.startsWith("1/") ? unit.slice(1) : unit);
  }
}

/** Text of the marks of an axis: like `quantity`, and never two marks alike. */
export function axisTexts(marks: readonly number[], unit: string): string[] {
  const texts = marks.map((mark) => quantity(mark, unit));
  return new Set(texts).size === texts.length ? texts : marks.map((mark) => String(Number(mark.toPrecision(6))));
}

const two = (value: number): string => String(value).padStart(2, "0");

/** Time of day with seconds, and the day when it is not today. */
export function moment(unix: number, now: number): string {
  const date = new Date(unix * 1000);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return date.toDateString() === new Date(now * 1000).toDateString() ? text : `${day(date)} ${text}`;
}

function day(date: Date): string {
  return date.toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** Text of a time axis: as fine as the marks are apart, the day at midnight. */
export function timeMark(unix: number, apart: number): string {
  const date = new Date(unix * 1000);
  const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
  if (midnight && apart >= 60) return day(date);
  const text = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return apart < 60 ? `${text}:${two(date.getSeconds())}` : text;
}

/** "3 s ago", or "now" within two seconds. */
export function ago(seconds: number): string {
  return seconds < 2 ? "now" : `${duration(Math.floor(seconds))} ago`;
}
