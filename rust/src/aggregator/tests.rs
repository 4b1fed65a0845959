use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType};
use arrow_ipc::reader::StreamReader;

use super::{Aggregator, Options, Rows};
use crate::directory::SeriesLimits;
use crate::distinct::Distinct;
use crate::intake::{Dialect, Intake};
use crate::reason::Reason;
use crate::state::Lifetimes;

const SECOND: i64 = 1_000_000_000;
const NOW: i64 = 1_700_000_000 * SECOND;

/// `name tags kind` and time → what the row says: the double, or the estimate of a set.
fn read(rows: &Rows) -> BTreeMap<(String, i64), f64> {
    let mut out = BTreeMap::new();
    for batch in StreamReader::try_new(&rows.body[..], None).expect("a stream") {
        let batch = batch.expect("a batch");
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let doubles = batch.column(5).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let who = format!("{} {} {}", text(0).value(row), text(1).value(row), text(2).value(row));
            let time = batch.column(4).as_primitive::<TimestampNanosecondType>().value(row);
            let value = if doubles.is_null(row) {
                Distinct::from_bytes(batch.column(8).as_binary::<i32>().value(row)).expect("a set").estimate()
            } else {
                doubles.value(row)
            };
            assert!(out.insert((who, time), value).is_none(), "a row twice");
        }
    }
    assert_eq!(out.len(), rows.rows);
    out
}

fn values(rows: &Rows) -> Vec<(String, f64)> {
    read(rows).into_iter().map(|((who, _), value)| (who, value)).collect()
}

fn aggregator(max_series: usize, per_name: usize) -> Aggregator {
    Aggregator::new(Options {
        series: SeriesLimits { max_series, max_series_per_name: per_name, global_tags: Vec::new() },
        lifetimes: Lifetimes { gauge_ns: 30 * SECOND, series_ns: 60 * SECOND },
        ..Options::default()
    })
}

fn feed(aggregator: &Aggregator, lines: &str) {
    aggregator.feed(lines.as_bytes(), Dialect::Statsd, Some(NOW));
}

fn count(aggregator: &Aggregator, name: &str) -> u64 {
    aggregator.counters().into_iter().find(|count| count.0 == name).expect("a count").1
}

#[track_caller]
fn check_books(aggregator: &Aggregator) {
    let of = |name| count(aggregator, name);
    let rejected: u64 = aggregator.rejected().iter().map(|reason| reason.1).sum();
    assert_eq!(of("received"), of("accepted") + rejected);
    assert_eq!(of("accepted") + of("carried"), of("merged") + of("flushed") + of("in_flight"));
}

#[test]
fn folds_every_kind() {
    let house = aggregator(100, 100);
    feed(&house, "c:1|c|@0.5\nc:3|c\ng:5|g\ng:+2|g\nd:-4|g\nt:10|ms|@0.1\nt:20|ms\ns:a|s\ns:b|s\ns:a|s\n");
    assert_eq!(count(&house, "in_flight"), 5);
    check_books(&house);
    let rows = house.flush(7, NOW).expect("rows");
    let expected = [("c  counter", 5.0), ("d  gauge", -4.0), ("g  gauge", 7.0), ("s  set", 2.0), ("t  timer", 120.0)];
    assert_eq!(values(&rows), expected.map(|(who, value)| (who.to_string(), value)));
    assert!(read(&rows).keys().all(|key| key.1 == 7));
    assert_eq!((count(&house, "merged"), count(&house, "flushed")), (5, 5));
    check_books(&house);
}

#[test]
fn tags_in_any_order_are_one_series() {
    let house = aggregator(100, 100);
    feed(&house, "m:1|c|#b:2,a:1\nm:1|c|#a:1,b:2\nm;b=2;a=1:1|c\nm:1|c|#,b:2,,a:0,a:1\nm:1|c");
    assert_eq!(
        values(&house.flush(0, NOW).expect("rows")),
        [("m  counter".into(), 1.0), ("m a=1,b=2 counter".into(), 4.0)]
    );
}

#[test]
fn global_tags_make_no_second_series() {
    let house = Aggregator::new(Options {
        series: SeriesLimits { global_tags: vec![("host".into(), "here".into())], ..SeriesLimits::default() },
        ..Options::default()
    });
    feed(&house, "m:1|c\nm:2|c|#host:here\nm:4|c|#host:there\nm:8|c");
    let expected = [("m host=here counter".into(), 11.0), ("m host=there counter".into(), 4.0)];
    assert_eq!(values(&house.flush(0, NOW).expect("rows")), expected);
}

