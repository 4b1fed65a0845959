//! Receives statsd lines over TCP and Unix stream sockets, all connections on one thread.
//!
//! A connection costs its socket and the beginning of one line, never more than the longest line allowed. A line over
//! that limit closes the connection: whoever sends without newlines cannot be followed any more. A peer that closes
//! properly has sent its last line whole, newline or not; after a reset the beginning of a line is refused and counted.
//!
//! Events are edge-triggered, so a connection with more to read than its turn allows stays in a queue of its own, and a
//! listener that ran out of descriptors is tried again after a pause instead of in a busy loop.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver as Waiting, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::{Events, Interest, Poll, Token, Waker};

use crate::allow::Allowed;
use crate::connection::{Connection, End, Listener, Turn};
use crate::intake::{Dialect, Intake, Reason};

/// How long accepting rests after the system refused a connection for want of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// One read.
const READ_BYTES: usize = 64 * 1024;
const WAKE: Token = Token(usize::MAX);

/// How a stream door reads.
#[derive(Clone, Debug)]
pub struct Options {
    /// How the lines are read.
    pub dialect: Dialect,
    /// Connections at a time.
    pub max_connections: usize,
    /// Connections at a time from one address; Unix sockets have none and are not limited by it.
    pub max_connections_per_peer: usize,
    /// The longest line.
    pub max_line_bytes: usize,
    /// A connection that completes no line for so long is closed.
    pub idle: Duration,
    /// Who may connect, by address; Unix sockets are guarded by their file mode.
    pub allowed: Allowed,
}

/// Cumulative counts of one door, and `open` as of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes read.
    pub bytes: u64,
    /// Connections taken.
    pub accepted: u64,
    /// Connections closed at once: too many already.
    pub refused_limit: u64,
    /// Connections closed at once: too many from that address.
    pub refused_peer: u64,
    /// Connections closed at once: the address may not send.
    pub refused_source: u64,
    /// Connections closed because no line was completed for too long.
    pub closed_idle: u64,
    /// Connections closed because of a line over the limit.
    pub closed_too_long: u64,
    /// Lines cut off by a reset, an idle close or the stop of the house.
    pub unterminated: u64,
    /// Failed accepts and reads; resets by the peer are none.
    pub errors: u64,
    /// Connections now.
    pub open: u64,
}

#[derive(Default)]
struct Counts {
    bytes: AtomicU64,
    accepted: AtomicU64,
    refused_limit: AtomicU64,
    refused_peer: AtomicU64,
    refused_source: AtomicU64,
    closed_idle: AtomicU64,
    closed_too_long: AtomicU64,
    unterminated: AtomicU64,
    errors: AtomicU64,
    open: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// What the door's handle tells its thread.
#[derive(Default)]
struct Control {
    stopping: AtomicBool,
    /// When a stop gives up reading.
    drain_until: OnceLock<Instant>,
}

struct Running {
    control: Arc<Control>,
    waker: Waker,
    finished: Waiting<()>,
    thread: JoinHandle<()>,
}

/// A stream door: its thread runs from [`StreamListener::start`] until [`StreamListener::stop`] or drop.
pub struct StreamListener {
    counts: Arc<Counts>,
    running: Mutex<Option<Running>>,
}

impl StreamListener {
    /// Start accepting on bound, listening sockets.
    ///
    /// # Errors
    /// When a descriptor is no stream socket, or no selector or thread can be made.
    pub fn start(sockets: Vec<OwnedFd>, intake: Arc<dyn Intake>, options: Options) -> io::Result<Self> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let counts = Arc::new(Counts::default());
        let control = Arc::new(Control::default());
        let mut listeners = Vec::with_capacity(sockets.len());
        for (index, socket) in sockets.into_iter().enumerate() {
            let mut listener = Listener::new(socket)?;
            listener.register(poll.registry(), Token(index))?;
            listeners.push(listener);
        }
        let mut door = Door {
            poll,
            next_token: listeners.len(),
            listeners,
            connections: HashMap::new(),
            per_peer: HashMap::new(),
            ready: VecDeque::new(),
            accept_again: None,
            next_sweep: None,
            buffer: vec![0; READ_BYTES],
            intake,
            options,
            counts: Arc::clone(&counts),
            control: Arc::clone(&control),
        };
        let (alive, finished) = sync_channel::<()>(0);
        let thread = thread::Builder::new().name("stathouse-streams".into()).spawn(move || {
            door.run();
            drop(door);
            drop(alive);
        })?;
        Ok(Self { counts, running: Mutex::new(Some(Running { control, waker, finished, thread })) })
    }

