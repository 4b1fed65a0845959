// The JSON of the house's HTTP API, as far as the page reads it.

export type Tags = Readonly<Record<string, string>>;
export type Kind = "counter" | "gauge" | "timer" | "set" | "";

export interface Row {
  time: number;
  value: number | string;
}

export interface SeriesRows {
  name: string;
  tags: Tags;
  field: string;
  unit: string;
  kind: Kind;
  rows: Row[];
}

export interface QueryAnswer {
  series: SeriesRows[];
  truncated: boolean;
}

export interface SeriesInfo {
  name: string;
  tags: Tags;
  kind: Kind;
  fields: string[];
  unit: string;
  description: string;
  first_time: number;
  last_time: number;
}

export interface SeriesPage {
  series: SeriesInfo[];
  total: number;
}

export interface LivePoint {
  name: string;
  tags: Tags;
  kind: Kind;
  field: string;
  unit: string;
  time: number;
  value: number | string;
  partial: boolean;
}

export interface Tiles {
  time: number;
  series_live: number;
  samples_per_second: number;
  lost: number;
  stored: number;
  kernel_drops: number;
  uptime_seconds: number;
  memory_bytes: number;
  residual: number;
}

export interface TopSeries {
  name: string;
  tags: Tags;
  kind: Kind;
  unit: string;
  time: number;
  fields: Readonly<Record<string, number | string>>;
}

export interface Top {
  time: number;
  interval_start: number;
  series: TopSeries[];
}

export interface Process {
  pid: number;
  name: string;
  user: string;
  cpu_percent: number;
  memory_bytes: number;
}

export interface Processes {
  time: number;
  by_cpu: Process[];
  by_memory: Process[];
}

export interface BackendStatus {
  name: string;
  url: string;
  stored: number;
  rejected: number;
  dropped: number;
  lag_batches: number;
  lag_rows: number;
  lag_seconds: number;
  state: string;
  last_error: string;
}

export interface Status {
  version: string;
  started: number;
  uptime_seconds: number;
  now: number;
  url: string;
  ready: boolean;
  problems: string[];
  doors: { door: string; address: string; kernel_drops: number }[];
  ledger: { dropped: Readonly<Record<string, number>>; residual: number };
  kernel_drops: number;
  lost: number;
  refused_series: number;
  rejects: Readonly<Record<string, { count: number; last: string | null; meaning: string }>>;
  flush: { every_seconds: number; last_seconds: number; last_rows: number; last_time: number | null };
  spool: {
    batches: number;
    rows: number;
    bytes: number;
    oldest_seconds: number;
    free_bytes: number;
    shedding: boolean;
  };
  backends: BackendStatus[];
  memory_bytes: number;
  cpu_percent: number;
}
