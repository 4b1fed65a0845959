//! How long a datagram thread sleeps between two drains: long enough to gather packets, short enough for the buffer.

use std::time::Duration;

/// Receive buffer, as the kernel accounts it, for each `wait` that a thread may sleep at a stretch. Four times 1 ms with
/// 16 MiB are safe from any sender on one core (0.9 million datagrams a second of at most 2.3 KiB of kernel memory each).
const BUFFER_PER_WAIT: usize = 4 << 20;
/// The most that a sleep grows.
const MOST_WAITS: usize = 4;

/// How long to let packets gather.
pub struct Wait {
    group: usize,
    now: Duration,
    least: Duration,
    most: Duration,
}

impl Wait {
    /// A pace for groups of `group` datagrams: at least `least`, more where the receive buffer allows it.
    #[must_use]
    pub fn new(least: Duration, group: usize, buffer_bytes: usize) -> Self {
        let waits = (buffer_bytes / BUFFER_PER_WAIT).clamp(1, MOST_WAITS);
        let waits = u32::try_from(waits).unwrap_or(1);
        Self { group, now: least, least, most: least.saturating_mul(waits) }
    }

    /// Begin again with the shortest sleep, after a time without packets.
    pub fn reset(&mut self) {
        self.now = self.least;
    }

    /// The sleep after a drain that brought `count` datagrams: about one group should gather.
    pub fn after(&mut self, count: usize) -> Duration {
        if count < self.group / 2 {
            self.now = self.now.saturating_mul(2).min(self.most);
        } else if count > 2 * self.group {
            self.now = (self.now / 2).max(self.least);
        }
        self.now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_grows_while_few_packets_come_and_shrinks_when_many_do() {
        let millis = Duration::from_millis;
        let mut wait = Wait::new(millis(1), 64, 16 << 20);
        let sleeps: Vec<_> = [20, 25, 31, 60, 80, 128].map(|count| wait.after(count)).into();
        assert_eq!(sleeps, [2, 4, 4, 4, 4, 4].map(millis));
        assert_eq!([1_000, 1_000, 1_000].map(|count| wait.after(count)), [2, 1, 1].map(millis));
        wait.after(1);
        wait.reset();
        assert_eq!(wait.after(100), millis(1));
    }

    #[test]
    fn a_small_buffer_keeps_the_sleep_short() {
        let mut wait = Wait::new(Duration::from_millis(1), 64, 425_984);
        assert_eq!(wait.after(1), Duration::from_millis(1));
        assert_eq!(Wait::new(Duration::ZERO, 64, 16 << 20).after(1), Duration::ZERO);
    }
}
