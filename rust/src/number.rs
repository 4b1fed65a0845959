//! Numbers as text: one ASCII grammar for values and rates.
//!
//! `[+-]? (d+ (. d*)? | . d+) ([eE] [+-]? d+)?`, and the number has to be finite. There is no hex, `inf`, `nan`,
//! blank or `_`. A number too small for a double is zero.

/// Powers of ten that a double holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Integers up to here are doubles exactly.
const EXACT_INTEGER: u64 = 1 << 53;

/// Return the number that the whole text is, None when it is none or not finite.
#[must_use]
pub fn parse(text: &[u8]) -> Option<f64> {
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let mut mantissa = 0_u64;
    // More than 19 digits do not fit into the mantissa; such a text goes the slow way.
    let (whole, rest) = digits(unsigned, &mut mantissa);
    let (fraction, rest) = match rest {
        [b'.', rest @ ..] => digits(rest, &mut mantissa),
        _ => (0, rest),
    };
    if whole + fraction == 0 {
        return None;
    }
    let exponent = match rest {
        [] => 0,
        [b'e' | b'E', rest @ ..] => exponent(rest)?,
        _ => return None,
    };
    let scale = exponent - i64::try_from(fraction).ok()?;
    if whole + fraction <= 19 && mantissa <= EXACT_INTEGER {
        // Both sides are exact, so one operation rounds right (Clinger 1990).
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
        let exact = mantissa as f64;
        let power = usize::try_from(scale.unsigned_abs()).ok().and_then(|power| EXACT_POWERS.get(power));
        if let Some(power) = power {
            let value = if scale < 0 { exact / power } else { exact * power };
            return Some(if negative { -value } else { value });
        }
    }
    std::str::from_utf8(text).ok()?.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Count leading digits and add them to the mantissa, which wraps after 19 digits.
fn digits<'a>(text: &'a [u8], mantissa: &mut u64) -> (usize, &'a [u8]) {
    let mut rest = text;
    while let [byte @ b'0'..=b'9', after @ ..] = rest {
        *mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
        rest = after;
    }
    (text.len() - rest.len(), rest)
}

/// The exponent, cut at ±1,000,000: beyond that every number is zero or too large.
fn exponent(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1, rest),
        [b'+', rest @ ..] => (1, rest),
        _ => (1, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_i64;
    for byte in digits {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = (value * 10 + i64::from(byte - b'0')).min(1_000_000);
    }
    Some(sign * value)
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn reads_what_the_grammar_allows() {
        for (text, value) in [
            ("0", 0.0),
            ("1", 1.0),
            ("+1", 1.0),
            ("-1.5", -1.5),
            ("1.", 1.0),
            (".5", 0.5),
            ("1e3", 1000.0),
            ("1E+3", 1000.0),
            ("1e-05", 1e-05),
            ("320.000000", 320.0),
            ("123456789012345678901234567890", 123_456_789_012_345_678_901_234_567_890.0),
            ("0.1", 0.1),
            ("1.7976931348623157e308", f64::MAX),
            ("1e-999", 0.0),
            ("1e-99999999999999999999", 0.0),
            ("0e99999999999999999999", 0.0),
            ("4.9e-324", 5e-324),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(value), "{text}");
        }
        assert!(parse(b"-0").is_some_and(|zero| zero == 0.0 && zero.is_sign_negative()));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "+",
            "-",
            ".",
            "+.",
            "e5",
            "1e",
            "1e+",
            "1e5.",
            "0x10",
            "inf",
            "nan",
            "Infinity",
            "1_000",
            " 1",
            "1 ",
            "1,5",
            "--1",
            "+-0.0",
            "1e309",
            "1e999999999999",
            "1.7976931348623159e308",
            "\u{661}",
            "1.2.3",
            "True",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn rounds_as_the_standard_library_does() {
        let mut state = 1_u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let value = f64::from_bits(state);
            if value.is_finite() {
                assert_eq!(parse(value.to_string().as_bytes()), Some(value));
                assert_eq!(parse(format!("{value:e}").as_bytes()), Some(value));
            }
            let short = format!("{}.{}", state >> 50, (state >> 20) & 0xffff);
            assert_eq!(parse(short.as_bytes()), short.parse().ok());
        }
    }
}
