//! The system calls for receiving, behind safe functions. The only module of the crate that may use `unsafe`.
//!
//! What is wrapped, and why the standard library is not enough:
//!
//! * [`Receiver`] – `recvmmsg`, many datagrams in one call, with truncation flags, source addresses and `SO_RXQ_OVFL`.
//! * [`drops_now`] – `SO_MEMINFO`, the kernel's own count of datagrams it dropped for want of buffer.
//! * [`wait_readable`] – `poll` on a socket and a wake-up pipe, without a selector object per thread.
//! * [`duplicate`] – an own descriptor for a socket that Python goes on owning.
//!
//! Systems other than Linux get a loop over `recvmsg` and no drop counts.

use std::io;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

#[cfg(target_os = "linux")]
use libc::mmsghdr as Header;

/// One datagram's place, in the shape that `recvmmsg` has on Linux.
#[cfg(not(target_os = "linux"))]
struct Header {
    msg_hdr: libc::msghdr,
    msg_len: libc::c_uint,
}

/// Room for the control messages of one datagram: `SO_RXQ_OVFL` takes 24 bytes. `u64` keeps `cmsghdr` aligned.
type Control = [u64; 8];

/// Buffers start this many bytes past a multiple of 64 KiB from each other. At equal distances of a power of two the
/// first lines of all packets would fall into the same few sets of the CPU's caches and evict one another.
const STAGGER: usize = 13 * 64;

/// The address family of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 or IPv6.
    Internet,
    /// A name in the file system.
    Unix,
}

/// One received datagram.
pub struct Datagram<'a> {
    /// What it holds.
    pub bytes: &'a [u8],
    /// The datagram was larger than its buffer; `bytes` is its beginning.
    pub truncated: bool,
    /// Where it says it came from; only when the receiver was made `with_sources`.
    pub source: Option<IpAddr>,
}

/// Buffers for a group of datagrams, used again for every group. Pages that no datagram reached take no memory.
pub struct Receiver {
    buffers: Vec<u8>,
    stride: usize,
    size: usize,
    vectors: Vec<libc::iovec>,
    headers: Vec<Header>,
    controls: Vec<Control>,
    sources: Vec<libc::sockaddr_storage>,
    filled: usize,
}

impl Receiver {
    /// Make room for `slots` datagrams of up to `size` bytes each.
    #[must_use]
    pub fn new(slots: usize, size: usize, with_sources: bool) -> Self {
        let stride = size.next_multiple_of(64) + STAGGER;
        // SAFETY: iovec, mmsghdr/msghdr and sockaddr_storage are plain C structs of integers and pointers, for which
        // all-zero bytes are a valid value.
        let (vector, address) = unsafe { (mem::zeroed::<libc::iovec>(), mem::zeroed::<libc::sockaddr_storage>()) };
        Self {
            buffers: vec![0; stride * slots],
            stride,
            size,
            vectors: vec![vector; slots],
            // SAFETY: as above.
            headers: (0..slots).map(|_| unsafe { mem::zeroed::<Header>() }).collect(),
            controls: vec![[0; 8]; slots],
            sources: if with_sources { vec![address; slots] } else { Vec::new() },
            filled: 0,
        }
    }

