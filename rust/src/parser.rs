//! Lines of statsd and `DogStatsD` v1.0–1.6, from bytes.
//!
//! ```text
//! name[;k=v…]:value[:value…]|type[|@rate][|#k:v,bare][|T<unix seconds>][|c:…][|e:…][|card:…]
//! ```
//!
//! - Lines are separated by `\n`; one trailing `\r` is trimmed; an empty line is skipped; the last one needs no `\n`.
//! - The name ends at the first `:`. No `:`, a `|` before it, or no `|` after it: `bad_line`. Lines that begin with
//!   `_e{` or `_sc|` are `DogStatsD` events and service checks: `unsupported`.
//! - What follows is one **run** or several. A run is `values|type` and optional fields, found by their first bytes in
//!   any order; unknown ones are ignored; of a repeated field the last one counts.
//! - The values of a run are separated by `:`, empty ones are skipped, none at all is `bad_value`. In a set the whole
//!   text is the member, because there a colon belongs to the value.
//! - **Several runs** (`m:1|c:2|c`): a `:` in the type field, in `@rate` or in `T…` ends the run, and what follows it is
//!   the next run's values: `m:1|c|@0.5:2|c`. The `DogStatsD` container field `|c:<id>` is never taken for that, because
//!   it stands behind a type field of its own: in `m:1|c:2|c` the text `c:2` *is* the type field, in `m:1|c|c:2` it comes
//!   after the type field `c` and is a container. `#`, `c:`, `e:`, `card:` and unknown fields never end a run.
//! - Rate and time hold for their run; tags hold for the line, wherever the field stands (see [`crate::tags`]).
//! - A rate is in (0, 1] and not below one in a million, else `bad_rate`. A time is kept for counters and gauges only, in
//!   whole seconds, from seven days ago to ten minutes ahead, else `bad_time`; with other types the field is ignored.
//! - `ms` below zero is `bad_value` in the statsd dialect; `h` and `d` may be negative. A value whose weighted form
//!   (`value / rate`) is not finite is `bad_value`.
//! - Faults of the line (its shape, name or tags) reject it as one sample. Faults inside a run reject its values one by
//!   one, and a run whose type is missing (`bad_line`) or unknown (`bad_type`) as one. Type, rate, time, value: the
//!   first fault in that order names the reason.

use memchr::{memchr, memchr2};

use crate::intake::Dialect;
use crate::kind::Kind;
use crate::number;
use crate::reason::Reason;
use crate::tags::{self, Style};
use crate::text;

const SECOND_NS: i64 = 1_000_000_000;
const OLDEST_NS: i64 = 7 * 86_400 * SECOND_NS;
const AHEAD_NS: i64 = 600 * SECOND_NS;
const LOWEST_RATE: f64 = 1e-6;

/// What a line may be at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a line.
    pub max_line_bytes: usize,
    /// Bytes of a name, without tags.
    pub max_name_bytes: usize,
    /// Tags of a line.
    pub max_tags: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_line_bytes: 8_192, max_name_bytes: 512, max_tags: 32 }
    }
}

/// The wall clock in ns: given, or read when the first line needs it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now(pub Option<i64>);

impl Now {
    fn get(&mut self) -> i64 {
        *self.0.get_or_insert_with(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
        })
    }
}

/// What a sample does to its series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Op<'a> {
    /// Add to a counter.
    Counter(f64),
    /// Set a gauge.
    Gauge(f64),
    /// Add to a gauge.
    GaugeDelta(f64),
    /// Add to a distribution.
    Timer(f64),
    /// Add a member to a set; the bytes are UTF-8.
    Set(&'a str),
}

impl Op<'_> {
    /// The kind of series that it belongs to.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) | Self::GaugeDelta(_) => Kind::Gauge,
            Self::Timer(_) => Kind::Timer,
            Self::Set(_) => Kind::Set,
        }
    }
}

/// One sample, without the name that all samples of a line share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample<'a> {
    /// What it does.
    pub op: Op<'a>,
    /// The probability with which it was sent.
    pub rate: f64,
    /// Its own time, Unix ns.
    pub time_ns: Option<i64>,
}

/// Return the lines of a packet that are not empty.
pub fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (line, after) = match memchr(b'\n', rest) {
                Some(at) => cut(rest, at),
                None => (rest, <&[u8]>::default()),
            };
            rest = after;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if !line.is_empty() {
                return Some(line);
            }
        }
        None
    })
}

/// A line that was taken apart into who (`name`, `tags`) and what (the runs).
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The name as sent, with Graphite tags.
    pub name: &'a [u8],
    /// The text of the `|#` field, empty without one.
    pub tags: &'a [u8],
    values: &'a [u8],
    fields: &'a [u8],
}

