use super::{Limits, Line, Now, Op, Sample, lines};
use crate::intake::Dialect;
use crate::reason::Reason;

const NOW: i64 = 1_700_000_000 * 1_000_000_000;

type Read<'a> = Vec<Result<(String, Sample<'a>), Reason>>;

fn read(data: &str, dialect: Dialect) -> Read<'_> {
    let limits = Limits { max_line_bytes: 80, max_name_bytes: 20, max_tags: 3 };
    let mut out = Vec::new();
    for line in lines(data.as_bytes()) {
        let mut text = String::new();
        let split = Line::split(line, &limits).and_then(|line| line.identity(&limits, &[], &mut text).map(|_| line));
        match split {
            Ok(line) => line.samples(dialect, &mut Now(Some(NOW)), &mut |sample| {
                out.push(sample.map(|sample| (text.clone(), sample)));
            }),
            Err(reason) => out.push(Err(reason)),
        }
    }
    out
}

fn ops(data: &str) -> Vec<Result<Op<'_>, Reason>> {
    read(data, Dialect::Statsd).into_iter().map(|read| read.map(|(_, sample)| sample.op)).collect()
}

fn reason(data: &str) -> Option<Reason> {
    match read(data, Dialect::Statsd).as_slice() {
        [Err(reason)] => Some(*reason),
        _ => None,
    }
}

#[test]
fn plain_lines() {
    assert_eq!(
        ops("a:1|c\nb:2.5|g\r\n\n\r\nc:3|ms\nd:-4|h\ne:5|d\nf:x:y|s"),
        [
            Ok(Op::Counter(1.0)),
            Ok(Op::Gauge(2.5)),
            Ok(Op::Timer(3.0)),
            Ok(Op::Timer(-4.0)),
            Ok(Op::Timer(5.0)),
            Ok(Op::Set("x:y")),
        ]
    );
}

#[test]
fn a_type_field_with_a_colon_begins_a_run_and_a_container_does_not() {
    assert_eq!(ops("m:1|c:2|c"), [Ok(Op::Counter(1.0)), Ok(Op::Counter(2.0))]);
    assert_eq!(ops("m:1|c|c:2"), [Ok(Op::Counter(1.0))]);
    assert_eq!(ops("m:1|c|@0.5:2|ms"), [Ok(Op::Counter(1.0)), Ok(Op::Timer(2.0))]);
    assert_eq!(ops("m:1|c|T1700000000:2|g|c:x"), [Ok(Op::Counter(1.0)), Ok(Op::Gauge(2.0))]);
    assert_eq!(ops("m:1:2::3|c"), [Ok(Op::Counter(1.0)), Ok(Op::Counter(2.0)), Ok(Op::Counter(3.0))]);
    assert_eq!(ops("m:1|c:2:3|g"), [Ok(Op::Counter(1.0)), Ok(Op::Gauge(2.0)), Ok(Op::Gauge(3.0))]);
    assert_eq!(ops("m:a|s:b:c|s"), [Ok(Op::Set("a")), Ok(Op::Set("b:c"))]);
}

#[test]
fn bad_parts_reject_singly() {
    assert_eq!(ops("m:1|c:x|c:3|c"), [Ok(Op::Counter(1.0)), Err(Reason::BadValue), Ok(Op::Counter(3.0))]);
    assert_eq!(ops("m:1:x|c"), [Ok(Op::Counter(1.0)), Err(Reason::BadValue)]);
    assert_eq!(ops("m:1|c:2"), [Ok(Op::Counter(1.0)), Err(Reason::BadLine)]);
    assert_eq!(ops("m:1|c:2|zzz"), [Ok(Op::Counter(1.0)), Err(Reason::BadType)]);
    assert_eq!(ops("m:1:2|c|@2"), [Err(Reason::BadRate), Err(Reason::BadRate)]);
}

#[test]
fn fields_in_any_order_and_unknown_ones() {
    let line = "m:1|c|e:it-false|#b:2,a|card:low|@0.25|zzz:1|T1700000001|c:in-7";
    let sample = Sample { op: Op::Counter(1.0), rate: 0.25, time_ns: Some(1_700_000_001_000_000_000) };
    assert_eq!(read(line, Dialect::Statsd), [Ok(("m\na=,b=2".into(), sample))]);
    let sample = Sample { op: Op::Timer(1.0), rate: 1.0, time_ns: None };
    assert_eq!(read("m;b=2;a=1:1|ms|Tnever|#", Dialect::Statsd), [Ok(("m\na=1,b=2".into(), sample))]);
}