    /// Receive what is there, at most one group; 0 when nothing is. Never blocks.
    ///
    /// # Errors
    /// Whatever the system says, but "would block", which is 0.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.prepare();
        self.filled = 0;
        let count = receive_group(socket.as_raw_fd(), &mut self.headers)?;
        self.filled = count.min(self.headers.len());
        Ok(self.filled)
    }

    /// True when the last group was full, so that more may be waiting.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.filled == self.headers.len()
    }

    /// The datagrams of the last group.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        let groups = self.headers.iter().zip(self.buffers.chunks(self.stride)).take(self.filled);
        groups.enumerate().map(|(slot, (header, buffer))| {
            let length = (header.msg_len as usize).min(self.size);
            Datagram {
                bytes: buffer.get(..length).unwrap_or_default(),
                truncated: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
                source: self.sources.get(slot).and_then(internet_address),
            }
        })
    }

    /// The socket's count of drops that came with the last group, if any did (`SO_RXQ_OVFL`).
    #[must_use]
    pub fn newest_drops(&self) -> Option<u32> {
        self.headers.get(..self.filled)?.iter().rev().find_map(|header| overflow_count(&header.msg_hdr))
    }

    /// Point every header at its buffers. The kernel overwrites lengths and flags, so this goes before every call;
    /// fresh pointers also mean that nothing in the struct has to outlive a borrow.
    fn prepare(&mut self) {
        let room = self.vectors.iter_mut().zip(&mut self.controls).zip(self.buffers.chunks_mut(self.stride));
        let mut sources = self.sources.iter_mut();
        for (header, ((vector, control), buffer)) in self.headers.iter_mut().zip(room) {
            vector.iov_base = buffer.as_mut_ptr().cast();
            vector.iov_len = self.size;
            let message = &mut header.msg_hdr;
            message.msg_iov = vector;
            message.msg_iovlen = 1;
            message.msg_control = control.as_mut_ptr().cast();
            message.msg_controllen = mem::size_of::<Control>() as _;
            message.msg_flags = 0;
            if let Some(source) = sources.next() {
                source.ss_family = 0;
                message.msg_name = std::ptr::from_mut(source).cast();
                message.msg_namelen = length_of::<libc::sockaddr_storage>();
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn receive_group(socket: RawFd, headers: &mut [Header]) -> io::Result<usize> {
    let slots = libc::c_uint::try_from(headers.len()).unwrap_or(libc::c_uint::MAX);
    // SAFETY: `prepare` has just pointed every header at buffers that the receiver owns and borrows exclusively for
    // this call, each with its right length; MSG_DONTWAIT needs no timeout, so that pointer may be null.
    let count =
        unsafe { libc::recvmmsg(socket, headers.as_mut_ptr(), slots, libc::MSG_DONTWAIT as _, std::ptr::null_mut()) };
    usize::try_from(count).or_else(|_| nothing_yet(io::Error::last_os_error()))
}

#[cfg(not(target_os = "linux"))]
fn receive_group(socket: RawFd, headers: &mut [Header]) -> io::Result<usize> {
    for (index, header) in headers.iter_mut().enumerate() {
        // SAFETY: `prepare` has just pointed the header at buffers that the receiver owns, each with its right length.
        let length = unsafe { libc::recvmsg(socket, &raw mut header.msg_hdr, libc::MSG_DONTWAIT) };
        match libc::c_uint::try_from(length) {
            Ok(length) => header.msg_len = length,
            Err(_) if index > 0 => return Ok(index),
            Err(_) => return nothing_yet(io::Error::last_os_error()),
        }
    }
    Ok(headers.len())
}

fn nothing_yet(error: io::Error) -> io::Result<usize> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
        _ => Err(error),
    }
}

/// The value of the `SO_RXQ_OVFL` control message. The kernel sends it only once something has been dropped.
#[cfg(target_os = "linux")]
fn overflow_count(message: &libc::msghdr) -> Option<u32> {
    if message.msg_controllen == 0 {
        return None;
    }
    // SAFETY: the kernel has filled `msg_control` and set `msg_controllen` to what it wrote; the CMSG macros stay
    // inside that range, and the data of an SO_RXQ_OVFL message is one u32, read without assuming alignment.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(message);
        while let Some(head) = control.as_ref() {
            if head.cmsg_level == libc::SOL_SOCKET && head.cmsg_type == libc::SO_RXQ_OVFL {
                return Some(libc::CMSG_DATA(control).cast::<u32>().read_unaligned());
            }
            control = libc::CMSG_NXTHDR(message, control);
        }
    }
    None
}

#[cfg(not(target_os = "linux"))]
fn overflow_count(_message: &libc::msghdr) -> Option<u32> {
    None
}

fn internet_address(storage: &libc::sockaddr_storage) -> Option<IpAddr> {
    match libc::c_int::from(storage.ss_family) {
        libc::AF_INET => {
            // SAFETY: sockaddr_storage is large and aligned enough for every address type, and its family says that
            // this one is a sockaddr_in.
            let address = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in>() };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(address.sin_addr.s_addr))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, for sockaddr_in6.
            let address = unsafe { &*std::ptr::from_ref(storage).cast::<libc::sockaddr_in6>() };
            Some(IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)).to_canonical())
        }
        _ => None,
    }
}

/// Duplicate a descriptor that someone else owns; the copy closes on exec.
///
/// # Errors
/// `EBADF` for a number that is no open descriptor, `EMFILE` when there is no room for another.
pub fn duplicate(descriptor: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes an int and touches no memory; a bad descriptor gives an error.
    let copy = unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just given us this descriptor; nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// Size of a C value as the socket calls want it.
#[allow(clippy::cast_possible_truncation)] // every type here has less than 200 bytes
const fn length_of<T>() -> libc::socklen_t {
    mem::size_of::<T>() as libc::socklen_t
}

fn socket_option<T: Copy>(socket: BorrowedFd<'_>, name: libc::c_int, mut value: T) -> io::Result<T> {
    let mut length = length_of::<T>();
    // SAFETY: `value` is a local of `length` bytes; the kernel writes at most that many. T is only ever an integer or
    // an array of integers (the function is private), for which any bytes are valid.
    let code = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_mut(&mut value).cast(),
            &raw mut length,
        )
    };
    if code == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Family of a socket and whether it carries datagrams.
