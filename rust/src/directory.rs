//! Which series live: from the bytes of a line to the number of its series.
//!
//! A series' **canonical text** is its name, followed by `\n` and its canonical tags if it has any. No name or tag holds
//! a `\n`, so the text is unambiguous. A line is looked up by its **raw key**: the name as sent, followed by `\n\n` and the
//! text of its `|#` field if it has one. Both kinds of key stand in one table, so a line seen before costs one look-up and
//! is neither checked nor sorted again. A series has at most [`KEYS`] keys, so a sender who permutes tags cannot make the
//! table grow; further forms are canonicalised each time.
//!
//! Limits: past `max_series_per_name` series of a name, a sample goes to the series of that name whose one own tag is
//! `overflow=true`; past `max_series` in all, to `stathouse.overflow` with `kind=<kind>,overflow=true`. Overflow series do
//! not count against the limits, so there are at most as many as live names, and four. The name `stathouse.overflow` is
//! reserved: a line with it is `bad_name`.
//!
//! Texts are bounded as well, because a line of many long tags is some kilobytes: once names, tags and keys take
//! [`TEXT_PER_SERIES`] bytes for each series that there may be, a new series finds no room, as past `max_series`.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::kind::Kind;
use crate::reason::Reason;
use crate::tags;

/// Keys that a series has at most: its canonical text and some of the forms it is sent in.
const KEYS: usize = 5;
const INLINE: usize = 40;
/// Bytes of text for each of `max_series`: several times what long names and tags with all their keys take.
const TEXT_PER_SERIES: usize = 2_048;
const OVERFLOW: &str = "stathouse.overflow";
/// A series that has no cell.
pub const NONE: u32 = u32::MAX;

/// What folding a sample needs of a series, apart from the rest so that it stays in the cache.
#[derive(Clone, Copy, Debug)]
pub struct Hot {
    /// Where its running row is: valid for a gauge always, else while `cell_interval` is the running one.
    pub cell: u32,
    /// The interval in which it got its cell.
    pub cell_interval: u32,
    /// The interval of its last sample; the highest number when the series is forgotten.
    pub seen: u32,
    /// Its kind.
    pub kind: Kind,
}

/// Who a series is.
#[derive(Clone, Debug)]
pub struct Identity {
    text: Arc<str>,
    name_bytes: usize,
}

impl Identity {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.get(..self.name_bytes).unwrap_or_default()
    }

    /// The canonical text of its tags.
    #[must_use]
    pub fn tags(&self) -> &str {
        self.text.get(self.name_bytes + 1..).unwrap_or_default()
    }
}

/// How many series there may be, and the tags that each gets.
#[derive(Clone, Debug)]
pub struct SeriesLimits {
    /// In all.
    pub max_series: usize,
    /// With one name.
    pub max_series_per_name: usize,
    /// Added to every series; its own key wins.
    pub global_tags: Vec<(String, String)>,
}

impl Default for SeriesLimits {
    fn default() -> Self {
        Self { max_series: 100_000, max_series_per_name: 2_000, global_tags: Vec::new() }
    }
}

/// Where a sample goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To its own series.
    Own(u32),
    /// To an overflow series.
    Overflow(u32),
}

#[derive(Debug)]
#[repr(align(64))]
struct Key {
    series: u32,
    length: u32,
    inline: [u8; INLINE],
    long: Option<Box<[u8]>>,
}

impl Key {
    fn new(text: &[u8], series: u32) -> Self {
        let mut inline = [0; INLINE];
        let short = inline.get_mut(..text.len());
        let long = match short {
            Some(short) => {
                short.copy_from_slice(text);
                None
            }
            None => Some(text.into()),
        };
        Self { series, length: u32::try_from(text.len()).unwrap_or(u32::MAX), inline, long }
    }

    #[inline]
    fn is(&self, text: &[u8]) -> bool {
        if self.length as usize != text.len() {
            return false;
        }
        match &self.long {
            None => self.inline.get(..text.len()) == Some(text),
            Some(long) => **long == *text,
        }
    }

    fn long_bytes(&self) -> usize {
        self.long.as_ref().map_or(0, |long| long.len())
    }

    fn text(&self) -> &[u8] {
        match &self.long {
            None => self.inline.get(..self.length as usize).unwrap_or_default(),
            Some(long) => long,
        }
    }
}

