//! The way in: what a listener hands its packets to.

/// How the few lines are read on which statsd and `DogStatsD` differ.
///
/// | line | `Statsd` | `Dogstatsd` |
/// |---|---|---|
/// | `g:-5\|g` | a delta | the value −5 |
/// | `t:-5\|ms` | `bad_value` | the value −5 |
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// The statsd server's reading.
    #[default]
    Statsd,
    /// The Datadog agent's reading.
    Dogstatsd,
}

/// Takes packets of lines separated by newlines; shared by all listeners.
pub trait Intake: Send + Sync + 'static {
    /// Parse and fold packets. Each packet stands alone: a line never goes on in the next one.
    ///
    /// The lock is taken once for the call, so a listener hands over all packets that it has.
    fn packets(&self, packets: &mut dyn Iterator<Item = &[u8]>, dialect: Dialect);

    /// Count samples that a listener rejects before they are parsed, with the line (or the start of it).
    fn refuse(&self, reason: Reason, line: &[u8]);
}

pub use crate::reason::Reason;
