//! ns a line from bytes to folded rows, and how long a flush holds the intake up.
//!
//! The lines are those of the reference measurements: 65 % counters, 10 % gauges, 20 % timers, 5 % sets, about 29 bytes.
//! `cargo bench --manifest-path rust/Cargo.toml`

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use _core::aggregator::{Aggregator, Options};
use _core::directory::SeriesLimits;
use _core::intake::{Dialect, Intake};
use _core::parser::{Limits, Line, Now, lines};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const LINES: u64 = 400_000;

/// A fixed generator, so that every run reads the same bytes.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Packets of about 1 MB over so many names; a name has one kind.
fn packets(names: u64, tagged: bool) -> Vec<Vec<u8>> {
    let mut random = Random(88_172_645_463_325_252);
    let mut packets = vec![Vec::new()];
    for _ in 0..LINES {
        let name = random.below(names);
        let value = random.below(100_000);
        let line = match name.wrapping_mul(2_654_435_761) % 100 {
            0..65 => format!("service.end.n{name:06}:{}|c", value % 100),
            65..75 => format!("service.end.n{name:06}:{}.{}|g", value % 1_000, value % 10),
            75..95 => format!("service.end.n{name:06}:{}.{:03}|ms", value % 900, value % 1_000),
            _ => format!("service.end.n{name:06}:user{}|s", value % 5_000),
        };
        let tags = if tagged { "|#shop:eu,host:web1\n" } else { "\n" };
        let last = packets.last_mut().expect("never empty");
        last.extend_from_slice(line.as_bytes());
        last.extend_from_slice(tags.as_bytes());
        if last.len() >= 1_000_000 {
            packets.push(Vec::new());
        }
    }
    packets
}

fn aggregator() -> Aggregator {
    let series = SeriesLimits { max_series: 200_000, ..SeriesLimits::default() };
    Aggregator::new(Options { series, ..Options::default() })
}

fn feeding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse and fold");
    group.throughput(Throughput::Elements(LINES)).sample_size(20).measurement_time(Duration::from_secs(3));
    for (names, tagged) in [(1_000, false), (100_000, false), (1_000, true), (100_000, true)] {
        let packets = packets(names, tagged);
        let aggregator = aggregator();
        let what = if tagged { "names with 2 tags" } else { "names" };
        group.bench_function(format!("{names} {what}"), |bencher| {
            bencher.iter(|| packets.iter().for_each(|packet| aggregator.feed(packet, Dialect::Statsd, Some(0))));
        });
    }
    group.finish();
}

fn parsing(criterion: &mut Criterion) {
    let packets = packets(1_000, false);
    let mut group = criterion.benchmark_group("parse");
    group.throughput(Throughput::Elements(LINES)).sample_size(20).measurement_time(Duration::from_secs(2));
    group.bench_function("alone", |bencher| {
        bencher.iter(|| {
            for line in packets.iter().flat_map(|packet| lines(packet)) {
                if let Ok(line) = Line::split(line, &Limits::default()) {
                    line.samples(Dialect::Statsd, &mut Now(Some(0)), &mut |sample| {
                        black_box(sample).ok();
                    });
                }
            }
        });
    });
    group.finish();
}

/// Print how long the longest packet waited while 100,000 timers were flushed.
fn flushing(_: &mut Criterion) {
    let aggregator = Arc::new(aggregator());
    let timers: Vec<u8> = (0..500_000_u32)
        .flat_map(|at| format!("service.end.n{:06}:{}|ms\n", at % 100_000, at % 977 + 1).into_bytes())
        .collect();
    let mut waits: Vec<Duration> = Vec::new();
    let mut waits_while_forgetting: Vec<Duration> = Vec::new();
    for round in 0..5 {
        aggregator.feed(&timers, Dialect::Statsd, Some(0));
        // Past every lifetime: the second flush of a round forgets all series but those of the packet.
        for (when, waits) in [(0, &mut waits), (1_000_000_000_000, &mut waits_while_forgetting)] {
            let flushing = Arc::new(AtomicBool::new(true));
            let sender = {
                let (aggregator, flushing, packet) =
                    (Arc::clone(&aggregator), Arc::clone(&flushing), timers[..700].to_vec());
                std::thread::spawn(move || {
                    let mut longest = Duration::ZERO;
                    while flushing.load(Ordering::Relaxed) {
                        let start = Instant::now();
                        aggregator.packets(&mut std::iter::once(packet.as_slice()), Dialect::Statsd);
                        longest = longest.max(start.elapsed());
                        std::thread::yield_now();
                    }
                    longest
                })
            };
            let start = Instant::now();
            let flush = aggregator.flush(0, round * 2_000_000_000_000 + when).expect("rows");
            let took = start.elapsed();
            flushing.store(false, Ordering::Relaxed);
            waits.push(sender.join().expect("no panic"));
            println!("flush of {} timers: {took:.1?}, {} bytes", flush.rows, flush.body.len());
        }
    }
    for (what, mut waits) in [("a flush", waits), ("forgetting", waits_while_forgetting)] {
        waits.sort();
        println!("longest wait of a packet during {what}: median {:.1?}, of {waits:.1?}", waits[waits.len() / 2]);
    }
}

criterion_group!(benches, parsing, feeding, flushing);
criterion_main!(benches);
