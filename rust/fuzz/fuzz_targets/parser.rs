//! Any bytes, in either dialect: no panic, the books balance, and the parser and the aggregator agree on every sample.
//!
//! `cargo +nightly fuzz run parser --fuzz-dir rust/fuzz -- -max_total_time=60`
#![no_main]

use _core::aggregator::{Aggregator, Options};
use _core::intake::Dialect;
use _core::parser::{Limits, Line, Now, lines};
use libfuzzer_sys::fuzz_target;

const NOW: i64 = 1_700_000_000_000_000_000;

fuzz_target!(|data: &[u8]| {
    for dialect in [Dialect::Statsd, Dialect::Dogstatsd] {
        let (mut good, mut bad) = (0, 0);
        let mut identity = String::new();
        for line in lines(data) {
            let limits = Limits::default();
            match Line::split(line, &limits).and_then(|line| line.identity(&limits, &[], &mut identity).map(|_| line)) {
                Ok(line) => line.samples(dialect, &mut Now(Some(NOW)), &mut |sample| match sample {
                    Ok(sample) => {
                        assert!(sample.rate > 0.0 && sample.rate <= 1.0);
                        good += 1;
                    }
                    Err(_) => bad += 1,
                }),
                Err(_) => bad += 1,
            }
        }
        let house = Aggregator::new(Options::default());
        house.feed(data, dialect, Some(NOW));
        house.feed(data, dialect, Some(NOW));
        let rows = house.flush(0, NOW).expect("rows").rows as u64;
        let counts: std::collections::HashMap<_, _> = house.counters().into_iter().collect();
        let rejected: u64 = house.rejected().iter().map(|reason| reason.1).sum();
        assert_eq!(counts["received"], 2 * (good + bad));
        assert_eq!(counts["received"], counts["accepted"] + rejected);
        assert_eq!(counts["accepted"], counts["merged"] + rows);
        // Only a name that has two kinds, or the reserved one, parts the two.
        assert!(counts["accepted"] <= 2 * good);
    }
});