#[test]
fn idle_gauges_are_carried_until_their_time_and_others_are_silent() {
    let house = aggregator(100, 100);
    feed(&house, "g:5|g\nc:1|c\nt:1|ms");
    for (after, rows) in [(10, 3), (20, 1), (30, 1), (39, 1), (40, 0), (50, 0)] {
        let flushed = house.flush(0, NOW + after * SECOND).expect("rows");
        assert_eq!((after, flushed.rows), (after, rows));
        assert_eq!(flushed.carried, if after == 10 { 0 } else { rows });
        check_books(&house);
    }
    assert_eq!(count(&house, "series_live"), 2);
    feed(&house, "c:1|c");
    house.flush(0, NOW + 60 * SECOND).expect("rows");
    // A step back of the clock changes no life.
    house.flush(0, NOW).expect("rows");
    assert_eq!(count(&house, "series_live"), 2);
    house.flush(0, NOW + 75 * SECOND).expect("rows");
    assert_eq!((count(&house, "series_live"), count(&house, "expired_series")), (1, 2));
    // A delta on the gauge that went away starts at 0.
    feed(&house, "g:+1|g");
    assert_eq!(values(&house.flush(0, NOW + 80 * SECOND).expect("rows")), [("g  gauge".into(), 1.0)]);
}

#[test]
fn a_name_has_one_kind_while_it_lives() {
    let house = aggregator(100, 100);
    feed(&house, "m:1|c\nm:1|g\nm:1|ms|#a:b\nm:1|c:2|s");
    let rejected = house.rejected();
    assert_eq!(rejected, [(Reason::TypeConflict, 3, b"m:1|c:2|s".to_vec())]);
    house.flush(0, NOW).expect("rows");
    house.flush(0, NOW + 61 * SECOND).expect("rows");
    feed(&house, "m:1|g");
    assert_eq!(values(&house.flush(0, NOW + 62 * SECOND).expect("rows")), [("m  gauge".into(), 1.0)]);
    check_books(&house);
}

#[test]
fn samples_over_the_limits_keep_totals_exact() {
    let house = aggregator(10, 4);
    for at in 0..100 {
        feed(&house, &format!("m:1|c|#at:{at}\nname{at}.x.y:1|c:2|c\nother{at}:3|ms"));
    }
    let rows = values(&house.flush(0, NOW).expect("rows"));
    let total = |part: &str| rows.iter().filter(|row| row.0.contains(part)).map(|row| row.1).sum::<f64>();
    assert_eq!((total("counter"), total("timer")), (400.0, 300.0));
    let over: Vec<_> = rows.iter().filter(|row| row.0.contains("overflow=true")).map(|row| row.0.as_str()).collect();
    let global = "stathouse.overflow kind=counter,overflow=true counter";
    assert_eq!(over, ["m overflow=true counter", global, "stathouse.overflow kind=timer,overflow=true timer"]);
    assert_eq!(count(&house, "series_live"), 10);
    assert!((250..300).contains(&count(&house, "refused_series")));
    assert_eq!(house.refused_prefixes().first(), Some(&("m".to_string(), 96)));
    feed(&house, "stathouse.overflow:1|c");
    assert_eq!(house.rejected(), [(Reason::BadName, 1, b"stathouse.overflow:1|c".to_vec())]);
    check_books(&house);
}

#[test]
fn times_make_rows_of_their_own() {
    let house = aggregator(10, 10);
    feed(
        &house,
        "m:1|c|T1699999999\nm:2|c|T1699999999\nm:4|c|T1700000001\nm:8|c\ng:5|g|T1699999999\ng:+1|g|T1699999999\nt:1|ms|T5",
    );
    let rows = read(&house.flush(1, NOW).expect("rows"));
    let row = |who: &str, seconds: i64| rows.get(&(who.to_string(), seconds)).copied();
    assert_eq!(row("m  counter", 1_699_999_999 * SECOND), Some(3.0));
    assert_eq!(row("m  counter", 1_700_000_001 * SECOND), Some(4.0));
    assert_eq!(row("m  counter", 1), Some(8.0));
    assert_eq!(row("g  gauge", 1_699_999_999 * SECOND), Some(6.0));
    assert_eq!(rows.len(), 5);
    check_books(&house);
    // A gauge that only ever had times keeps no value.
    assert_eq!(house.flush(2, NOW + SECOND).expect("rows").rows, 0);
}

