//! Any bytes: a sketch or set that can be used and comes back the same, or an error.
//!
//! `cargo +nightly fuzz run sketches --fuzz-dir rust/fuzz -- -max_total_time=60`
#![no_main]

use _core::distinct::Distinct;
use _core::sketch::Sketch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(mut sketch) = Sketch::from_bytes(data) {
        assert_eq!(Sketch::from_bytes(&sketch.to_bytes()).as_ref(), Ok(&sketch));
        assert!(sketch.quantile(0.5).is_none_or(f64::is_finite));
        let other = sketch.clone();
        sketch.merge(&other);
        assert!(Sketch::from_bytes(&sketch.to_bytes()).is_ok());
    }
    if let Ok(mut set) = Distinct::from_bytes(data) {
        assert_eq!(Distinct::from_bytes(&set.to_bytes()).as_ref(), Ok(&set));
        assert!(set.estimate().is_finite());
        set.add(b"member");
        assert!(set.estimate() > 0.0);
    }
});