impl<'a> Line<'a> {
    /// Take a line apart; the name, tags and values are not looked at yet.
    ///
    /// # Errors
    /// The reason why the whole line is refused.
    #[inline]
    pub fn split(line: &'a [u8], limits: &Limits) -> Result<Self, Reason> {
        if line.len() > limits.max_line_bytes {
            return Err(Reason::TooLong);
        }
        if line.first() == Some(&b'_') && (line.starts_with(b"_e{") || line.starts_with(b"_sc|")) {
            return Err(Reason::Unsupported);
        }
        let at = memchr2(b':', b'|', line).ok_or(Reason::BadLine)?;
        if line.get(at) != Some(&b':') {
            return Err(Reason::BadLine);
        }
        let (name, rest) = cut(line, at);
        let at = memchr(b'|', rest).ok_or(Reason::BadLine)?;
        let (values, fields) = cut(rest, at);
        // A field needs at least two more bytes than the longest type: the common line has none.
        let tags = if fields.len() > 2 { last_tags(fields) } else { &[] };
        Ok(Self { name, tags, values, fields })
    }

    /// Check name and tags, and write the series' canonical text: the name, then `\n` and the tags if it has any.
    ///
    /// Returns the length of the name.
    ///
    /// # Errors
    /// The reason why the whole line is refused.
    pub fn identity(&self, limits: &Limits, global: &[(String, String)], out: &mut String) -> Result<usize, Reason> {
        let (name, graphite) = match memchr(b';', self.name) {
            Some(at) => cut(self.name, at),
            None => (self.name, <&[u8]>::default()),
        };
        if name.is_empty() {
            return Err(Reason::BadName);
        }
        if name.len() > limits.max_name_bytes {
            return Err(Reason::TooLong);
        }
        let name = std::str::from_utf8(name).map_err(|_| Reason::BadUtf8)?;
        if text::has_control(name) {
            return Err(Reason::BadName);
        }
        let in_name = tags::any(graphite, Style::Graphite);
        if in_name && tags::any(self.tags, Style::Dogstatsd) {
            return Err(Reason::BadTags);
        }
        let (text, style) = if in_name { (graphite, Style::Graphite) } else { (self.tags, Style::Dogstatsd) };
        let own = tags::split(text, style, limits.max_tags)?;
        out.clear();
        out.push_str(name);
        if !(own.is_empty() && global.is_empty()) {
            out.push('\n');
            let mut pairs: Vec<(&str, &str)> =
                global.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
            pairs.extend(own);
            tags::append_canonical(out, &mut pairs);
        }
        Ok(name.len())
    }

    /// Read all samples of the line.
    #[inline]
    pub fn samples(&self, dialect: Dialect, now: &mut Now, each: &mut impl FnMut(Result<Sample<'a>, Reason>)) {
        // The common line, without fields and with one value, needs no search for either.
        let kind = Type::of(self.fields);
        if let Some(kind) = kind
            && !matches!(kind, Type::Set)
            && let Some(number) = number::parse(self.values)
        {
            let op = operation(kind, self.values, number, 1.0, dialect);
            each(op.map(|op| Sample { op, rate: 1.0, time_ns: None }));
            return;
        }
        let mut values = self.values;
        let mut fields = self.fields;
        loop {
            let run = Run::read(values, fields);
            run.samples(dialect, now, each);
            let Some(next) = run.next else { return };
            let Some(at) = memchr(b'|', next) else {
                each(Err(Reason::BadLine));
                return;
            };
            (values, fields) = cut(next, at);
        }
    }
}

/// The types that there are; `ms` is apart because it may not be negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Counter,
    Gauge,
    Milliseconds,
    Distribution,
    Set,
}

impl Type {
    #[inline]
    const fn of(text: &[u8]) -> Option<Self> {
        match text {
            b"c" => Some(Self::Counter),
            b"g" => Some(Self::Gauge),
            b"ms" => Some(Self::Milliseconds),
            b"h" | b"d" => Some(Self::Distribution),
            b"s" => Some(Self::Set),
            _ => None,
        }
    }
}

/// Values, their type, and the optional fields that concern them.
struct Run<'a> {
    values: &'a [u8],
    kind: &'a [u8],
    rate: Option<&'a [u8]>,
    time: Option<&'a [u8]>,
    /// What follows the `:` that ended the run.
    next: Option<&'a [u8]>,
}