    /// Counts since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let counts = &self.counts;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            bytes: get(&counts.bytes),
            accepted: get(&counts.accepted),
            refused_limit: get(&counts.refused_limit),
            refused_peer: get(&counts.refused_peer),
            refused_source: get(&counts.refused_source),
            closed_idle: get(&counts.closed_idle),
            closed_too_long: get(&counts.closed_too_long),
            unterminated: get(&counts.unterminated),
            errors: get(&counts.errors),
            open: get(&counts.open),
        }
    }

    /// Read what has arrived, close every connection, end the thread; false when that took longer than `timeout`.
    pub fn stop(&self, timeout: Duration) -> bool {
        let taken = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(running) = taken else { return true };
        let deadline = Instant::now() + timeout;
        let _ = running.control.drain_until.set(Instant::now() + timeout.mul_f64(0.8));
        running.control.stopping.store(true, Ordering::Release);
        if running.waker.wake().is_err() {
            return false;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let in_time = running.finished.recv_timeout(left) == Err(RecvTimeoutError::Disconnected);
        if in_time {
            let _ = running.thread.join();
        }
        in_time
    }
}

impl Drop for StreamListener {
    fn drop(&mut self) {
        self.stop(Duration::from_millis(500));
    }
}

/// Everything that the thread owns.
struct Door {
    poll: Poll,
    listeners: Vec<Listener>,
    connections: HashMap<Token, Connection>,
    per_peer: HashMap<IpAddr, usize>,
    /// Connections that may have more to read, each at most once, in turn.
    ready: VecDeque<Token>,
    /// When to try accepting again after a refusal by the system.
    accept_again: Option<Instant>,
    /// No connection can become idle before this.
    next_sweep: Option<Instant>,
    /// Tokens are never used twice, so a late event cannot reach the wrong connection.
    next_token: usize,
    buffer: Vec<u8>,
    intake: Arc<dyn Intake>,
    options: Options,
    counts: Arc<Counts>,
    control: Arc<Control>,
}

