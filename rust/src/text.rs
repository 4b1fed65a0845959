//! Which text from outside may be a name or a tag.
//!
//! Valid UTF-8 without control characters; otherwise the text is kept as it was sent, byte for byte: nothing is
//! normalised, so the same bytes are the same series. "Control" is wider than Unicode's class, because names end up on
//! terminals and in logs: C0, DEL, C1, the line and paragraph separators U+2028–2029, and the marks that turn the
//! direction of writing (U+200E–200F, U+202A–202E, U+2066–2069).

/// Say whether a text has a character that no name or tag may have.
#[must_use]
pub fn has_control(text: &str) -> bool {
    // Most names are ASCII, where a byte says it all.
    if text.is_ascii() {
        return text.bytes().any(|byte| byte.is_ascii_control());
    }
    text.chars().any(is_control)
}

const fn is_control(character: char) -> bool {
    matches!(
        character,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

/// The longest start of a text that has at most `limit` bytes.
#[must_use]
pub fn cut(text: &str, limit: usize) -> &str {
    let end = (0..=limit.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{cut, has_control};

    #[test]
    fn controls_are_found() {
        for text in ["a\0", "\t", "a\u{7f}b", "\u{85}", "\u{200e}", "\u{2028}", "\u{202e}x", "\u{2066}", "é\n"] {
            assert!(has_control(text), "{text:?}");
        }
        for text in ["", "plain name", "é", "\u{a0}", "\u{200d}", "\u{202f}", "__proto__", "../../x", "日本"] {
            assert!(!has_control(text), "{text:?}");
        }
    }

    #[test]
    fn cuts_between_characters() {
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aé", 99), "aé");
        assert_eq!(cut("é", 0), "");
    }
}