#[derive(Debug)]
struct Series {
    identity: Identity,
    keys: [u32; KEYS],
    key_count: u8,
    /// It counts against the limits.
    counted: bool,
}

#[derive(Debug)]
struct Name {
    text: Box<str>,
    kind: Kind,
    counted: u32,
    /// With the name's overflow series.
    series: u32,
}

/// The live series.
#[derive(Debug, Default)]
pub struct Directory {
    /// By series number; see [`Hot`].
    pub hot: Vec<Hot>,
    random: RandomState,
    /// 32 bits of a key's hash, and its number: small, so that the table stays in the cache.
    table: HashTable<(u32, u32)>,
    keys: Vec<Key>,
    free_keys: Vec<u32>,
    series: Vec<Option<Series>>,
    free_series: Vec<u32>,
    names: HashTable<Name>,
    live: usize,
    /// Bytes of all identities, and of the keys that have memory of their own.
    text_bytes: usize,
}

impl Directory {
    /// The series of a key.
    #[inline]
    #[must_use]
    pub fn find(&self, key: &[u8]) -> Option<u32> {
        let hash = self.hash(key);
        let found = self
            .table
            .find(spread(hash), |entry| entry.0 == hash && self.key(entry.1).is_some_and(|known| known.is(key)));
        self.key(found?.1).map(|key| key.series)
    }

    /// Find or make the series of a canonical text, or the overflow series that takes its samples.
    ///
    /// # Errors
    /// `TypeConflict` when the name is live with another kind, `BadName` when it is reserved.
    pub fn place(&mut self, text: &str, name_bytes: usize, kind: Kind, limits: &SeriesLimits) -> Result<Place, Reason> {
        let name = text.get(..name_bytes).unwrap_or_default();
        if name == OVERFLOW {
            return Err(Reason::BadName);
        }
        if let Some(series) = self.find(text.as_bytes()) {
            return Ok(Place::Own(series));
        }
        let known = self.find_name(name);
        if known.is_some_and(|known| known.kind != kind) {
            return Err(Reason::TypeConflict);
        }
        let of_name = known.map_or(0, |known| known.counted as usize);
        if known.is_some() && of_name >= limits.max_series_per_name {
            return Ok(Place::Overflow(self.overflow(name, &[], kind, limits)));
        }
        if self.live >= limits.max_series || !self.has_text_room(limits) {
            return Ok(Place::Overflow(self.overflow(OVERFLOW, &[("kind", kind.word())], kind, limits)));
        }
        Ok(Place::Own(self.make(text, name_bytes, kind, true)))
    }

    /// Say whether the texts leave room for another one.
    #[must_use]
    pub const fn has_text_room(&self, limits: &SeriesLimits) -> bool {
        self.text_bytes < limits.max_series.saturating_mul(TEXT_PER_SERIES)
    }

    /// Remember a raw key of a series, if it has room for one more.
    pub fn add_key(&mut self, key: &[u8], series: u32) {
        let hash = self.hash(key);
        let number = self.free_keys.pop().unwrap_or(u32::try_from(self.keys.len()).unwrap_or(NONE));
        let Some(known) = self.series.get_mut(series as usize).and_then(Option::as_mut) else { return };
        let Some(place) = known.keys.get_mut(usize::from(known.key_count)) else {
            if (number as usize) < self.keys.len() {
                self.free_keys.push(number);
            }
            return;
        };
        *place = number;
        known.key_count += 1;
        let key = Key::new(key, series);
        self.text_bytes += key.long_bytes();
        match self.keys.get_mut(number as usize) {
            Some(free) => *free = key,
            None => self.keys.push(key),
        }
        self.table.insert_unique(spread(hash), (hash, number), |entry| spread(entry.0));
    }

