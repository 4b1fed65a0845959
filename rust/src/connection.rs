//! One stream connection: reads in turns and cuts what it reads into whole lines.

use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use memchr::{memchr, memrchr};
use mio::event::Source;
use mio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use mio::{Interest, Registry, Token};

use crate::sys::{self, Family};

/// What one connection may read before the next one has its turn.
const TURN_BYTES: usize = 256 * 1024;

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Everything that was there has been read.
    Empty,
    /// There may be more.
    More,
    /// The connection is over.
    Ended(End),
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The peer closed it properly: what it sent last is whole.
    Closed,
    /// The peer reset it: the last line may be cut.
    Reset,
    /// A line over the limit; its beginning is in `carry`.
    TooLong,
    /// No line was completed for too long.
    Idle,
    /// The house stops.
    Stopped,
    /// Reading failed for another reason.
    Failed,
}

/// A listening socket.
pub enum Listener {
    /// Over the network.
    Tcp(TcpListener),
    /// In the file system.
    Unix(UnixListener),
}

impl Listener {
    /// Take over a bound, listening socket.
    ///
    /// # Errors
    /// When it is no stream socket or cannot be made non-blocking.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        let (family, datagrams) = sys::socket_kind(socket.as_fd())?;
        if datagrams {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a stream socket"));
        }
        match family {
            Family::Internet => {
                let listener = std::net::TcpListener::from(socket);
                listener.set_nonblocking(true)?;
                Ok(Self::Tcp(TcpListener::from_std(listener)))
            }
            Family::Unix => {
                let listener = std::os::unix::net::UnixListener::from(socket);
                listener.set_nonblocking(true)?;
                Ok(Self::Unix(UnixListener::from_std(listener)))
            }
        }
    }

    /// Have new connections reported under `token`.
    ///
    /// # Errors
    /// Whatever the selector says.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Self::Tcp(listener) => registry.register(listener, token, Interest::READABLE),
            Self::Unix(listener) => registry.register(listener, token, Interest::READABLE),
        }
    }

    /// Accept one connection.
    ///
    /// # Errors
    /// "Would block" when none waits; else whatever the system says.
    pub fn accept(&self) -> io::Result<Connection> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept()?;
                Ok(Connection::new(Stream::Tcp(stream), Some(address.ip().to_canonical())))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept()?;
                Ok(Connection::new(Stream::Unix(stream), None))
            }
        }
    }
}

/// The socket of a connection.
pub enum Stream {
    /// Over the network.
    Tcp(TcpStream),
    /// In the file system.
    Unix(UnixStream),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Source for Stream {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.register(registry, token, interests),
            Self::Unix(stream) => stream.register(registry, token, interests),
        }
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.reregister(registry, token, interests),
            Self::Unix(stream) => stream.reregister(registry, token, interests),
        }
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.deregister(registry),
            Self::Unix(stream) => stream.deregister(registry),
        }
    }
}

/// Takes whole lines, as packets, and the number of bytes that the read brought.
pub type Hand<'a> = dyn FnMut(&mut dyn Iterator<Item = &[u8]>, usize) + 'a;

/// An accepted connection.
pub struct Connection<S = Stream> {
    /// Its socket.
    pub stream: S,
    /// The peer's address; None over a Unix socket.
    pub peer: Option<IpAddr>,
    /// The beginning of a line whose end has not come yet.
    pub carry: Vec<u8>,
    /// When it last completed a line, at first when it was accepted.
    pub last_line: Instant,
    /// It waits for its turn.
    pub queued: bool,
}

impl<S: Read> Connection<S> {
    /// A connection that has just been accepted.
    pub fn new(stream: S, peer: Option<IpAddr>) -> Self {
        Self { stream, peer, carry: Vec::new(), last_line: Instant::now(), queued: false }
    }

