//! Folds samples into series, and hands over an interval at a time.
//!
//! | kind | a sample of rate r | its row |
//! |---|---|---|
//! | counter | adds value / r | `sum` |
//! | gauge | sets the value, or adds to it (a missing one starts at 0); r is ignored | `last` |
//! | timer | counts 1 / r times in count, sum and sketch | `sketch` |
//! | set | adds the member's hash; r is ignored | `hll` |
//!
//! A `|T` sample (counter or gauge) goes into a row of its own for its series and time, apart from the interval's row and
//! from the gauge's kept value; an interval takes 100,000 such rows, more are `queue_full`. Sums stay finite: past the
//! largest double they stay there.
//!
//! A name has one kind as long as one of its series lives; samples of another are `type_conflict`. Counters, timers and
//! sets send nothing when idle; a gauge is sent again at each flush (`carried`) until `gauge_ttl` after its last sample. A
//! series is forgotten `gauge_ttl` (gauges) or `series_ttl` after the flush that had its last sample. Limits on series and
//! where the samples past them go: [`crate::directory`].
//!
//! One lock guards it all ([`crate::state`]), taken once for many packets. A flush holds it while the interval is swapped,
//! and then for short moments: names are fetched, and idle series forgotten, a few at a time. Encoding holds no lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow_schema::ArrowError;
use memchr::{memchr, memrchr};

use crate::arrow::{RowWriter, Value};
use crate::directory::{Identity, NONE, SeriesLimits};
use crate::glob;
use crate::intake::{Dialect, Intake};
use crate::interval::Interval;
use crate::kind::Kind;
use crate::parser::{Limits, Now, lines};
use crate::reason::Reason;
use crate::state::{Horizon, Lifetimes, State};

/// Bytes that are parsed at most under one hold of the lock.
const FEED_BYTES: usize = 1 << 18;
/// Series that are named or forgotten under one hold of the lock.
const STEP: usize = 128;

/// What the aggregator is made with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Of lines.
    pub limits: Limits,
    /// Of series.
    pub series: SeriesLimits,
    /// Of idle series.
    pub lifetimes: Lifetimes,
}

impl Default for Options {
    fn default() -> Self {
        let second = 1_000_000_000;
        Self {
            limits: Limits::default(),
            series: SeriesLimits::default(),
            lifetimes: Lifetimes { gauge_ns: 300 * second, series_ns: 600 * second },
        }
    }
}