#[test]
fn rows_with_times_are_bounded() {
    let house = aggregator(10, 10);
    for second in 0..100_010 {
        feed(&house, &format!("m:1|c|T{}", 1_700_000_000 - second));
    }
    feed(&house, "m:1|c|T1700000000");
    assert_eq!(house.rejected().first().map(|reason| (reason.0, reason.1)), Some((Reason::QueueFull, 10)));
    assert_eq!(house.flush(0, NOW).expect("rows").rows, 100_000);
    check_books(&house);
}

#[test]
fn peek_takes_nothing_away() {
    let house = aggregator(100, 100);
    feed(&house, "old:1|g");
    house.flush(0, NOW).expect("rows");
    feed(&house, "a:1|c\nb.x:1|ms\nb.x:1|ms\nb.y:1|s\nb.x:5|ms\nb.y:2|s");
    let who = |rows: &Rows| read(rows).into_keys().map(|key| key.0).collect::<Vec<_>>();
    let busiest = house.peek(3, &[], 2).expect("rows");
    assert_eq!(who(&busiest), ["b.x  timer", "b.y  set"]);
    let named = house.peek(3, &["b.*".into(), "old".into()], 100).expect("rows");
    assert_eq!((who(&named), named.carried), (vec!["b.x  timer".into(), "b.y  set".into(), "old  gauge".into()], 1));
    let flushed = house.flush(3, NOW).expect("rows");
    assert_eq!((flushed.rows, flushed.carried), (4, 1));
    check_books(&house);
}

#[test]
fn bad_lines_make_no_series() {
    let house = aggregator(100, 100);
    feed(&house, "a:nan|c\nb:1|zzz\nc:1|c|@0\n\u{7}:1|c\n\n\nd");
    assert_eq!((count(&house, "series_live"), count(&house, "received"), count(&house, "accepted")), (0, 5, 0));
    house.refuse(Reason::TooLong, &[b'x'; 1_000]);
    let lengths: Vec<usize> = house.rejected().iter().map(|reason| reason.2.len()).collect();
    assert_eq!((lengths.len(), lengths.iter().max()), (6, Some(&256)));
    check_books(&house);
}

#[test]
fn a_flush_among_many_writers_loses_nothing() {
    let house = Arc::new(aggregator(10_000, 100));
    let writers: Vec<_> = (0..4)
        .map(|number| {
            let house = Arc::clone(&house);
            std::thread::spawn(move || {
                for round in 0..300 {
                    let packet: String = (0..50)
                        .map(|at| format!("n{}:1|c\nt{}:1|ms\ng{number}:1|g\n", at * 7 % 40, round % 90))
                        .collect();
                    house.packets(&mut packet.as_bytes().chunks(usize::MAX), Dialect::Statsd);
                }
            })
        })
        .collect();
    let mut total = 0.0;
    let mut add =
        |rows: &Rows| total += values(rows).iter().filter(|row| !row.0.contains("gauge")).map(|row| row.1).sum::<f64>();
    let mut tick = NOW;
    while writers.iter().any(|thread| !thread.is_finished()) {
        tick += SECOND;
        add(&house.flush(0, tick).expect("rows"));
        house.peek(0, &["n*".into()], 10).expect("rows");
    }
    for thread in writers {
        thread.join().expect("no panic");
    }
    add(&house.flush(0, tick).expect("rows"));
    assert_eq!((total, count(&house, "received")), (120_000.0, 180_000));
    check_books(&house);
}

#[test]
fn large_feeds_are_cut_between_lines() {
    let house = aggregator(10, 10);
    let long = format!("{}:1|c\n", "x".repeat(300_000));
    feed(&house, &format!("{}{long}{}", "a:1|c\n".repeat(100_000), "a:1|c\n".repeat(100_000)));
    assert_eq!(values(&house.flush(0, NOW).expect("rows")), [("a  counter".into(), 200_000.0)]);
    assert_eq!(house.rejected().first().map(|reason| reason.0), Some(Reason::TooLong));
}
