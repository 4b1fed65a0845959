//! Receives statsd datagrams (UDP or Unix) on threads of its own and counts what the kernel drops.
//!
//! All threads read one socket. A thread reads groups until the socket is empty, sleeps for `wait`, and reads again:
//! while packets keep coming, one wake-up serves all that came meanwhile, and the receive buffer holds them. When a
//! read after the sleep finds nothing, the thread blocks in `poll` until the next packet: an idle door costs nothing.
//! While few packets come, and the receive buffer is large, the sleep grows to at most four times `wait`: a wake-up
//! costs as much as ten packets, so it should find some tens of them.
//!
//! The kernel's drops are exact: `SO_MEMINFO` shows every datagram dropped until the moment of asking. `SO_RXQ_OVFL`,
//! which rides on received datagrams, shows the same count a little later and misses drops after the last datagram; it
//! serves where the first is missing.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver as Waiting, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use memchr::memrchr;

use crate::allow::Allowed;
use crate::intake::{Dialect, Intake, Reason};
use crate::pacing::Wait;
use crate::sys::{self, Family, Receiver};

/// Datagrams in one group: one system call and one turn at the aggregator's lock.
const GROUP: usize = 64;
/// A pause after an error of the socket, so that one that stays does not become a busy loop.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
/// Below this a plain sleep is cheaper than waiting on the wake-up pipe, and short enough not to delay a stop.
const SHORT: Duration = Duration::from_millis(20);

/// How a datagram door reads.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the lines are read.
    pub dialect: Dialect,
    /// Threads that share the socket.
    pub threads: usize,
    /// How long a thread lets packets gather after it has emptied the socket.
    pub wait: Duration,
    /// The largest datagram; a larger one is cut.
    pub max_datagram_bytes: usize,
    /// Who may send.
    pub allowed: Allowed,
}

/// Cumulative counts of one door.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams received, whatever was in them.
    pub datagrams: u64,
    /// Their bytes, as far as they were received.
    pub bytes: u64,
    /// Datagrams that were cut because they were larger than the limit.
    pub truncated: u64,
    /// Datagrams without a byte.
    pub empty: u64,
    /// Datagrams from addresses that may not send.
    pub refused_source: u64,
    /// Datagrams that the kernel dropped before they could be read.
    pub kernel_drops: u64,
    /// Failed reads.
    pub errors: u64,
}

#[derive(Default)]
struct Counts {
    datagrams: AtomicU64,
    bytes: AtomicU64,
    truncated: AtomicU64,
    empty: AtomicU64,
    refused_source: AtomicU64,
    errors: AtomicU64,
    drops: Mutex<Drops>,
}

/// The kernel's drop count, widened from the 32 bits in which it wraps.
#[derive(Default)]
struct Drops {
    last: u32,
    total: u64,
}

impl Drops {
    /// Take in a reading. One that is behind an earlier reading (it rode on an older datagram) changes nothing.
    fn advance(&mut self, reading: u32) {
        let step = reading.wrapping_sub(self.last);
        if step < u32::MAX / 2 {
            self.last = reading;
            self.total += u64::from(step);
        }
    }
}

fn add(counter: &AtomicU64, amount: u64) {
    if amount > 0 {
        counter.fetch_add(amount, Ordering::Relaxed);
    }
}

impl Counts {
    fn advance_drops(&self, reading: Option<u32>) -> u64 {
        let mut drops = self.drops.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reading) = reading {
            drops.advance(reading);
        }
        drops.total
    }
}

/// What the threads of one door share.
struct Shared {
    socket: OwnedFd,
    family: Family,
    options: Options,
    intake: Arc<dyn Intake>,
    counts: Arc<Counts>,
    stopping: AtomicBool,
    /// When a stop gives up draining.
    drain_until: OnceLock<Instant>,
}

/// The handles that only a running door has.
struct Running {
    shared: Arc<Shared>,
    /// Closing this end wakes every thread, now and later.
    wake: io::PipeWriter,
    /// Disconnected once the last thread has ended.
    finished: Waiting<()>,
    threads: Vec<JoinHandle<()>>,
}

