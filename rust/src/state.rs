//! What the aggregator's lock guards: the live series, the running interval, and the counts.

use std::collections::VecDeque;

use crate::directory::{Directory, Hot, NONE, Place, SeriesLimits};
use crate::intake::Dialect;
use crate::interval::{Gauge, Interval, Timed, cell};
use crate::kind::Kind;
use crate::parser::{Limits, Line, Now, Op, Sample};
use crate::reason::Reason;
use crate::refused::Refused;
use crate::sketch::saturating;

/// Rows with a time of their own that an interval holds at most.
pub const MAX_TIMED: usize = 100_000;

/// Bytes of a rejected line that are kept to be shown.
const SHOWN_BYTES: usize = 256;

/// Cumulative counts; see `Aggregator.counters` in `_core.pyi`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Samples that came in.
    pub received: u64,
    /// Samples that were folded.
    pub accepted: u64,
    /// Rows that samples opened; all other accepted samples were merged.
    pub opened: u64,
    /// Rows handed over.
    pub flushed: u64,
    /// Rows handed over that no sample made.
    pub carried: u64,
    /// Samples that went to an overflow series.
    pub overflowed: u64,
    /// Series that were forgotten.
    pub expired: u64,
}

/// How long idle series live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// Of a gauge and its value.
    pub gauge_ns: i64,
    /// Of every other series.
    pub series_ns: i64,
}

/// Which intervals are so old that a series idle since then expires: all up to these.
#[derive(Clone, Copy, Debug, Default)]
pub struct Horizon {
    gauge: u32,
    series: u32,
}

impl Horizon {
    /// Say whether a gauge's value is too old to be sent again.
    #[must_use]
    pub const fn hides(self, gauge: &Gauge) -> bool {
        gauge.touched <= self.gauge
    }

    const fn ends(self, hot: &Hot) -> bool {
        hot.seen <= if matches!(hot.kind, Kind::Gauge) { self.gauge } else { self.series }
    }
}

/// All that changes.
#[derive(Debug)]
pub struct State {
    /// The live series.
    pub directory: Directory,
    /// The rows of the running interval.
    pub interval: Interval,
    /// All gauges.
    pub gauges: Vec<Gauge>,
    /// Number of the running interval, from 1.
    pub number: u32,
    /// Cumulative.
    pub counts: Counts,
    /// Samples over the series limits.
    pub refused: Refused,
    /// As of the last flush.
    horizon: Horizon,
    free_gauges: Vec<u32>,
    /// When past intervals were flushed, as far back as something may have lived.
    ends: VecDeque<(u32, i64)>,
    rejected: [(u64, Vec<u8>); Reason::ALL.len()],
    limits: Limits,
    series_limits: SeriesLimits,
    raw_key: Vec<u8>,
    canonical: String,
}

/// The series of a line's samples, as far as it is known.
#[derive(Clone, Copy)]
enum Target {
    Known(u32),
    /// Name and tags are right, but there is no series yet: the first good sample makes it.
    New {
        name_bytes: usize,
    },
}

impl State {
    /// Nothing yet.
    #[must_use]
    pub fn new(limits: Limits, series_limits: SeriesLimits) -> Self {
        Self {
            directory: Directory::default(),
            interval: Interval::default(),
            gauges: Vec::new(),
            number: 1,
            counts: Counts::default(),
            refused: Refused::default(),
            horizon: Horizon::default(),
            free_gauges: Vec::new(),
            ends: VecDeque::new(),
            rejected: std::array::from_fn(|_| (0, Vec::new())),
            limits,
            series_limits,
            raw_key: Vec::new(),
            canonical: String::new(),
        }
    }

    /// Parse and fold a line.
    #[inline]
    pub fn line(&mut self, text: &[u8], dialect: Dialect, now: &mut Now) {
        let found = Line::split(text, &self.limits).and_then(|line| Ok((line, self.target(&line)?)));
        let (line, mut target) = match found {
            Ok(found) => found,
            Err(reason) => {
                self.reject(reason, text);
                return;
            }
        };
        line.samples(dialect, now, &mut |sample| {
            let folded = sample.and_then(|sample| {
                let series = match target {
                    Target::Known(series) => series,
                    Target::New { name_bytes } => self.place(&line, name_bytes, sample.op.kind(), &mut target)?,
                };
                self.fold(series, sample)
            });
            match folded {
                Ok(()) => {
                    self.counts.received += 1;
                    self.counts.accepted += 1;
                }
                Err(reason) => self.reject(reason, text),
            }
        });
    }