impl Door {
    fn run(&mut self) {
        let mut events = Events::with_capacity(256);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.timeout())
                && error.kind() != io::ErrorKind::Interrupted
            {
                count(&self.counts.errors);
                thread::sleep(ACCEPT_PAUSE);
            }
            for event in &events {
                let token = event.token();
                if token.0 < self.listeners.len() {
                    self.accept(token.0);
                } else if token != WAKE {
                    self.enqueue(token);
                }
            }
            if self.accept_again.is_some_and(|time| Instant::now() >= time) {
                self.accept_again = None;
                (0..self.listeners.len()).for_each(|index| self.accept(index));
            }
            self.serve_round();
            self.sweep();
            if self.control.stopping.load(Ordering::Acquire) {
                return self.finish();
            }
        }
    }

    /// Time until something has to be done without an event; None when nothing has.
    fn timeout(&self) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let next = [self.accept_again, self.next_sweep].into_iter().flatten().min()?;
        Some(next.saturating_duration_since(Instant::now()))
    }

    fn enqueue(&mut self, token: Token) {
        if let Some(connection) = self.connections.get_mut(&token)
            && !connection.queued
        {
            connection.queued = true;
            self.ready.push_back(token);
        }
    }

    /// Accept everything that waits at one listener.
    fn accept(&mut self, index: usize) {
        while let Some(listener) = self.listeners.get(index) {
            match listener.accept() {
                Ok(connection) => self.admit(connection),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if is_peers_doing(&error) => {}
                Err(_) => {
                    count(&self.counts.errors);
                    self.accept_again = Some(Instant::now() + ACCEPT_PAUSE);
                    return;
                }
            }
        }
    }

    /// Take a connection, or close it because of a limit.
    fn admit(&mut self, mut connection: Connection) {
        let options = &self.options;
        if let Some(peer) = connection.peer {
            if !options.allowed.admits(Some(peer)) {
                return count(&self.counts.refused_source);
            }
            if self.per_peer.get(&peer).is_some_and(|open| *open >= options.max_connections_per_peer) {
                return count(&self.counts.refused_peer);
            }
        }
        if self.connections.len() >= options.max_connections {
            return count(&self.counts.refused_limit);
        }
        let token = Token(self.next_token);
        if self.poll.registry().register(&mut connection.stream, token, Interest::READABLE).is_err() {
            return count(&self.counts.errors);
        }
        self.next_token += 1;
        if let Some(peer) = connection.peer {
            *self.per_peer.entry(peer).or_insert(0) += 1;
        }
        let idle_at = connection.last_line + options.idle;
        self.next_sweep = Some(self.next_sweep.map_or(idle_at, |time| time.min(idle_at)));
        self.connections.insert(token, connection);
        count(&self.counts.accepted);
        self.counts.open.store(self.connections.len() as u64, Ordering::Relaxed);
    }

    /// Give every connection that is waiting one turn.
    fn serve_round(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(token) = self.ready.pop_front() else { return };
            let Some(connection) = self.connections.get_mut(&token) else { continue };
            connection.queued = false;
            let turn = connection.read_turn(&mut self.buffer, self.options.max_line_bytes, &mut |packets, bytes| {
                self.counts.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
                self.intake.packets(packets, self.options.dialect);
            });
            match turn {
                Turn::Empty => {}
                Turn::More => self.enqueue(token),
                Turn::Ended(end) => self.close(token, end),
            }
        }
    }

    fn close(&mut self, token: Token, end: End) {
        let Some(mut connection) = self.connections.remove(&token) else { return };
        // Closing the descriptor would take it out of the selector too, unless a fork had copied it.
        let _ = self.poll.registry().deregister(&mut connection.stream);
        if let Some(peer) = connection.peer
            && let Some(open) = self.per_peer.get_mut(&peer)
        {
            *open -= 1;
            if *open == 0 {
                self.per_peer.remove(&peer);
            }
        }
        let rest = connection.carry.as_slice();
        match end {
            End::Closed if !rest.is_empty() => self.intake.packets(&mut std::iter::once(rest), self.options.dialect),
            End::TooLong => {
                count(&self.counts.closed_too_long);
                self.intake.refuse(Reason::TooLong, rest);
            }
            End::Reset | End::Idle | End::Stopped if !rest.is_empty() => {
                count(&self.counts.unterminated);
                self.intake.refuse(Reason::Truncated, rest);
            }
            _ => {}
        }
        match end {
            End::Idle => count(&self.counts.closed_idle),
            End::Failed => count(&self.counts.errors),
            _ => {}
        }
        self.counts.open.store(self.connections.len() as u64, Ordering::Relaxed);
    }

    /// Close the connections that have been idle for too long; looks at them all only when one can be.
    fn sweep(&mut self) {
        let now = Instant::now();
        if self.next_sweep.is_none_or(|time| now < time) {
            return;
        }
        let idle = self.options.idle;
        let over = self.connections.iter().filter(|(_, connection)| now >= connection.last_line + idle);
        let over: Vec<Token> = over.map(|(token, _)| *token).collect();
        for token in over {
            self.close(token, End::Idle);
        }
        self.next_sweep = self.connections.values().map(|connection| connection.last_line + idle).min();
    }

    /// Take what has arrived until now, also on connections that were not accepted yet, and close everything.
    fn finish(&mut self) {
        (0..self.listeners.len()).for_each(|index| self.accept(index));
        let tokens: Vec<Token> = self.connections.keys().copied().collect();
        for token in &tokens {
            self.enqueue(*token);
        }
        let until = self.control.drain_until.get().copied();
        while !self.ready.is_empty() && until.is_none_or(|until| Instant::now() < until) {
            self.serve_round();
        }
        for token in tokens {
            self.close(token, End::Stopped);
        }
    }
}

/// Errors of `accept` that concern one connection, not the listener.
fn is_peers_doing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