/// A datagram door: its threads run from [`DatagramListener::start`] until [`DatagramListener::stop`] or drop.
pub struct DatagramListener {
    counts: Arc<Counts>,
    running: Mutex<Option<Running>>,
}

impl DatagramListener {
    /// Start reading a bound datagram socket.
    ///
    /// # Errors
    /// When the descriptor is no datagram socket, or no thread can be started.
    pub fn start(socket: OwnedFd, intake: Arc<dyn Intake>, options: Options) -> io::Result<Self> {
        let (family, datagrams) = sys::socket_kind(socket.as_fd())?;
        if !datagrams {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a datagram socket"));
        }
        sys::report_drops(socket.as_fd());
        let counts = Arc::new(Counts::default());
        let threads = options.threads.max(1);
        let (waiting, wake) = io::pipe()?;
        let waiting = Arc::new(waiting);
        let (alive, finished) = sync_channel(0);
        let shared = Arc::new(Shared {
            socket,
            family,
            options,
            intake,
            counts: Arc::clone(&counts),
            stopping: AtomicBool::new(false),
            drain_until: OnceLock::new(),
        });
        let mut running = Running { shared, wake, finished, threads: Vec::with_capacity(threads) };
        for _ in 0..threads {
            match spawn(&running.shared, &waiting, &alive) {
                Ok(thread) => running.threads.push(thread),
                Err(error) => {
                    drop(alive);
                    running.stop(Duration::from_secs(1));
                    return Err(error);
                }
            }
        }
        Ok(Self { counts, running: Mutex::new(Some(running)) })
    }

