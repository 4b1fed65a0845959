//! `DDSketch`: quantiles with a relative error of at most 1 %, mergeable over threads, hosts and time.
//!
//! After C. Masson, J. E. Rim and H. K. Lee, *`DDSketch`: a fast and fully-mergeable quantile sketch with relative-error
//! guarantees* (<https://arxiv.org/abs/1908.10693>). With α = 0.01 and γ = (1 + α) / (1 − α), a value x > 0 falls into
//! the bin ⌈ln x / ln γ⌉, which stands for 2γⁱ / (1 + γ). Negative values have bins of their own by magnitude, and zero
//! (with everything below the smallest normal double) has a count. `count`, `sum`, `min` and `max` are kept beside the
//! bins; a sum past the largest double stays there.
//!
//! A side keeps at most the highest 2,048 bins, 17 decades; what lies below is counted in the lowest of them. Which bins
//! those are depends on the highest bin only, so the order of adding and merging does not matter.
//!
//! The quantile of a fraction q is the **nearest rank**: the smallest value whose cumulative weight reaches q × count
//! (rank ⌈q × count⌉ where all weights are 1), 0 giving `min`, 1 giving `max`, and never outside `[min, max]`.
//!
//! # Bytes, version 1
//!
//! | part | form |
//! |---|---|
//! | version | 1 byte, `1` |
//! | flags | 1 byte: 1 = counts are integers, 2 = there is a zero count, 4 = there are negative bins |
//! | count | a *count*; if it is 0 nothing follows |
//! | sum, min, max | 3 doubles, little-endian |
//! | zero count | a *count*, only with flag 2 |
//! | positive bins | varint n ≤ 2048; n times: index and *count*, by ascending index |
//! | negative bins | the same, only with flag 4 |
//!
//! A *count* is a varint with flag 1, else a double. The first index of a side is a zigzag varint, each further one a
//! varint: the difference to the one before. One value takes 32 bytes.

use crate::bytes::{Cursor, put_varint, put_zigzag};

/// Relative error of a quantile.
pub const ALPHA: f64 = 0.01;

/// Bins that a side keeps at most, from the highest downwards.
pub const MAX_BINS: usize = 2_048;

const VERSION: u8 = 1;
const INTEGERS: u8 = 1;
const ZERO: u8 = 2;
const NEGATIVE: u8 = 4;

/// Every bin of a normal double lies within ±this.
const INDEX_LIMIT: i64 = 40_000;

/// Integers up to here are doubles exactly.
const EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// No honest weight comes near this; the limit keeps sums of weights finite.
pub const MAX_WEIGHT: f64 = 1e200;

/// ln γ; `ln` is no const function, so the number stands here and a test compares it.
const LN_GAMMA: f64 = 0.020_000_666_706_669_435;

/// Why bytes are no sketch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// Written by a newer version.
    Version(u8),
    /// Not what any version writes.
    Malformed,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Version(version) => {
                write!(out, "version {version} is not known here; it was written by a newer Stathouse")
            }
            Self::Malformed => out.write_str("the bytes are damaged or are something else"),
        }
    }
}

/// The bins of one side: index and weight, by ascending index.
#[derive(Clone, Debug, Default, PartialEq)]
struct Bins(Vec<(i32, f64)>);

impl Bins {
    #[inline]
    fn add(&mut self, index: i32, weight: f64) {
        match self.0.binary_search_by_key(&index, |bin| bin.0) {
            Ok(at) => {
                if let Some(bin) = self.0.get_mut(at) {
                    bin.1 += weight;
                }
            }
            Err(at) => self.insert(at, index, weight),
        }
    }

    #[cold]
    fn insert(&mut self, at: usize, index: i32, weight: f64) {
        if self.0.is_empty() {
            // Most timers of an interval have few values: no more room than that at first.
            self.0.reserve_exact(2);
        }
        self.0.insert(at, (index, weight));
        self.collapse();
    }

