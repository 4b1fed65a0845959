//! The rows of one interval: what samples are folded into, and what a flush takes away whole.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::distinct::Distinct;
use crate::kind::Kind;
use crate::sketch::Sketch;

/// A running row.
#[derive(Clone, Debug, Default)]
pub struct Cell<T> {
    /// Whose it is.
    pub series: u32,
    /// Samples that were folded into it; stops at the largest.
    pub samples: u32,
    /// What they come to.
    pub value: T,
}

/// A row with a time of its own, made by `|T` samples.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// Counter or gauge.
    pub kind: Kind,
    /// Samples that were folded into it.
    pub samples: u32,
    /// The sum or the last value.
    pub value: f64,
}

/// All running rows but the gauges', which outlive their interval.
#[derive(Debug, Default)]
pub struct Interval {
    /// Sums.
    pub counters: Vec<Cell<f64>>,
    /// Distributions.
    pub timers: Vec<Cell<Sketch>>,
    /// Members.
    pub sets: Vec<Cell<Distinct>>,
    /// By series and time in ns.
    pub timed: HashMap<(u32, i64), Timed, RandomState>,
    /// Gauges that got a sample.
    pub gauges: usize,
}

impl Interval {
    /// An interval with room for as many rows as the one before had.
    #[must_use]
    pub fn like(before: &Self) -> Self {
        Self {
            counters: Vec::with_capacity(before.counters.len()),
            timers: Vec::with_capacity(before.timers.len()),
            sets: Vec::with_capacity(before.sets.len()),
            timed: HashMap::default(),
            gauges: 0,
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.counters.len() + self.timers.len() + self.sets.len() + self.timed.len() + self.gauges
    }
}

/// A gauge, which keeps its value from interval to interval.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// Whose it is; `NONE` when the place is free.
    pub series: u32,
    /// The interval of its last sample.
    pub touched: u32,
    /// Samples in that interval.
    pub samples: u32,
    /// Its value.
    pub value: f64,
}

/// Return the cell of a series in the running interval, and whether it is new.
#[inline]
pub fn cell<'c, T: Default>(
    cells: &'c mut Vec<Cell<T>>,
    hot: &mut crate::directory::Hot,
    series: u32,
    now: u32,
) -> Option<(&'c mut Cell<T>, bool)> {
    let opened = hot.cell_interval != now;
    if opened {
        hot.cell = u32::try_from(cells.len()).ok()?;
        hot.cell_interval = now;
        cells.push(Cell { series, samples: 0, value: T::default() });
    }
    let cell = cells.get_mut(hot.cell as usize)?;
    cell.samples = cell.samples.saturating_add(1);
    Some((cell, opened))
}