#[test]
fn dialects_differ_on_signs_only() {
    assert_eq!(ops("g:-5|g\ng:+5|g"), [Ok(Op::GaugeDelta(-5.0)), Ok(Op::GaugeDelta(5.0))]);
    assert_eq!(ops("t:-5|ms"), [Err(Reason::BadValue)]);
    let read = read("g:-5|g\nt:-5|ms", Dialect::Dogstatsd);
    let ops: Vec<_> = read.into_iter().map(|read| read.map(|(_, sample)| sample.op)).collect();
    assert_eq!(ops, [Ok(Op::Gauge(-5.0)), Ok(Op::Timer(-5.0))]);
}

#[test]
fn whole_lines_are_refused_with_a_reason() {
    for (line, expected) in [
        ("foo", Reason::BadLine),
        ("foo:1", Reason::BadLine),
        ("foo|c", Reason::BadLine),
        ("foo|c:1|c", Reason::BadLine),
        ("foo:1|", Reason::BadLine),
        ("foo:|c", Reason::BadValue),
        ("foo:|s", Reason::BadValue),
        ("foo:::|c", Reason::BadValue),
        (":1|c", Reason::BadName),
        (";k=v:1|c", Reason::BadName),
        ("a\u{2028}b:1|c", Reason::BadName),
        ("a\rb:1|c", Reason::BadName),
        ("a-name-that-is-too-long:1|c", Reason::TooLong),
        ("m;a=b:1|c|#c:d", Reason::BadTags),
        ("m:1|c|#:v", Reason::BadTags),
        ("m:1|c|#a,b,c,d", Reason::TooManyTags),
        ("m:1|c|@0", Reason::BadRate),
        ("m:1|c|@1.0001", Reason::BadRate),
        ("m:1|c|@1e-7", Reason::BadRate),
        ("m:1|c|@nan", Reason::BadRate),
        ("m:1|c|@", Reason::BadRate),
        ("m:1e308|c|@0.001", Reason::BadValue),
        ("m:1|c|T1", Reason::BadTime),
        ("m:1|c|T-1", Reason::BadTime),
        ("m:1|g|T99999999999999999999", Reason::BadTime),
        ("m:1|zzz", Reason::BadType),
        ("m:inf|c", Reason::BadValue),
        ("m:0x10|c", Reason::BadValue),
        ("_e{5,4}:title|text", Reason::Unsupported),
        ("_sc|check|0", Reason::Unsupported),
    ] {
        assert_eq!(reason(line), Some(expected), "{line}");
    }
    assert_eq!(reason(&format!("m:{}|c", "1".repeat(80))), Some(Reason::TooLong));
}

#[test]
fn bytes_that_are_no_text() {
    let limits = Limits::default();
    let mut out = String::new();
    for line in [&b"\xff:1|c"[..], b"m;\xff=1:1|c", b"m:1|c|#\xff"] {
        let line = Line::split(line, &limits).expect("the shape is right");
        assert_eq!(line.identity(&limits, &[], &mut out), Err(Reason::BadUtf8));
    }
    let line = Line::split(b"m:\xff|s", &limits).expect("the shape is right");
    let mut read = Vec::new();
    line.samples(Dialect::Statsd, &mut Now::default(), &mut |sample| read.push(sample.map(|sample| sample.op)));
    assert_eq!(read, [Err(Reason::BadUtf8)]);
}

#[test]
fn global_tags_give_way_to_the_lines_own() {
    let limits = Limits::default();
    let global = [("host".to_string(), "here".to_string()), ("env".to_string(), "test".to_string())];
    let mut out = String::new();
    let line = Line::split(b"m:1|c|#host:there", &limits).expect("the shape is right");
    assert_eq!(line.identity(&limits, &global, &mut out), Ok(1));
    assert_eq!(out, "m\nenv=test,host=there");
}

#[test]
fn the_clock_is_read_when_no_time_is_given() {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let text = format!("m:1|c|T{now}");
    let line = Line::split(text.as_bytes(), &Limits::default()).expect("the shape is right");
    let mut times = Vec::new();
    line.samples(Dialect::Statsd, &mut Now(None), &mut |sample| {
        times.push(sample.map(|sample| sample.time_ns.is_some()));
    });
    assert_eq!(times, [Ok(true)]);
}
