//! The reasons under which the core rejects a sample: words of `stathouse.model.REASONS`.

/// Why a sample was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(usize)]
pub enum Reason {
    /// A line without name, value or type.
    BadLine,
    /// A name that is empty or has control characters.
    BadName,
    /// A sample rate outside (0, 1] or below one in a million.
    BadRate,
    /// Tags in two styles at once, or a tag without a key.
    BadTags,
    /// A time outside the accepted window.
    BadTime,
    /// A type that is none of c, g, ms, h, d, s.
    BadType,
    /// Bytes that are not UTF-8.
    BadUtf8,
    /// A value that is no finite decimal number.
    BadValue,
    /// A bounded queue was full: too many samples with times of their own in one interval.
    QueueFull,
    /// Longer than the limit.
    TooLong,
    /// More tags than the limit.
    TooManyTags,
    /// The datagram was cut.
    Truncated,
    /// The name is live with another kind.
    TypeConflict,
    /// A `DogStatsD` event or service check.
    Unsupported,
}

impl Reason {
    /// All reasons, in the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::BadLine,
        Self::BadName,
        Self::BadRate,
        Self::BadTags,
        Self::BadTime,
        Self::BadType,
        Self::BadUtf8,
        Self::BadValue,
        Self::QueueFull,
        Self::TooLong,
        Self::TooManyTags,
        Self::Truncated,
        Self::TypeConflict,
        Self::Unsupported,
    ];

    /// The word that counts it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::BadLine => "bad_line",
            Self::BadName => "bad_name",
            Self::BadRate => "bad_rate",
            Self::BadTags => "bad_tags",
            Self::BadTime => "bad_time",
            Self::BadType => "bad_type",
            Self::BadUtf8 => "bad_utf8",
            Self::BadValue => "bad_value",
            Self::QueueFull => "queue_full",
            Self::TooLong => "too_long",
            Self::TooManyTags => "too_many_tags",
            Self::Truncated => "truncated",
            Self::TypeConflict => "type_conflict",
            Self::Unsupported => "unsupported",
        }
    }
}