    /// Count what lies below the highest `MAX_BINS` bins in the lowest of them.
    fn collapse(&mut self) {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return };
        let lowest = last.0 - i32::try_from(MAX_BINS - 1).unwrap_or(i32::MAX);
        if first.0 >= lowest {
            return;
        }
        let below = self.0.partition_point(|bin| bin.0 < lowest);
        let weight: f64 = self.0.drain(..below).map(|bin| bin.1).sum();
        match self.0.first_mut() {
            Some(bin) if bin.0 == lowest => bin.1 += weight,
            _ => self.0.insert(0, (lowest, weight)),
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.0.is_empty() {
            return;
        }
        let mut merged = Vec::with_capacity(self.0.len() + other.0.len());
        let (mut left, mut right) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(one), Some(two)) = (left.peek(), right.peek()) {
            match one.0.cmp(&two.0) {
                std::cmp::Ordering::Less => merged.extend(left.next()),
                std::cmp::Ordering::Greater => merged.extend(right.next()),
                std::cmp::Ordering::Equal => {
                    merged.push((one.0, one.1 + two.1));
                    left.next();
                    right.next();
                }
            }
        }
        merged.extend(left);
        merged.extend(right);
        self.0 = merged;
        self.collapse();
    }

    fn put(&self, out: &mut Vec<u8>, integers: bool) {
        put_varint(out, self.0.len() as u64);
        let mut before = None;
        for (index, weight) in &self.0 {
            match before {
                None => put_zigzag(out, i64::from(*index)),
                Some(before) => put_varint(out, u64::from(index.abs_diff(before))),
            }
            before = Some(*index);
            put_count(out, *weight, integers);
        }
    }

    fn take(cursor: &mut Cursor<'_>, integers: bool) -> Option<Self> {
        let length = usize::try_from(cursor.varint()?).ok().filter(|length| *length <= MAX_BINS)?;
        let mut bins = Vec::with_capacity(length);
        let mut index = 0_i64;
        for at in 0..length {
            index = if at == 0 {
                cursor.zigzag()?
            } else {
                let step = cursor.varint().filter(|step| (1..MAX_BINS as u64).contains(step))?;
                index + i64::try_from(step).ok()?
            };
            if !(-INDEX_LIMIT..=INDEX_LIMIT).contains(&index) {
                return None;
            }
            bins.push((i32::try_from(index).ok()?, take_count(cursor, integers).filter(|weight| *weight > 0.0)?));
        }
        let span = bins.last().zip(bins.first()).map_or(0, |(last, first)| last.0 - first.0);
        (usize::try_from(span).ok()? < MAX_BINS).then_some(Self(bins))
    }

    fn weight(&self) -> f64 {
        self.0.iter().map(|bin| bin.1).sum()
    }
}

/// A distribution of values.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    count: f64,
    sum: f64,
    min: f64,
    max: f64,
    zero: f64,
    positive: Bins,
    /// Boxed, because few series have any.
    negative: Option<Box<Bins>>,
}

impl Default for Sketch {
    fn default() -> Self {
        Self {
            count: 0.0,
            sum: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
            zero: 0.0,
            positive: Bins::default(),
            negative: None,
        }
    }
}

impl Sketch {
    /// Add a value that stands for `weight` values; both have to be finite, the weight above zero.
    #[inline]
    pub fn add(&mut self, value: f64, weight: f64) {
        self.count += weight;
        self.sum = saturating(self.sum + value * weight);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value >= f64::MIN_POSITIVE {
            self.positive.add(index_of(value), weight);
        } else if value <= -f64::MIN_POSITIVE {
            self.negative.get_or_insert_default().add(index_of(-value), weight);
        } else {
            self.zero += weight;
        }
    }

    /// Add all values of another sketch.
    pub fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum = saturating(self.sum + other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.zero += other.zero;
        self.positive.merge(&other.positive);
        if let Some(negative) = &other.negative {
            self.negative.get_or_insert_default().merge(negative);
        }
    }

    /// Sum of the weights.
    #[must_use]
    pub const fn count(&self) -> f64 {
        self.count
    }

    /// Sum of value × weight.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// The smallest value; infinity when empty.
    #[must_use]
    pub const fn min(&self) -> f64 {
        self.min
    }

    /// The largest value; minus infinity when empty.
    #[must_use]
    pub const fn max(&self) -> f64 {
        self.max
    }

    /// The nearest-rank quantile of a fraction in [0, 1]; None when empty.
    #[must_use]
    pub fn quantile(&self, fraction: f64) -> Option<f64> {
        if self.count <= 0.0 {
            return None;
        }
        if fraction <= 0.0 {
            return Some(self.min);
        }
        if fraction >= 1.0 {
            return Some(self.max);
        }
        // 0.07 × 100 is a little above 7 in doubles, and must be rank 7.
        let rank = fraction * self.count * (1.0 - 1e-12);
        let mut below = 0.0;
        let negative = self
            .negative
            .iter()
            .flat_map(|bins| bins.0.iter().rev())
            .map(|(index, weight)| (-value_of(*index), weight));
        let zero = std::iter::once((0.0, &self.zero));
        let positive = self.positive.0.iter().map(|(index, weight)| (value_of(*index), weight));
        for (value, weight) in negative.chain(zero).chain(positive) {
            below += weight;
            if below >= rank && *weight > 0.0 {
                return Some(value.clamp(self.min, self.max));
            }
        }
        Some(self.max)
    }

