//! How samples are folded: the four kinds of series.

/// The kind of a series; the first sample of a name decides it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// A sum.
    Counter,
    /// The last value.
    Gauge,
    /// A distribution: types `ms`, `h` and `d`.
    Timer,
    /// The number of distinct members.
    Set,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Counter, Self::Gauge, Self::Timer, Self::Set];

    /// The kind's word, as in `stathouse.model.Kind`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Timer => "timer",
            Self::Set => "set",
        }
    }

    /// The field of the kind's row.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Counter => "sum",
            Self::Gauge => "last",
            Self::Timer => "sketch",
            Self::Set => "hll",
        }
    }
}