    /// Read what is there, up to one turn's worth, and hand over every whole line.
    pub fn read_turn(&mut self, buffer: &mut [u8], max_line_bytes: usize, hand: &mut Hand<'_>) -> Turn {
        let mut left = TURN_BYTES;
        while left > 0 {
            let chunk = match self.stream.read(buffer) {
                Ok(0) => return Turn::Ended(End::Closed),
                Ok(length) => buffer.get(..length).unwrap_or_default(),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Turn::Empty,
                    io::ErrorKind::Interrupted => continue,
                    io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::TimedOut => {
                        return Turn::Ended(End::Reset);
                    }
                    _ => return Turn::Ended(End::Failed),
                },
            };
            left = left.saturating_sub(chunk.len());
            if !self.take(chunk, max_line_bytes, hand) {
                return Turn::Ended(End::TooLong);
            }
        }
        Turn::More
    }

    /// Hand over the lines that `chunk` completes and keep its rest; false when a line is over the limit, whose
    /// beginning is then all that is kept.
    fn take(&mut self, chunk: &[u8], max_line_bytes: usize, hand: &mut Hand<'_>) -> bool {
        let first_end = if self.carry.is_empty() { 0 } else { memchr(b'\n', chunk).map_or(chunk.len(), |at| at + 1) };
        let (head, body) = chunk.split_at_checked(first_end).unwrap_or((chunk, &[]));
        self.carry.extend_from_slice(head);
        let carried = trimmed(&self.carry).len();
        if carried > max_line_bytes {
            self.carry.truncate(max_line_bytes.saturating_add(1));
            hand(&mut std::iter::empty(), chunk.len());
            return false;
        }
        let (whole, bad) = whole_lines(body, max_line_bytes);
        let finished = self.carry.last() == Some(&b'\n');
        let completed = if finished { self.carry.as_slice() } else { &[] };
        hand(&mut [completed, whole].into_iter().filter(|lines| !lines.is_empty()), chunk.len());
        if finished || !whole.is_empty() {
            self.last_line = Instant::now();
        }
        if finished || !body.is_empty() {
            self.carry.clear();
            self.carry.extend_from_slice(body.get(whole.len()..).unwrap_or_default());
        }
        if bad {
            self.carry.truncate(max_line_bytes.saturating_add(1));
        }
        !bad
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}

/// The whole lines at the beginning of `bytes`, and whether a line over the limit follows them.
///
/// Instead of looking at every line it jumps from one newline to the last one within reach: a window of the limit plus
/// its newline that holds none is a line too long.
fn whole_lines(bytes: &[u8], max_line_bytes: usize) -> (&[u8], bool) {
    let reach = max_line_bytes.saturating_add(1);
    let mut end = 0;
    while let Some(rest) = bytes.get(end..).filter(|rest| !rest.is_empty()) {
        let window = rest.get(..reach).unwrap_or(rest);
        match memrchr(b'\n', window) {
            Some(at) => end += at + 1,
            None => return (bytes.get(..end).unwrap_or_default(), window.len() == reach),
        }
    }
    (bytes, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives back what it was made of, one piece a read, then "would block".
    struct Pieces(std::collections::VecDeque<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().ok_or(io::ErrorKind::WouldBlock)?;
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    fn read(pieces: &[&[u8]], limit: usize) -> (Vec<Vec<u8>>, Vec<u8>, Turn) {
        let stream = Pieces(pieces.iter().map(|piece| piece.to_vec()).collect());
        let mut connection = Connection::new(stream, None);
        let mut lines = Vec::new();
        let mut buffer = vec![0; 64];
        let turn = connection.read_turn(&mut buffer, limit, &mut |packets, _| {
            for packet in packets {
                assert_eq!(packet.last(), Some(&b'\n'));
                lines.extend(packet.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
            }
        });
        (lines, connection.carry, turn)
    }

    fn owned(lines: &[&str]) -> Vec<Vec<u8>> {
        lines.iter().map(|line| line.as_bytes().to_vec()).collect()
    }

    #[test]
    fn lines_are_the_same_however_they_are_cut() {
        let text = b"one:1|c\ntwo:2|c\n\nthree:3|ms\nrest";
        for size in 1..=text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            let (lines, carry, turn) = read(&pieces, 20);
            assert_eq!(lines, owned(&["one:1|c", "two:2|c", "three:3|ms"]), "pieces of {size}");
            assert_eq!((carry.as_slice(), turn), (b"rest".as_slice(), Turn::Empty), "pieces of {size}");
        }
    }

    #[test]
    fn a_line_over_the_limit_ends_it_however_it_is_cut() {
        let text = b"ok:1|c\n0123456789a\nlost:1|c\n";
        for size in 1..=text.len() {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            let (lines, carry, turn) = read(&pieces, 10);
            assert_eq!(lines, owned(&["ok:1|c"]), "pieces of {size}");
            assert_eq!(
                (carry.as_slice(), turn),
                (b"0123456789a".as_slice(), Turn::Ended(End::TooLong)),
                "pieces of {size}"
            );
        }
    }

    #[test]
    fn a_line_at_the_limit_passes() {
        for size in 1..=11 {
            let pieces: Vec<&[u8]> = b"0123456789\n".chunks(size).collect();
            assert_eq!(read(&pieces, 10).0, owned(&["0123456789"]), "pieces of {size}");
        }
    }

    #[test]
    fn a_full_turn_leaves_the_rest_for_the_next() {
        let line = [b'\n'; 64];
        let pieces: Vec<&[u8]> = (0..=TURN_BYTES / 64).map(|_| line.as_slice()).collect();
        assert_eq!(read(&pieces, 10).2, Turn::More);
    }
}