    /// Count a rejected sample and keep its line to be shown.
    #[cold]
    pub fn reject(&mut self, reason: Reason, line: &[u8]) {
        self.counts.received += 1;
        if let Some((count, shown)) = self.rejected.get_mut(reason as usize) {
            *count += 1;
            shown.clear();
            shown.extend_from_slice(line.get(..SHOWN_BYTES).unwrap_or(line));
        }
    }

    /// Reasons with their counts and last lines.
    pub fn rejected(&self) -> impl Iterator<Item = (Reason, u64, &[u8])> {
        Reason::ALL
            .into_iter()
            .zip(&self.rejected)
            .filter(|(_, (count, _))| *count > 0)
            .map(|(reason, (count, line))| (reason, *count, line.as_slice()))
    }

    /// Find the line's series, or check that it may have one.
    #[inline]
    fn target(&mut self, line: &Line<'_>) -> Result<Target, Reason> {
        let found = if line.tags.is_empty() {
            self.directory.find(line.name)
        } else {
            set_raw_key(&mut self.raw_key, line);
            self.directory.find(&self.raw_key)
        };
        if let Some(series) = found {
            return Ok(Target::Known(series));
        }
        let name_bytes = line.identity(&self.limits, &self.series_limits.global_tags, &mut self.canonical)?;
        Ok(Target::New { name_bytes })
    }

    /// Make the line's series, or find the overflow series that takes the sample.
    #[cold]
    fn place(&mut self, line: &Line<'_>, name_bytes: usize, kind: Kind, target: &mut Target) -> Result<u32, Reason> {
        match self.directory.place(&self.canonical, name_bytes, kind, &self.series_limits)? {
            Place::Own(series) => {
                set_raw_key(&mut self.raw_key, line);
                if self.raw_key != self.canonical.as_bytes() && self.directory.has_text_room(&self.series_limits) {
                    self.directory.add_key(&self.raw_key, series);
                }
                *target = Target::Known(series);
                Ok(series)
            }
            // Not remembered: a sample of another kind in the same line goes to another overflow series.
            Place::Overflow(series) => {
                self.counts.overflowed += 1;
                self.refused.note(self.canonical.get(..name_bytes).unwrap_or_default(), &self.canonical);
                Ok(series)
            }
        }
    }

    #[inline]
    fn fold(&mut self, series: u32, sample: Sample<'_>) -> Result<(), Reason> {
        let now = self.number;
        let Some(hot) = self.directory.hot.get_mut(series as usize) else { return Err(Reason::QueueFull) };
        if hot.kind != sample.op.kind() {
            return Err(Reason::TypeConflict);
        }
        if let Some(time_ns) = sample.time_ns {
            return self.fold_timed(series, time_ns, sample);
        }
        hot.seen = now;
        let opened = match sample.op {
            Op::Counter(number) => {
                let (cell, opened) = cell(&mut self.interval.counters, hot, series, now).ok_or(Reason::QueueFull)?;
                cell.value = saturating(cell.value + number / sample.rate);
                opened
            }
            Op::Timer(number) => {
                let (cell, opened) = cell(&mut self.interval.timers, hot, series, now).ok_or(Reason::QueueFull)?;
                cell.value.add(number, 1.0 / sample.rate);
                opened
            }
            Op::Set(member) => {
                let (cell, opened) = cell(&mut self.interval.sets, hot, series, now).ok_or(Reason::QueueFull)?;
                cell.value.add(member.as_bytes());
                opened
            }
            Op::Gauge(number) => self.fold_gauge(series, number, false),
            Op::GaugeDelta(number) => self.fold_gauge(series, number, true),
        };
        self.counts.opened += u64::from(opened);
        Ok(())
    }

    fn fold_gauge(&mut self, series: u32, number: f64, delta: bool) -> bool {
        let now = self.number;
        let Some(hot) = self.directory.hot.get_mut(series as usize) else { return false };
        if hot.cell == NONE {
            let gauge = Gauge { series, touched: 0, samples: 0, value: 0.0 };
            hot.cell = self.free_gauges.pop().unwrap_or(u32::try_from(self.gauges.len()).unwrap_or(NONE));
            match self.gauges.get_mut(hot.cell as usize) {
                Some(free) => *free = gauge,
                None => self.gauges.push(gauge),
            }
        }
        let Some(gauge) = self.gauges.get_mut(hot.cell as usize) else { return false };
        let opened = gauge.touched != now;
        if opened {
            if self.horizon.hides(gauge) {
                gauge.value = 0.0;
            }
            gauge.touched = now;
            gauge.samples = 0;
            self.interval.gauges += 1;
        }
        gauge.samples = gauge.samples.saturating_add(1);
        gauge.value = if delta { saturating(gauge.value + number) } else { number };
        opened
    }