///
/// # Errors
/// `ENOTSOCK` when it is no socket.
pub fn socket_kind(socket: BorrowedFd<'_>) -> io::Result<(Family, bool)> {
    let kind: libc::c_int = socket_option(socket, libc::SO_TYPE, 0)?;
    // SAFETY: all-zero bytes are a valid sockaddr_storage.
    let mut address: libc::sockaddr_storage = unsafe { mem::zeroed() };
    let mut length = length_of::<libc::sockaddr_storage>();
    // SAFETY: `address` is a local of `length` bytes; the kernel writes at most that many.
    let code =
        unsafe { libc::getsockname(socket.as_raw_fd(), std::ptr::from_mut(&mut address).cast(), &raw mut length) };
    if code != 0 {
        return Err(io::Error::last_os_error());
    }
    let unix = libc::c_int::from(address.ss_family) == libc::AF_UNIX;
    Ok((if unix { Family::Unix } else { Family::Internet }, kind == libc::SOCK_DGRAM))
}

/// Ask for the drop count beside each datagram; a system that cannot is no error, [`drops_now`] is the main source.
pub fn report_drops(socket: BorrowedFd<'_>) {
    #[cfg(target_os = "linux")]
    set_option(socket, libc::SO_RXQ_OVFL, 1);
    #[cfg(not(target_os = "linux"))]
    let _ = socket;
}

/// Ask for a receive buffer of `bytes`: past the system's limit where the process may, else up to it.
pub fn grow_receive_buffer(socket: BorrowedFd<'_>, bytes: libc::c_int) {
    #[cfg(target_os = "linux")]
    if set_option(socket, libc::SO_RCVBUFFORCE, bytes) {
        return;
    }
    set_option(socket, libc::SO_RCVBUF, bytes);
}

/// The socket's receive buffer as the kernel accounts it: on Linux twice what was asked for, with all overhead.
#[must_use]
pub fn receive_buffer_bytes(socket: BorrowedFd<'_>) -> usize {
    let bytes: libc::c_int = socket_option(socket, libc::SO_RCVBUF, 0).unwrap_or(0);
    usize::try_from(bytes).unwrap_or(0)
}

fn set_option(socket: BorrowedFd<'_>, name: libc::c_int, value: libc::c_int) -> bool {
    // SAFETY: the option's value is an int that lives through the call.
    let code = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_ref(&value).cast(),
            length_of::<libc::c_int>(),
        )
    };
    code == 0
}

/// Datagrams that the kernel has dropped at this socket until now, modulo 2³²; None where it cannot say.
#[must_use]
pub fn drops_now(socket: BorrowedFd<'_>) -> Option<u32> {
    #[cfg(target_os = "linux")]
    {
        /// Index of the drop count in what `SO_MEMINFO` returns (`linux/sock_diag.h`).
        const SK_MEMINFO_DROPS: usize = 8;
        let numbers: [u32; 9] = socket_option(socket, libc::SO_MEMINFO, [0; 9]).ok()?;
        numbers.get(SK_MEMINFO_DROPS).copied()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        None
    }
}

/// Wait until one of the (at most two) descriptors has something to read, or was closed by its other end; false when `timeout` passed.
///
/// # Errors
/// Whatever `poll` says; an interruption by a signal counts as readable, since the caller looks again anyway.
pub fn wait_readable(descriptors: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<bool> {
    let mut set: [libc::pollfd; 2] = [libc::pollfd { fd: -1, events: libc::POLLIN, revents: 0 }; 2];
    for (entry, descriptor) in set.iter_mut().zip(descriptors) {
        entry.fd = descriptor.as_raw_fd();
    }
    let millis = timeout.map_or(-1, |time| libc::c_int::try_from(time.as_millis()).unwrap_or(libc::c_int::MAX));
    // SAFETY: `set` is a local array of two entries; entries with descriptor -1 are ignored.
    let ready = unsafe { libc::poll(set.as_mut_ptr(), 2, millis) };
    if ready >= 0 {
        return Ok(ready > 0);
    }
    let error = io::Error::last_os_error();
    if error.kind() == io::ErrorKind::Interrupted { Ok(true) } else { Err(error) }
}

/// CPU time that this process has used: (user, system). For benchmarks.
#[must_use]
pub fn cpu_time() -> (Duration, Duration) {
    // SAFETY: all-zero bytes are a valid rusage, and getrusage writes exactly one.
    let usage = unsafe {
        let mut usage: libc::rusage = mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let time = |value: libc::timeval| {
        Duration::from_secs(value.tv_sec.try_into().unwrap_or(0))
            + Duration::from_micros(value.tv_usec.try_into().unwrap_or(0))
    };
    (time(usage.ru_utime), time(usage.ru_stime))
}