    /// Forget a series.
    pub fn remove(&mut self, number: u32) {
        let Some(series) = self.series.get_mut(number as usize).and_then(Option::take) else { return };
        for key in series.keys.into_iter().take(usize::from(series.key_count)) {
            let Some(hash) = self.key(key).map(|key| self.hash(key.text())) else { continue };
            if let Ok(entry) = self.table.find_entry(spread(hash), |entry| entry.1 == key) {
                entry.remove();
            }
            if let Some(key) = self.keys.get_mut(key as usize) {
                self.text_bytes -= key.long_bytes();
                key.long = None;
            }
            self.free_keys.push(key);
        }
        self.live -= usize::from(series.counted);
        self.text_bytes -= series.identity.text.len();
        let name = series.identity.name();
        let hash = self.hash(name.as_bytes());
        if let Ok(mut entry) = self.names.find_entry(spread(hash), |known| *known.text == *name) {
            let known = entry.get_mut();
            known.series -= 1;
            known.counted -= u32::from(series.counted);
            if known.series == 0 {
                entry.remove();
            }
        }
        if let Some(hot) = self.hot.get_mut(number as usize) {
            hot.seen = u32::MAX;
        }
        self.free_series.push(number);
    }

    /// Series that count against the limit.
    #[must_use]
    pub const fn live(&self) -> usize {
        self.live
    }

    /// Who a series is; None when it is forgotten.
    #[must_use]
    pub fn identity(&self, series: u32) -> Option<&Identity> {
        self.series.get(series as usize).and_then(Option::as_ref).map(|series| &series.identity)
    }

    fn key(&self, number: u32) -> Option<&Key> {
        self.keys.get(number as usize)
    }

    #[inline]
    fn hash(&self, key: &[u8]) -> u32 {
        fold(&self.random, key)
    }

    fn find_name(&self, name: &str) -> Option<&Name> {
        self.names.find(spread(self.hash(name.as_bytes())), |known| *known.text == *name)
    }

    fn overflow(&mut self, name: &str, own: &[(&str, &str)], kind: Kind, limits: &SeriesLimits) -> u32 {
        let mut pairs: Vec<(&str, &str)> =
            limits.global_tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        pairs.extend_from_slice(own);
        pairs.push(("overflow", "true"));
        let mut text = format!("{name}\n");
        tags::append_canonical(&mut text, &mut pairs);
        match self.find(text.as_bytes()) {
            Some(series) => series,
            None => self.make(&text, name.len(), kind, false),
        }
    }

    fn make(&mut self, text: &str, name_bytes: usize, kind: Kind, counted: bool) -> u32 {
        let series =
            Series { identity: Identity { text: text.into(), name_bytes }, keys: [NONE; KEYS], key_count: 0, counted };
        let hot = Hot { cell: NONE, cell_interval: 0, seen: 0, kind };
        let number = self.free_series.pop().unwrap_or(u32::try_from(self.series.len()).unwrap_or(NONE));
        if let (Some(free), Some(old)) = (self.series.get_mut(number as usize), self.hot.get_mut(number as usize)) {
            *free = Some(series);
            *old = hot;
        } else {
            self.series.push(Some(series));
            self.hot.push(hot);
        }
        self.live += usize::from(counted);
        self.text_bytes += text.len();
        self.add_key(text.as_bytes(), number);
        let name = text.get(..name_bytes).unwrap_or_default();
        // The kinds of the one global overflow name differ.
        if name != OVERFLOW {
            self.count_name(name, kind, counted);
        }
        number
    }

    fn count_name(&mut self, name: &str, kind: Kind, counted: bool) {
        let hash = self.hash(name.as_bytes());
        if let Some(known) = self.names.find_mut(spread(hash), |known| *known.text == *name) {
            known.series += 1;
            known.counted += u32::from(counted);
            return;
        }
        let entry = Name { text: name.into(), kind, counted: u32::from(counted), series: 1 };
        let random = &self.random;
        self.names.insert_unique(spread(hash), entry, |known| spread(fold(random, known.text.as_bytes())));
    }
}

/// A hash that the sender cannot foresee.
#[inline]
fn fold(random: &RandomState, key: &[u8]) -> u32 {
    let mut hasher = random.build_hasher();
    hasher.write(key);
    let hash = hasher.finish();
    #[expect(clippy::cast_possible_truncation, reason = "both halves are folded into one")]
    let folded = (hash ^ (hash >> 32)) as u32;
    folded
}