    /// Counts since the start; `kernel_drops` as of this moment.
    #[must_use]
    pub fn stats(&self) -> Stats {
        if let Some(running) = self.running().as_ref() {
            running.shared.read_drops();
        }
        let counts = &self.counts;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            datagrams: get(&counts.datagrams),
            bytes: get(&counts.bytes),
            truncated: get(&counts.truncated),
            empty: get(&counts.empty),
            refused_source: get(&counts.refused_source),
            kernel_drops: counts.advance_drops(None),
            errors: get(&counts.errors),
        }
    }

    /// Read what the kernel holds, then end the threads; false when that took longer than `timeout`.
    pub fn stop(&self, timeout: Duration) -> bool {
        let Some(running) = self.running().take() else { return true };
        running.stop(timeout)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for DatagramListener {
    fn drop(&mut self) {
        self.stop(Duration::from_millis(500));
    }
}

impl Running {
    fn stop(self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        // A flood could feed the drain for ever: it gets most of the time, the joining the rest.
        let _ = self.shared.drain_until.set(Instant::now() + timeout.mul_f64(0.8));
        self.shared.stopping.store(true, Ordering::Release);
        drop(self.wake);
        let left = deadline.saturating_duration_since(Instant::now());
        let in_time = self.finished.recv_timeout(left) == Err(RecvTimeoutError::Disconnected);
        if in_time {
            for thread in self.threads {
                let _ = thread.join();
            }
        }
        self.shared.read_drops();
        in_time
    }
}

fn spawn(shared: &Arc<Shared>, wake: &Arc<io::PipeReader>, alive: &SyncSender<()>) -> io::Result<JoinHandle<()>> {
    let (shared, wake, alive) = (Arc::clone(shared), Arc::clone(wake), alive.clone());
    thread::Builder::new().name("stathouse-datagrams".into()).spawn(move || {
        shared.run(&wake);
        drop(shared);
        drop(alive);
    })
}

impl Shared {
    fn read_drops(&self) {
        if self.family == Family::Internet {
            self.counts.advance_drops(sys::drops_now(self.socket.as_fd()));
        }
    }

    fn run(&self, wake: &io::PipeReader) {
        let mut wait = Wait::new(self.options.wait, GROUP, sys::receive_buffer_bytes(self.socket.as_fd()));
        let with_sources = !self.options.allowed.is_everyone();
        let mut group = Receiver::new(GROUP, self.options.max_datagram_bytes, with_sources);
        loop {
            // Looked at before the read: a stop that comes after it is followed by one more full drain.
            let stopping = self.stopping.load(Ordering::Acquire);
            let received = self.drain(&mut group);
            if stopping {
                return;
            }
            match received {
                Ok(0) => {
                    wait.reset();
                    if sys::wait_readable(&[self.socket.as_fd(), wake.as_fd()], None).is_err() {
                        self.pause(wake, PAUSE_AFTER_ERROR);
                    }
                }
                Ok(count) => self.pause(wake, wait.after(count)),
                Err(_) => {
                    add(&self.counts.errors, 1);
                    self.pause(wake, PAUSE_AFTER_ERROR);
                }
            }
        }
    }

    /// Let packets gather; a stop ends a long pause at once.
    fn pause(&self, wake: &io::PipeReader, time: Duration) {
        if time.is_zero() || self.stopping.load(Ordering::Acquire) {
            return;
        }
        if time < SHORT || sys::wait_readable(&[wake.as_fd()], Some(time)).is_err() {
            thread::sleep(time.min(PAUSE_AFTER_ERROR));
        }
    }

    /// Read until the socket is empty; returns how many datagrams that were.
    fn drain(&self, receiver: &mut Receiver) -> io::Result<usize> {
        let mut total = 0;
        loop {
            let count = receiver.receive(self.socket.as_fd())?;
            total += count;
            if count > 0 {
                self.hand_over(receiver);
            }
            if !receiver.is_full() || self.drain_until.get().is_some_and(|until| Instant::now() >= *until) {
                return Ok(total);
            }
        }
    }

    /// Give one group to the aggregator and count it.
    fn hand_over(&self, receiver: &Receiver) {
        let (mut datagrams, mut bytes, mut truncated, mut empty, mut refused) = (0, 0, 0, 0, 0);
        let mut packets = receiver.datagrams().filter_map(|datagram| {
            datagrams += 1;
            bytes += datagram.bytes.len() as u64;
            if !self.admits(datagram.source) {
                refused += 1;
                return None;
            }
            empty += u64::from(datagram.bytes.is_empty());
            if !datagram.truncated {
                return Some(datagram.bytes);
            }
            truncated += 1;
            Some(whole_lines(datagram.bytes).0)
        });
        self.intake.packets(&mut packets, self.options.dialect);
        // What the intake left in the iterator, if anything, is counted all the same.
        packets.for_each(drop);
        if truncated > 0 {
            self.refuse_tails(receiver);
        }
        if let Some(reading) = receiver.newest_drops() {
            self.counts.advance_drops(Some(reading));
        }
        let counts = &self.counts;
        add(&counts.bytes, bytes);
        add(&counts.truncated, truncated);
        add(&counts.empty, empty);
        add(&counts.refused_source, refused);
        add(&counts.datagrams, datagrams);
    }

    /// Count the cut lines of truncated datagrams; after `packets`, since the intake is locked while that runs.
    fn refuse_tails(&self, receiver: &Receiver) {
        for datagram in receiver.datagrams().filter(|datagram| datagram.truncated && self.admits(datagram.source)) {
            self.intake.refuse(Reason::Truncated, whole_lines(datagram.bytes).1);
        }
    }

    fn admits(&self, source: Option<IpAddr>) -> bool {
        self.options.allowed.admits(source)
    }
}

/// Split a cut datagram into its whole lines and the line that was cut.
fn whole_lines(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
    bytes.split_at_checked(end).unwrap_or((bytes, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_counted_past_32_bits() {
        let mut drops = Drops::default();
        for reading in [5, 2_000_000_000, 4_000_000_000, 3] {
            drops.advance(reading);
        }
        assert_eq!(drops.total, u64::from(u32::MAX) + 4);
    }

    #[test]
    fn an_older_reading_changes_nothing() {
        let mut drops = Drops::default();
        for reading in [10, 7, 10, 12] {
            drops.advance(reading);
        }
        assert_eq!(drops.total, 12);
    }

    #[test]
    fn a_cut_datagram_keeps_its_whole_lines() {
        assert_eq!(whole_lines(b"a:1|c\nb:2"), (b"a:1|c\n".as_slice(), b"b:2".as_slice()));
        assert_eq!(whole_lines(b"a:1|c\n"), (b"a:1|c\n".as_slice(), b"".as_slice()));
        assert_eq!(whole_lines(b"b:2"), (b"".as_slice(), b"b:2".as_slice()));
    }
}