    /// Append the bytes of version 1.
    pub fn put(&self, out: &mut Vec<u8>) {
        let negative = self.negative.as_deref();
        let weights = self.positive.0.iter().chain(negative.iter().flat_map(|bins| bins.0.iter())).map(|bin| bin.1);
        let integers =
            weights.chain([self.count, self.zero]).all(|weight| weight.fract() == 0.0 && weight <= EXACT_INTEGER);
        let mut flags = 0;
        flags |= if integers { INTEGERS } else { 0 };
        flags |= if self.zero > 0.0 { ZERO } else { 0 };
        flags |= if negative.is_some() { NEGATIVE } else { 0 };
        out.extend([VERSION, flags]);
        put_count(out, self.count, integers);
        if self.count <= 0.0 {
            return;
        }
        for double in [self.sum, self.min, self.max] {
            out.extend(double.to_le_bytes());
        }
        if self.zero > 0.0 {
            put_count(out, self.zero, integers);
        }
        self.positive.put(out, integers);
        if let Some(bins) = negative {
            bins.put(out, integers);
        }
    }

    /// Return the bytes of version 1.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// Read bytes of any version up to this one.
    ///
    /// # Errors
    /// The bytes are no sketch: every field is checked, and the weights have to add up.
    pub fn from_bytes(data: &[u8]) -> Result<Self, Damage> {
        match data.first() {
            Some(&VERSION) => Self::take(Cursor(data.get(1..).unwrap_or_default())).ok_or(Damage::Malformed),
            Some(version) if *version > VERSION => Err(Damage::Version(*version)),
            _ => Err(Damage::Malformed),
        }
    }

    fn take(mut cursor: Cursor<'_>) -> Option<Self> {
        let flags = cursor.byte().filter(|flags| *flags <= INTEGERS | ZERO | NEGATIVE)?;
        let integers = flags & INTEGERS != 0;
        let mut sketch = Self { count: take_count(&mut cursor, integers)?, ..Self::default() };
        if sketch.count <= 0.0 {
            return cursor.0.is_empty().then_some(sketch);
        }
        (sketch.sum, sketch.min, sketch.max) = (cursor.double()?, cursor.double()?, cursor.double()?);
        if ![sketch.sum, sketch.min, sketch.max].iter().all(|double| double.is_finite()) || sketch.min > sketch.max {
            return None;
        }
        if flags & ZERO != 0 {
            sketch.zero = take_count(&mut cursor, integers)?;
        }
        sketch.positive = Bins::take(&mut cursor, integers)?;
        if flags & NEGATIVE != 0 {
            sketch.negative = Some(Box::new(Bins::take(&mut cursor, integers)?));
        }
        let weight =
            sketch.zero + sketch.positive.weight() + sketch.negative.as_ref().map_or(0.0, |bins| bins.weight());
        let adds_up = (weight - sketch.count).abs() <= sketch.count * 1e-6;
        (adds_up && cursor.0.is_empty()).then_some(sketch)
    }
}

/// Keep a sum of finite numbers finite.
#[inline]
#[must_use]
pub const fn saturating(sum: f64) -> f64 {
    sum.clamp(-f64::MAX, f64::MAX)
}

#[inline]
fn index_of(value: f64) -> i32 {
    #[expect(clippy::cast_possible_truncation, reason = "the logarithm of a double is small")]
    let index = (value.ln() / LN_GAMMA).ceil() as i32;
    index
}

fn value_of(index: i32) -> f64 {
    // 2γⁱ / (1 + γ) = (1 − α)γⁱ, since 1 + γ = 2 / (1 − α).
    (1.0 - ALPHA) * (f64::from(index) * LN_GAMMA).exp()
}

fn put_count(out: &mut Vec<u8>, count: f64, integers: bool) {
    if integers {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number up to 2^53")]
        put_varint(out, count as u64);
    } else {
        out.extend(count.to_le_bytes());
    }
}

fn take_count(cursor: &mut Cursor<'_>, integers: bool) -> Option<f64> {
    if integers {
        #[expect(clippy::cast_precision_loss, reason = "checked to be at most 2^53")]
        let count = cursor.varint().map(|count| count as f64);
        count.filter(|count| *count <= EXACT_INTEGER)
    } else {
        cursor.double().filter(|count| (0.0..=MAX_WEIGHT).contains(count))
    }
}

#[cfg(test)]
mod tests;