/// The table takes its seven tag bits from the top of 64.
#[inline]
const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use super::{Directory, KEYS, Place, SeriesLimits};
    use crate::kind::Kind;
    use crate::reason::Reason;

    fn limits(all: usize, per_name: usize) -> SeriesLimits {
        SeriesLimits { max_series: all, max_series_per_name: per_name, global_tags: Vec::new() }
    }

    fn place(directory: &mut Directory, text: &str, limits: &SeriesLimits) -> Result<(String, bool), Reason> {
        let name = text.split('\n').next().map_or(0, str::len);
        let placed = directory.place(text, name, Kind::Counter, limits)?;
        let (number, over) = match placed {
            Place::Own(number) => (number, false),
            Place::Overflow(number) => (number, true),
        };
        let identity = directory.identity(number).expect("it was placed");
        Ok((format!("{} {}", identity.name(), identity.tags()), over))
    }

    #[test]
    fn finds_what_it_made() {
        let mut directory = Directory::default();
        let limits = limits(10_000, 100);
        let long = "x".repeat(300);
        for text in ["a", "a\nk=v", &long] {
            assert_eq!(directory.find(text.as_bytes()), None);
            assert!(place(&mut directory, text, &limits).is_ok_and(|placed| !placed.1));
            assert!(directory.find(text.as_bytes()).is_some(), "{text}");
        }
        assert_eq!(directory.live(), 3);
    }

    #[test]
    fn limits_lead_to_overflow_series() {
        let mut directory = Directory::default();
        let limits = limits(3, 2);
        for text in ["m\nk=1", "m\nk=2"] {
            assert!(place(&mut directory, text, &limits).is_ok_and(|placed| !placed.1));
        }
        assert_eq!(place(&mut directory, "m\nk=3", &limits), Ok(("m overflow=true".into(), true)));
        assert!(place(&mut directory, "n", &limits).is_ok_and(|placed| !placed.1));
        assert_eq!(
            place(&mut directory, "o", &limits),
            Ok(("stathouse.overflow kind=counter,overflow=true".into(), true))
        );
        assert_eq!(directory.live(), 3);
        assert_eq!(directory.place("m", 1, Kind::Set, &limits), Err(Reason::TypeConflict));
        assert_eq!(place(&mut directory, "stathouse.overflow", &limits), Err(Reason::BadName));
    }

    #[test]
    fn long_texts_are_bounded_in_all() {
        let mut directory = Directory::default();
        let limits = limits(10, 10);
        let texts: Vec<String> = (0..10).map(|at| format!("m{at}\nk={}", "v".repeat(4_000))).collect();
        let own =
            texts.iter().filter(|text| place(&mut directory, text, &limits).is_ok_and(|placed| !placed.1)).count();
        assert_eq!(own, 3);
        assert!(!directory.has_text_room(&limits));
        for number in 0..4 {
            directory.remove(number);
        }
        assert_eq!(directory.text_bytes, 0);
        assert!(place(&mut directory, &texts[9], &limits).is_ok_and(|placed| !placed.1));
    }

    #[test]
    fn forgets_whole_series() {
        let mut directory = Directory::default();
        let limits = limits(100, 100);
        for round in 0..50 {
            for at in 0..100 {
                let text = format!("name{at}\nround={round}");
                let Ok(Place::Own(number)) =
                    directory.place(&text, text.find('\n').expect("it has tags"), Kind::Gauge, &limits)
                else {
                    panic!("there is room");
                };
                directory.add_key(format!("raw {text}").as_bytes(), number);
            }
            assert_eq!(directory.live(), 100);
            (0..100).for_each(|number| directory.remove(number));
            assert_eq!((directory.live(), directory.table.len(), directory.names.len()), (0, 0, 0));
            assert_eq!(directory.text_bytes, 0);
        }
        assert_eq!((directory.keys.len(), directory.hot.len()), (200, 100));
    }

    #[test]
    fn keys_of_a_series_are_bounded() {
        let mut directory = Directory::default();
        let Ok(Place::Own(number)) = directory.place("m", 1, Kind::Gauge, &limits(10, 10)) else {
            panic!("there is room")
        };
        for at in 0..1_000 {
            directory.add_key(format!("m\n\nform{at}").as_bytes(), number);
        }
        assert_eq!((directory.table.len(), directory.keys.len()), (KEYS, KEYS));
        assert_eq!(directory.find(b"m\n\nform0"), Some(number));
        assert_eq!(directory.find(b"m\n\nform999"), None);
    }
}
