//! What the series limits turned away: which name prefixes send most of it, and about how many series it is.
//!
//! The prefixes are counted by the space-saving algorithm (A. Metwally, D. Agrawal, A. El Abbadi, *Efficient computation
//! of frequent and top-k elements in data streams*): 64 counters; a new prefix takes over the smallest one and its count,
//! so a count is never too low. The series are counted by a [`Distinct`].

use crate::distinct::Distinct;
use crate::text::cut;

const COUNTERS: usize = 64;
const PREFIX_BYTES: usize = 64;

/// Samples that went to an overflow series.
#[derive(Debug, Default)]
pub struct Refused {
    prefixes: Vec<(Box<str>, u64)>,
    series: Distinct,
}

impl Refused {
    /// Note a sample of a series that found no room.
    pub fn note(&mut self, name: &str, canonical: &str) {
        self.series.add(canonical.as_bytes());
        let prefix = prefix(name);
        if let Some((_, count)) = self.prefixes.iter_mut().find(|(known, _)| **known == *prefix) {
            *count += 1;
        } else if self.prefixes.len() < COUNTERS {
            self.prefixes.push((prefix.into(), 1));
        } else if let Some(smallest) = self.prefixes.iter_mut().min_by_key(|(_, count)| *count) {
            *smallest = (prefix.into(), smallest.1 + 1);
        }
    }

    /// The prefixes with most samples, and at most how many those were.
    #[must_use]
    pub fn prefixes(&self, limit: usize) -> Vec<(String, u64)> {
        let mut top: Vec<(String, u64)> =
            self.prefixes.iter().map(|(prefix, count)| (prefix.to_string(), *count)).collect();
        top.sort_by(|one, two| two.1.cmp(&one.1).then_with(|| one.0.cmp(&two.0)));
        top.truncate(limit);
        top
    }

    /// About how many distinct series.
    #[must_use]
    pub fn series(&self) -> f64 {
        self.series.estimate()
    }
}

/// The name up to its second dot, and no longer than 64 bytes.
fn prefix(name: &str) -> &str {
    let end = name.match_indices('.').nth(1).map_or(name.len(), |(at, _)| at);
    cut(name.get(..end).unwrap_or(name), PREFIX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::{Refused, prefix};

    #[test]
    fn prefixes_end_at_the_second_dot() {
        assert_eq!(prefix("a.b.c.d"), "a.b");
        assert_eq!(prefix("a.b"), "a.b");
        assert_eq!(prefix("plain"), "plain");
        assert_eq!(prefix(&"é".repeat(40)).len(), 64);
    }

    #[test]
    fn the_largest_are_found_among_many() {
        let mut refused = Refused::default();
        for at in 0..3_000 {
            let name = format!("rare{at}.x.y");
            refused.note(&name, &name);
            refused.note("loud.app.user", &format!("loud.app.user{at}"));
        }
        let top = refused.prefixes(10);
        assert_eq!((top.len(), top[0].0.as_str()), (10, "loud.app"));
        assert!(top[0].1 >= 3_000);
        assert!((refused.series() / 6_000.0 - 1.0).abs() < 0.03);
    }
}