    #[cold]
    fn fold_timed(&mut self, series: u32, time_ns: i64, sample: Sample<'_>) -> Result<(), Reason> {
        let key = (series, time_ns);
        if self.interval.timed.len() >= MAX_TIMED && !self.interval.timed.contains_key(&key) {
            return Err(Reason::QueueFull);
        }
        if let Some(hot) = self.directory.hot.get_mut(series as usize) {
            hot.seen = self.number;
        }
        let timed = self.interval.timed.entry(key).or_insert_with(|| {
            self.counts.opened += 1;
            Timed { kind: sample.op.kind(), samples: 0, value: 0.0 }
        });
        timed.samples = timed.samples.saturating_add(1);
        timed.value = match sample.op {
            Op::Gauge(number) => number,
            Op::GaugeDelta(number) => saturating(timed.value + number),
            Op::Counter(number) | Op::Timer(number) => saturating(timed.value + number / sample.rate),
            Op::Set(_) => timed.value,
        };
        Ok(())
    }

    /// Begin the next interval. Returns the rows of the one that ended, the gauges' values, and what is too old.
    pub fn swap(&mut self, now_ns: i64, lifetimes: Lifetimes) -> (Interval, Vec<(Gauge, bool)>, Horizon) {
        // The clock may go backwards, lives do not.
        let now_ns = self.ends.back().map_or(now_ns, |last| last.1.max(now_ns));
        self.ends.push_back((self.number, now_ns));
        let until = |age_ns: i64| {
            let ended = self.ends.partition_point(|end| end.1 <= now_ns.saturating_sub(age_ns));
            // The interval that ends now has just been in use, whatever the lifetime.
            ended.checked_sub(1).and_then(|at| self.ends.get(at)).map_or(0, |end| end.0.min(self.number - 1))
        };
        let horizon = Horizon { gauge: until(lifetimes.gauge_ns), series: until(lifetimes.series_ns) };
        let oldest = horizon.gauge.min(horizon.series);
        while self.ends.front().is_some_and(|end| end.0 < oldest) {
            self.ends.pop_front();
        }
        let gauges: Vec<(Gauge, bool)> = self
            .gauges
            .iter()
            .filter(|gauge| gauge.series != NONE && (gauge.touched == self.number || !horizon.hides(gauge)))
            .map(|gauge| (*gauge, gauge.touched != self.number))
            .collect();
        let next = Interval::like(&self.interval);
        let ended = std::mem::replace(&mut self.interval, next);
        let carried = gauges.len() - ended.gauges;
        self.horizon = horizon;
        self.counts.carried += carried as u64;
        self.counts.flushed += (ended.rows() + carried) as u64;
        self.number += 1;
        (ended, gauges, horizon)
    }

    /// Say whether a gauge's value is still to be sent.
    #[must_use]
    pub const fn keeps(&self, gauge: &Gauge) -> bool {
        !self.horizon.hides(gauge)
    }

    /// The series that are past the horizon now.
    #[must_use]
    pub fn expired(&self, horizon: Horizon) -> Vec<u32> {
        let numbered = (0..).zip(&self.directory.hot);
        numbered.filter(|(_, hot)| horizon.ends(hot)).map(|(series, _)| series).collect()
    }

    /// Forget those of the series that got no sample meanwhile.
    pub fn forget(&mut self, series: &[u32], horizon: Horizon) {
        for number in series {
            let Some(hot) = self.directory.hot.get(*number as usize).copied().filter(|hot| horizon.ends(hot)) else {
                continue;
            };
            if hot.kind == Kind::Gauge && hot.cell != NONE {
                self.free_gauge(hot.cell);
            }
            self.directory.remove(*number);
            self.counts.expired += 1;
        }
    }

    fn free_gauge(&mut self, place: u32) {
        if let Some(gauge) = self.gauges.get_mut(place as usize) {
            gauge.series = NONE;
            self.free_gauges.push(place);
        }
    }
}

/// See [`crate::directory`].
#[inline]
fn set_raw_key(key: &mut Vec<u8>, line: &Line<'_>) {
    key.clear();
    key.extend_from_slice(line.name);
    if !line.tags.is_empty() {
        key.extend_from_slice(b"\n\n");
        key.extend_from_slice(line.tags);
    }
}
