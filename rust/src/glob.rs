//! Globs over series names: `*`, `?`, `[a-z]`, `[!a-z]` (or `[^a-z]`); an unclosed `[` is itself.
//!
//! `stathouse.wire.globs` reads them alike, so a question means the same in the running interval and in the archive.

const NEGATIONS: [char; 2] = ['!', '^'];

/// Say whether the pattern matches the whole text.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text);
    // Where to go on when the last `*` has to take one more character.
    let mut retry: Option<(&str, &str)> = None;
    loop {
        if let Some(rest) = pattern.strip_prefix('*') {
            retry = Some((rest, text));
            pattern = rest;
            continue;
        }
        if pattern.is_empty() && text.is_empty() {
            return true;
        }
        if let Some((after_pattern, after_text)) = one(pattern, text) {
            (pattern, text) = (after_pattern, after_text);
            continue;
        }
        let Some((after_star, taken)) = retry else { return false };
        let mut characters = taken.chars();
        if characters.next().is_none() {
            return false;
        }
        retry = Some((after_star, characters.as_str()));
        (pattern, text) = (after_star, characters.as_str());
    }
}

/// Match one character and return what is left of both.
fn one<'p, 't>(pattern: &'p str, text: &'t str) -> Option<(&'p str, &'t str)> {
    let mut characters = text.chars();
    let character = characters.next()?;
    let mut wanted = pattern.chars();
    let first = wanted.next()?;
    let rest = match first {
        '?' => wanted.as_str(),
        '[' => match class(wanted.as_str()) {
            Some((class, rest)) => has(class, character).then_some(rest)?,
            None => (character == '[').then_some(wanted.as_str())?,
        },
        _ => (character == first).then_some(wanted.as_str())?,
    };
    Some((rest, characters.as_str()))
}

/// Split what follows a `[` at its `]`, which may be the class's first member.
fn class(text: &str) -> Option<(&str, &str)> {
    let start = usize::from(text.starts_with(NEGATIONS));
    let body = text.get(start..)?;
    let first = body.chars().next()?;
    let end = body.get(first.len_utf8()..)?.find(']')? + first.len_utf8() + start;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn has(class: &str, character: char) -> bool {
    let (negated, mut rest) = match class.strip_prefix(NEGATIONS) {
        Some(rest) => (true, rest),
        None => (false, class),
    };
    let mut found = false;
    while let Some(low) = rest.chars().next() {
        rest = rest.get(low.len_utf8()..).unwrap_or_default();
        let high = rest.strip_prefix('-').and_then(|after| after.chars().next());
        match high {
            Some(high) => {
                found |= (low..=high).contains(&character);
                rest = rest.get(1 + high.len_utf8()..).unwrap_or_default();
            }
            None => found |= low == character,
        }
    }
    found != negated
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn classes_and_stars() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("", "a", false),
            ("shop.*", "shop.orders", true),
            ("shop.*", "shop", false),
            ("*.orders", "shop.eu.orders", true),
            ("*a*b*c", "xaybzbc", true),
            ("*a*b*c", "xaybz", false),
            ("?", "é", true),
            ("?", "", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[abc", "[abc", true),
            ("a[", "a[", true),
            ("**", "anything", true),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn many_stars_do_not_explode() {
        assert!(!matches(&"*a".repeat(50), &"a".repeat(49)));
    }
}
