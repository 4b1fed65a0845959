//! The limit that a statsd listener is measured against: receive and do next to nothing.
//!
//! Usage: `udp_floor --mode discard|add [--port PORT] [--wait-micros MICROS] [--until-eof]`. It prints its port and
//! receives until it is killed, or with `--until-eof` until standard input is closed; then it prints one line of JSON
//! with the datagrams, lines, bytes and CPU seconds.
//!
//! * `discard` reads groups with `recvmmsg` and counts them: the limit of receiving.
//! * `add` also cuts lines, reads the value and adds it up under the name: the limit of a server without rules, tags,
//!   sketches, checks or accounting.
//!
//! With `--wait-micros` above 0 it sleeps that long after each drain, as the real listener does.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::time::Duration;

use _core::sys;
use memchr::{memchr, memchr_iter};

#[derive(Default)]
struct Options {
    adds: bool,
    port: u16,
    wait_micros: u64,
    until_eof: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self::default();
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--until-eof" => options.until_eof = true,
                "--mode" => options.adds = arguments.next().is_some_and(|mode| mode == "add"),
                "--port" => options.port = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0),
                "--wait-micros" => {
                    options.wait_micros = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
                }
                other => {
                    eprintln!("unknown argument {other}");
                    std::process::exit(2);
                }
            }
        }
        options
    }
}

#[derive(Default)]
struct Totals {
    datagrams: u64,
    bytes: u64,
    lines: u64,
    sums: HashMap<Vec<u8>, (f64, u64), foldhash::fast::FixedState>,
}

impl Totals {
    fn add_lines(&mut self, packet: &[u8]) {
        let mut start = 0;
        for end in memchr_iter(b'\n', packet).chain(std::iter::once(packet.len())) {
            if let Some(line) = packet.get(start..end).filter(|line| !line.is_empty()) {
                self.add_line(line);
            }
            start = end + 1;
        }
    }

    fn add_line(&mut self, line: &[u8]) {
        let Some((name, rest)) = memchr(b':', line).and_then(|at| line.split_at_checked(at)) else { return };
        let digits = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit());
        let value = digits.fold(0.0, |value, digit| value * 10.0 + f64::from(digit - b'0'));
        if let Some((sum, count)) = self.sums.get_mut(name) {
            *sum += value;
            *count += 1;
        } else {
            self.sums.insert(name.to_vec(), (value, 1));
        }
        self.lines += 1;
    }
}

fn main() -> io::Result<()> {
    let options = Options::parse(std::env::args().skip(1));
    let wait = Duration::from_micros(options.wait_micros);
    let socket = UdpSocket::bind(("127.0.0.1", options.port))?;
    sys::grow_receive_buffer(socket.as_fd(), 8 << 20);
    println!("{}", socket.local_addr()?.port());
    io::stdout().flush()?;
    let mut group = sys::Receiver::new(64, 65_535, false);
    let mut totals = Totals::default();
    let stdin = io::stdin();
    let mut ended = false;
    loop {
        let mut received = 0;
        loop {
            received += group.receive(socket.as_fd())?;
            for datagram in group.datagrams() {
                totals.datagrams += 1;
                totals.bytes += datagram.bytes.len() as u64;
                if options.adds {
                    totals.add_lines(datagram.bytes);
                }
            }
            if !group.is_full() {
                break;
            }
        }
        if ended {
            break;
        }
        if received > 0 && !wait.is_zero() {
            std::thread::sleep(wait);
            continue;
        }
        if !options.until_eof {
            sys::wait_readable(&[socket.as_fd()], None)?;
        } else if sys::wait_readable(&[socket.as_fd(), stdin.as_fd()], None)?
            && sys::wait_readable(&[stdin.as_fd()], Some(Duration::ZERO))?
        {
            // Once more around, for what has arrived meanwhile.
            ended = true;
        }
    }
    let (user, system) = sys::cpu_time();
    println!(
        "{{\"datagrams\": {}, \"lines\": {}, \"bytes\": {}, \"names\": {}, \"sum\": {}, \"cpu_seconds\": {:.6}, \"kernel_drops\": {}}}",
        totals.datagrams,
        totals.lines,
        totals.bytes,
        totals.sums.len(),
        totals.sums.values().map(|(sum, _)| sum).sum::<f64>(),
        (user + system).as_secs_f64(),
        sys::drops_now(socket.as_fd()).unwrap_or(0),
    );
    Ok(())
}
