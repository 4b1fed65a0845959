//! Tags in canonical order, as one text: `k=v,k2=v2`, the same bytes for the same tags.
//!
//! Sorted by the bytes of the key; a repeated key keeps its last value; a backslash stands before `,`, `=` and `\`
//! inside a key or value; a tag without a value is `k=`. `stathouse.wire.tags` writes the same text.
//!
//! A line carries them in one of two styles: `|#k:v,bare` (`DogStatsD`) or `name;k=v;k2=v2` (Graphite). Both at once
//! are `bad_tags`. Empty items are skipped. The checks go in this order: UTF-8 (`bad_utf8`), control characters
//! (`bad_tags`), the number of items (`too_many_tags`), a missing key (`bad_tags`).

use crate::reason::Reason;
use crate::text;

/// A style of tags: what stands between them, and between key and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// `k:v,bare`
    Dogstatsd,
    /// `k=v;k2=v2`
    Graphite,
}

impl Style {
    const fn separators(self) -> (char, char) {
        match self {
            Self::Dogstatsd => (',', ':'),
            Self::Graphite => (';', '='),
        }
    }
}

/// Say whether a tag text holds any tag at all.
#[must_use]
pub fn any(tags: &[u8], style: Style) -> bool {
    let separator = match style {
        Style::Dogstatsd => b',',
        Style::Graphite => b';',
    };
    tags.iter().any(|byte| *byte != separator)
}

/// Split a tag text into pairs, in the order of the text.
///
/// # Errors
/// The reason why the tags are refused.
pub fn split(tags: &[u8], style: Style, max_tags: usize) -> Result<Vec<(&str, &str)>, Reason> {
    let tags = std::str::from_utf8(tags).map_err(|_| Reason::BadUtf8)?;
    if text::has_control(tags) {
        return Err(Reason::BadTags);
    }
    let (between, inside) = style.separators();
    let mut pairs = Vec::new();
    for item in tags.split(between).filter(|item| !item.is_empty()) {
        if pairs.len() == max_tags {
            return Err(Reason::TooManyTags);
        }
        pairs.push(item.split_once(inside).unwrap_or((item, "")));
    }
    if pairs.iter().any(|(key, _)| key.is_empty()) {
        return Err(Reason::BadTags);
    }
    Ok(pairs)
}

/// Append the canonical text of pairs; for a repeated key the last pair counts.
pub fn append_canonical(out: &mut String, pairs: &mut [(&str, &str)]) {
    // The sort is stable, so the last of equal keys is the last one sent.
    pairs.sort_by(|left, right| left.0.cmp(right.0));
    let mut first = true;
    for (at, (key, value)) in pairs.iter().enumerate() {
        if pairs.get(at + 1).is_some_and(|next| next.0 == *key) {
            continue;
        }
        if !first {
            out.push(',');
        }
        first = false;
        append_escaped(out, key);
        out.push('=');
        append_escaped(out, value);
    }
}

fn append_escaped(out: &mut String, part: &str) {
    for character in part.chars() {
        if matches!(character, '\\' | ',' | '=') {
            out.push('\\');
        }
        out.push(character);
    }
}

#[cfg(test)]
mod tests {
    use super::{Style, any, append_canonical, split};
    use crate::reason::Reason;

    fn canonical(tags: &str, style: Style) -> Result<String, Reason> {
        let mut pairs = split(tags.as_bytes(), style, 4)?;
        let mut out = String::new();
        append_canonical(&mut out, &mut pairs);
        Ok(out)
    }

    #[test]
    fn order_and_repetition_do_not_matter() {
        assert_eq!(canonical("b:2,a:1", Style::Dogstatsd), Ok("a=1,b=2".into()));
        assert_eq!(canonical("a:1,,b:1,b:2,", Style::Dogstatsd), Ok("a=1,b=2".into()));
        assert_eq!(canonical("b=2;a=1", Style::Graphite), Ok("a=1,b=2".into()));
        assert_eq!(canonical("", Style::Dogstatsd), Ok(String::new()));
    }

    #[test]
    fn bare_tags_and_separators_in_values() {
        assert_eq!(canonical("bare,k:a:b", Style::Dogstatsd), Ok("bare=,k=a:b".into()));
        assert_eq!(canonical(r"k=a=b\,c;x", Style::Graphite), Ok(r"k=a\=b\\\,c,x=".into()));
    }

    #[test]
    fn faults_have_reasons() {
        assert_eq!(canonical(":v", Style::Dogstatsd), Err(Reason::BadTags));
        assert_eq!(canonical("a:\u{202e}", Style::Dogstatsd), Err(Reason::BadTags));
        assert_eq!(canonical("a,b,c,d,e", Style::Dogstatsd), Err(Reason::TooManyTags));
        assert_eq!(split(b"a:\xff", Style::Dogstatsd, 4), Err(Reason::BadUtf8));
        assert!(any(b",a", Style::Dogstatsd) && !any(b",,", Style::Dogstatsd));
    }
}
