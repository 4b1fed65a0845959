use super::{ALPHA, Damage, LN_GAMMA, MAX_BINS, Sketch, index_of, value_of};

fn of(values: impl IntoIterator<Item = f64>) -> Sketch {
    let mut sketch = Sketch::default();
    for value in values {
        sketch.add(value, 1.0);
    }
    sketch
}

/// Numbers spread over decades, from a fixed generator.
fn numbers(count: usize, mut state: u64) -> Vec<f64> {
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let unit = f64::from(u32::try_from(state >> 32).expect("32 bits")) / f64::from(u32::MAX);
            (unit * 20.0).exp() - 3.0
        })
        .collect()
}

#[test]
fn constant_is_the_logarithm() {
    assert_eq!(LN_GAMMA.to_bits(), ((1.0 + ALPHA) / (1.0 - ALPHA)).ln().to_bits());
    for value in [f64::MIN_POSITIVE, 1e-9, 0.5, 1.0, 1.01, 320.0, 1e300] {
        let stands = value_of(index_of(value));
        assert!((stands - value).abs() <= ALPHA * value * 1.000_001, "{value} {stands}");
    }
    assert!(index_of(f64::MAX) < 40_000 && index_of(f64::MIN_POSITIVE) > -40_000);
}

#[test]
fn quantiles_are_nearest_rank_within_one_percent() {
    let mut values = numbers(5_000, 7);
    let sketch = of(values.iter().copied());
    values.sort_by(f64::total_cmp);
    for permille in 1_u16..1_000 {
        let fraction = f64::from(permille) / 1_000.0;
        let exact = values[usize::from(permille) * 5 - 1];
        let found = sketch.quantile(fraction).expect("not empty");
        assert!((found - exact).abs() <= ALPHA * exact.abs() + 1e-9, "{fraction}: {found} {exact}");
    }
    assert_eq!(sketch.quantile(0.0), values.first().copied());
    assert_eq!(sketch.quantile(1.0), values.last().copied());
}

#[test]
fn small_cases() {
    assert_eq!(Sketch::default().quantile(0.5), None);
    let one = of([42.0]);
    assert_eq!([0.0, 0.3, 1.0].map(|q| one.quantile(q)), [Some(42.0); 3]);
    assert_eq!((one.count(), one.sum(), one.min(), one.max()), (1.0, 42.0, 42.0, 42.0));
    assert_eq!(of([-1.0, 0.0, 1.0]).quantile(0.5), Some(0.0));
    assert_eq!(of([-5.0, -5.0, 7.0]).quantile(0.5), Some(-5.0));
    let hundred = of((1..=100).map(f64::from));
    assert!((hundred.quantile(0.07).expect("not empty") - 7.0).abs() <= 0.07);
}

#[test]
fn weights_count() {
    let mut sketch = Sketch::default();
    sketch.add(1.0, 99.0);
    sketch.add(1_000.0, 1.0);
    assert!(sketch.quantile(0.99).is_some_and(|value| value < 1.02));
    assert_eq!(sketch.quantile(0.991), Some(1_000.0));
    assert_eq!((sketch.count(), sketch.sum()), (100.0, 1_099.0));
}

#[test]
fn merging_is_adding_in_any_order() {
    let values = numbers(2_000, 3);
    let whole = of(values.iter().copied());
    let parts: Vec<Sketch> = values.chunks(300).map(|part| of(part.iter().copied())).collect();
    let mut forward = Sketch::default();
    let mut backward = Sketch::default();
    parts.iter().for_each(|part| forward.merge(part));
    parts.iter().rev().for_each(|part| backward.merge(part));
    assert_eq!((&whole.positive, &whole.negative), (&forward.positive, &forward.negative));
    assert_eq!((&whole.positive, whole.count()), (&backward.positive, backward.count()));
}

#[test]
fn bins_are_bounded_and_do_not_depend_on_order() {
    let values: Vec<f64> = (-300..=300).step_by(3).map(|power| 10_f64.powi(power)).collect();
    let up = of(values.iter().copied());
    let down = of(values.iter().rev().copied());
    assert_eq!(up.positive, down.positive);
    assert!(up.positive.0.len() <= MAX_BINS);
    assert_eq!(up.positive.weight(), up.count());
    assert!((up.quantile(0.999).expect("not empty") / 1e300 - 1.0).abs() <= ALPHA);
    assert_eq!(Sketch::from_bytes(&up.to_bytes()), Ok(up));
}

#[test]
fn huge_values_stay_finite() {
    let sketch = of([f64::MAX, f64::MAX, 5e-324]);
    assert_eq!(sketch.sum(), f64::MAX);
    assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
}

#[test]
fn bytes_come_back_and_are_small() {
    let mut weighted = of([1.0, -2.5, 0.0]);
    weighted.add(3.0, 1.0 / 0.3);
    for sketch in [Sketch::default(), of([320.0]), of([-1.0, 0.0, 1e9]), of(numbers(500, 1)), weighted] {
        assert_eq!(Sketch::from_bytes(&sketch.to_bytes()), Ok(sketch));
    }
    assert!(of([320.0]).to_bytes().len() <= 33);
    assert_eq!(Sketch::default().to_bytes(), [1, 1, 0]);
}

#[test]
fn damaged_bytes_are_refused() {
    let good = of([1.0, 2.0, -3.0, 0.0]).to_bytes();
    for end in 0..good.len() {
        assert_eq!(Sketch::from_bytes(&good[..end]), Err(Damage::Malformed), "{end}");
    }
    let mut longer = good.clone();
    longer.push(0);
    assert_eq!(Sketch::from_bytes(&longer), Err(Damage::Malformed));
    let mut newer = good.clone();
    newer[0] = 2;
    assert_eq!(Sketch::from_bytes(&newer), Err(Damage::Version(2)));
    // Every flipped bit is either refused or reads as a sketch that can be used.
    for bit in 8..good.len() * 8 {
        let mut bent = good.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        if let Ok(sketch) = Sketch::from_bytes(&bent) {
            let middle = sketch.quantile(0.5).unwrap_or_default();
            assert!(middle.is_finite());
        }
    }
    // A length that claims much allocates little.
    assert_eq!(Sketch::from_bytes(&[1, 1, 1, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f]), Err(Damage::Malformed));
}