impl<'a> Run<'a> {
    fn read(values: &'a [u8], fields: &'a [u8]) -> Self {
        let (kind, rest, next) = field(fields, true);
        let mut run = Self { values, kind, rate: None, time: None, next };
        let mut rest = rest;
        while run.next.is_none() {
            let Some(text) = rest else { break };
            let ends_runs = matches!(text.first(), Some(b'@' | b'T'));
            let (text, after, next) = field(text, ends_runs);
            match text {
                [b'@', rate @ ..] => run.rate = Some(rate),
                [b'T', time @ ..] => run.time = Some(time),
                _ => {}
            }
            run.next = next;
            rest = after;
        }
        run
    }

    fn samples(&self, dialect: Dialect, now: &mut Now, each: &mut impl FnMut(Result<Sample<'a>, Reason>)) {
        let Some(kind) = Type::of(self.kind) else {
            each(Err(if self.kind.is_empty() { Reason::BadLine } else { Reason::BadType }));
            return;
        };
        let shared = self.shared(kind, now);
        let one = |value: &'a [u8]| {
            let (rate, time_ns) = shared?;
            let op = match kind {
                Type::Set => Op::Set(std::str::from_utf8(value).map_err(|_| Reason::BadUtf8)?),
                _ => operation(kind, value, number::parse(value).ok_or(Reason::BadValue)?, rate, dialect)?,
            };
            Ok(Sample { op, rate, time_ns })
        };
        let mut any = false;
        if kind == Type::Set {
            if !self.values.is_empty() {
                any = true;
                each(one(self.values));
            }
        } else {
            for value in self.values.split(|byte| *byte == b':').filter(|value| !value.is_empty()) {
                any = true;
                each(one(value));
            }
        }
        if !any {
            each(Err(Reason::BadValue));
        }
    }

    /// The rate and time that hold for each value.
    fn shared(&self, kind: Type, now: &mut Now) -> Result<(f64, Option<i64>), Reason> {
        let rate = match self.rate {
            Some(text) => {
                number::parse(text).filter(|rate| (LOWEST_RATE..=1.0).contains(rate)).ok_or(Reason::BadRate)?
            }
            None => 1.0,
        };
        let time_ns = match self.time {
            Some(text) if matches!(kind, Type::Counter | Type::Gauge) => Some(time(text, now).ok_or(Reason::BadTime)?),
            _ => None,
        };
        Ok((rate, time_ns))
    }
}

/// Cut the first field off: its text, the fields behind it, and the next run if a `:` in it begins one.
fn field(fields: &[u8], ends_runs: bool) -> (&[u8], Option<&[u8]>, Option<&[u8]>) {
    let (text, rest) = match memchr(b'|', fields) {
        Some(at) => {
            let (text, rest) = cut(fields, at);
            (text, Some(rest))
        }
        None => (fields, None),
    };
    if ends_runs && let Some(at) = memchr(b':', text) {
        let (text, next) = cut(fields, at);
        return (text, None, Some(next));
    }
    (text, rest, None)
}

/// The text of the last `#` field behind the type field.
fn last_tags(fields: &[u8]) -> &[u8] {
    let mut tags = <&[u8]>::default();
    let mut rest = fields;
    while let Some(at) = memchr(b'|', rest) {
        rest = cut(rest, at).1;
        if let [b'#', text @ ..] = rest {
            tags = memchr(b'|', text).map_or(text, |at| cut(text, at).0);
        }
    }
    tags
}

#[inline]
fn operation(kind: Type, text: &[u8], number: f64, rate: f64, dialect: Dialect) -> Result<Op<'_>, Reason> {
    let statsd = dialect == Dialect::Statsd;
    Ok(match kind {
        Type::Counter if (number / rate).is_finite() => Op::Counter(number),
        Type::Gauge if statsd && matches!(text.first(), Some(b'+' | b'-')) => Op::GaugeDelta(number),
        Type::Gauge => Op::Gauge(number),
        Type::Milliseconds if statsd && number < 0.0 => return Err(Reason::BadValue),
        Type::Milliseconds | Type::Distribution if (number / rate).is_finite() => Op::Timer(number),
        Type::Counter | Type::Milliseconds | Type::Distribution | Type::Set => return Err(Reason::BadValue),
    })
}

fn time(text: &[u8], now: &mut Now) -> Option<i64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let seconds: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let time_ns = seconds.checked_mul(SECOND_NS)?;
    let now_ns = now.get();
    (now_ns.saturating_sub(OLDEST_NS)..=now_ns.saturating_add(AHEAD_NS)).contains(&time_ns).then_some(time_ns)
}

/// What stands before and behind the byte at `at`.
#[inline]
fn cut(text: &[u8], at: usize) -> (&[u8], &[u8]) {
    (text.get(..at).unwrap_or_default(), text.get(at + 1..).unwrap_or_default())
}

#[cfg(test)]
mod tests;