/// Rows that were handed over.
#[derive(Debug)]
pub struct Rows {
    /// An Arrow IPC stream, see [`crate::arrow`].
    pub body: Vec<u8>,
    /// How many.
    pub rows: usize,
    /// How many of them no sample made.
    pub carried: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Aggregator {
    state: Mutex<State>,
    lifetimes: Lifetimes,
    /// Held by a flush or a peek from end to end, so that series numbers mean the same all through it.
    handing_over: Mutex<()>,
}

impl Aggregator {
    /// Nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            state: Mutex::new(State::new(options.limits, options.series)),
            lifetimes: options.lifetimes,
            handing_over: Mutex::new(()),
        }
    }

    /// Parse and fold lines; `now_ns` is what `|T` times are checked against, the clock's time when it is None.
    pub fn feed(&self, data: &[u8], dialect: Dialect, now_ns: Option<i64>) {
        let mut now = Now(now_ns);
        let mut rest = data;
        while !rest.is_empty() {
            let (part, after) = rest.split_at_checked(chunk(rest)).unwrap_or((rest, &[]));
            let mut state = self.lock();
            for line in lines(part) {
                state.line(line, dialect, &mut now);
            }
            rest = after;
        }
    }

    /// Hand over the interval that began at `start_ns`, begin the next, and forget series that are idle too long.
    ///
    /// # Errors
    /// The rows cannot be encoded, which only a fault of this program can cause.
    pub fn flush(&self, start_ns: i64, now_ns: i64) -> Result<Rows, ArrowError> {
        let _whole = self.handing_over.lock().unwrap_or_else(PoisonError::into_inner);
        let (ended, gauges, horizon) = self.lock().swap(now_ns, self.lifetimes);
        let carried = gauges.iter().filter(|(_, carried)| *carried).count();
        let gauges = gauges.into_iter().map(|(gauge, _)| (gauge.series, start_ns, Value::Gauge(gauge.value)));
        let mut writer = RowWriter::new()?;
        self.encode(&mut writer, owned(ended, start_ns).chain(gauges))?;
        let rows = writer.rows();
        let body = writer.finish()?;
        self.forget(horizon);
        Ok(Rows { body, rows, carried })
    }

    /// Encode the running interval without resetting it: the busiest rows, or those that a glob names.
    ///
    /// With globs the gauges that keep their value are there too. At most `limit` rows.
    ///
    /// # Errors
    /// The rows cannot be encoded, which only a fault of this program can cause.
    pub fn peek(&self, start_ns: i64, globs: &[String], limit: usize) -> Result<Rows, ArrowError> {
        let _whole = self.handing_over.lock().unwrap_or_else(PoisonError::into_inner);
        let mut seen = self.running(!globs.is_empty());
        if !globs.is_empty() {
            self.keep_named(&mut seen, globs);
        }
        if seen.len() > limit {
            seen.select_nth_unstable_by_key(limit, Seen::order);
            seen.truncate(limit);
        }
        seen.sort_unstable_by_key(Seen::order);
        let carried = seen.iter().filter(|seen| seen.samples == 0).count();
        let mut writer = RowWriter::new()?;
        for step in seen.chunks(STEP) {
            // A flush cannot come between, so the cells stand where they were seen.
            let values: Vec<_> = {
                let state = self.lock();
                step.iter()
                    .filter_map(|seen| Some((seen.series, seen.time_ns.unwrap_or(start_ns), seen.value(&state)?)))
                    .collect()
            };
            self.encode(&mut writer, values.into_iter())?;
        }
        let rows = writer.rows();
        Ok(Rows { body: writer.finish()?, rows, carried })
    }

    /// Cumulative counts and gauges of now, by the names of `_core.pyi`.
    #[must_use]
    pub fn counters(&self) -> [(&'static str, u64); 11] {
        let state = self.lock();
        let counts = state.counts;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate of a count")]
        let refused = state.refused.series().round() as u64;
        [
            ("received", counts.received),
            ("accepted", counts.accepted),
            ("rejected", state.rejected().map(|(_, count, _)| count).sum()),
            ("merged", counts.accepted - counts.opened),
            ("flushed", counts.flushed),
            ("carried", counts.carried),
            ("overflowed", counts.overflowed),
            ("expired_series", counts.expired),
            ("in_flight", state.interval.rows() as u64),
            ("series_live", state.directory.live() as u64),
            ("refused_series", refused),
        ]
    }

    /// Reasons with their cumulative counts and the last line of each.
    #[must_use]
    pub fn rejected(&self) -> Vec<(Reason, u64, Vec<u8>)> {
        self.lock().rejected().map(|(reason, count, line)| (reason, count, line.to_vec())).collect()
    }

    /// The ten name prefixes with most samples over the limits.
    #[must_use]
    pub fn refused_prefixes(&self) -> Vec<(String, u64)> {
        self.lock().refused.prefixes(10)
    }

    /// Name rows and write them, the lock held only while names are fetched.
    fn encode(&self, writer: &mut RowWriter, rows: impl Iterator<Item = (u32, i64, Value)>) -> Result<(), ArrowError> {
        let mut rows = rows.peekable();
        let mut step: Vec<(u32, i64, Value)> = Vec::with_capacity(STEP);
        while rows.peek().is_some() {
            step.extend(rows.by_ref().take(STEP));
            let identities: Vec<Option<Identity>> = {
                let state = self.lock();
                step.iter().map(|row| state.directory.identity(row.0).cloned()).collect()
            };
            for ((_, time_ns, value), identity) in step.drain(..).zip(identities) {
                if let Some(identity) = identity {
                    writer.push(identity.name(), identity.tags(), time_ns, &value)?;
                }
            }
        }
        Ok(())
    }

    fn forget(&self, horizon: Horizon) {
        let expired = self.lock().expired(horizon);
        for step in expired.chunks(STEP) {
            self.lock().forget(step, horizon);
        }
    }

    fn running(&self, with_kept: bool) -> Vec<Seen> {
        let state = self.lock();
        let interval = &state.interval;
        let mut seen = Vec::with_capacity(interval.rows());
        let mut add = |series, samples, kind, time_ns| seen.push(Seen { samples, series, kind, time_ns });
        interval.counters.iter().for_each(|cell| add(cell.series, cell.samples, Kind::Counter, None));
        interval.timers.iter().for_each(|cell| add(cell.series, cell.samples, Kind::Timer, None));
        interval.sets.iter().for_each(|cell| add(cell.series, cell.samples, Kind::Set, None));
        for gauge in state.gauges.iter().filter(|gauge| gauge.series != NONE) {
            if gauge.touched == state.number {
                add(gauge.series, gauge.samples, Kind::Gauge, None);
            } else if with_kept && state.keeps(gauge) {
                add(gauge.series, 0, Kind::Gauge, None);
            }
        }
        interval
            .timed
            .iter()
            .for_each(|((series, time_ns), timed)| add(*series, timed.samples, timed.kind, Some(*time_ns)));
        seen
    }

    fn keep_named(&self, seen: &mut Vec<Seen>, globs: &[String]) {
        let mut named = Vec::new();
        for step in seen.chunks(STEP) {
            let identities: Vec<Option<Identity>> = {
                let state = self.lock();
                step.iter().map(|seen| state.directory.identity(seen.series).cloned()).collect()
            };
            let wanted = |identity: &Identity| globs.iter().any(|glob| glob::matches(glob, identity.name()));
            let pairs = step.iter().zip(identities);
            named.extend(pairs.filter(|(_, identity)| identity.as_ref().is_some_and(wanted)).map(|(seen, _)| *seen));
        }
        *seen = named;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left whole values behind: every change is complete before the next begins.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intake for Aggregator {
    fn packets(&self, packets: &mut dyn Iterator<Item = &[u8]>, dialect: Dialect) {
        let mut now = Now(None);
        let mut state = self.lock();
        for packet in packets {
            for line in lines(packet) {
                state.line(line, dialect, &mut now);
            }
        }
    }

    fn refuse(&self, reason: Reason, line: &[u8]) {
        self.lock().reject(reason, line);
    }
}

/// A row of the running interval that a peek found.
#[derive(Clone, Copy, Debug)]
struct Seen {
    samples: u32,
    series: u32,
    kind: Kind,
    time_ns: Option<i64>,
}

impl Seen {
    /// The busiest first; then by age, so that the answer does not flicker.
    const fn order(&self) -> (std::cmp::Reverse<u32>, u32, Option<i64>) {
        (std::cmp::Reverse(self.samples), self.series, self.time_ns)
    }

    fn value(&self, state: &State) -> Option<Value> {
        let interval = &state.interval;
        if let Some(time_ns) = self.time_ns {
            let timed = interval.timed.get(&(self.series, time_ns))?;
            return Some(timed_value(timed.kind, timed.value));
        }
        let place = state.directory.hot.get(self.series as usize)?.cell as usize;
        Some(match self.kind {
            Kind::Counter => Value::Counter(interval.counters.get(place)?.value),
            Kind::Gauge => Value::Gauge(state.gauges.get(place)?.value),
            Kind::Timer => Value::Timer(interval.timers.get(place)?.value.clone()),
            Kind::Set => Value::Set(interval.sets.get(place)?.value.clone()),
        })
    }
}

/// The rows of an interval that ended, each freed as it is encoded.
fn owned(ended: Interval, start_ns: i64) -> impl Iterator<Item = (u32, i64, Value)> {
    let counters = ended.counters.into_iter().map(move |cell| (cell.series, start_ns, Value::Counter(cell.value)));
    let timers = ended.timers.into_iter().map(move |cell| (cell.series, start_ns, Value::Timer(cell.value)));
    let sets = ended.sets.into_iter().map(move |cell| (cell.series, start_ns, Value::Set(cell.value)));
    let timed = ended
        .timed
        .into_iter()
        .map(|((series, time_ns), timed)| (series, time_ns, timed_value(timed.kind, timed.value)));
    counters.chain(timers).chain(sets).chain(timed)
}

const fn timed_value(kind: Kind, value: f64) -> Value {
    if matches!(kind, Kind::Gauge) { Value::Gauge(value) } else { Value::Counter(value) }
}

/// Where to cut: behind the last line that fits, else behind the first.
fn chunk(data: &[u8]) -> usize {
    let Some(head) = data.get(..FEED_BYTES) else { return data.len() };
    if let Some(at) = memrchr(b'\n', head) {
        return at + 1;
    }
    memchr(b'\n', data).map_or(data.len(), |at| at + 1)
}

#[cfg(test)]
mod tests;
