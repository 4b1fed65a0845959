//! `HyperLogLog`: how many distinct members, mergeable, exact while small.
//!
//! A member is the xxh3-64 hash (seed 0) of its UTF-8 bytes. Up to 1,024 distinct hashes are kept as they are; beyond
//! that 2¹⁴ registers hold the longest run of zeros seen (precision 14, standard error 0.81 %). The estimate is the
//! improved one of O. Ertl, *New cardinality estimation algorithms for `HyperLogLog` sketches*
//! (<https://arxiv.org/abs/1702.01284>, algorithm 6), which is right for small and large counts without other
//! corrections.
//!
//! # Bytes, version 1
//!
//! | part | form |
//! |---|---|
//! | version | 1 byte, `1` |
//! | form | 1 byte: 0 = hashes, 1 = few registers, 2 = all registers |
//! | 0 | varint n ≤ 1024; n hashes, 8 bytes little-endian each, ascending |
//! | 1 | varint n; n times: varint difference to the register before (the first counts from −1), 1 byte value |
//! | 2 | 16,384 bytes, one for each register |

use xxhash_rust::xxh3::xxh3_64;

use crate::bytes::{Cursor, put_varint};
use crate::sketch::Damage;

const VERSION: u8 = 1;
const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// A hash has 50 bits behind the register number; one more means that all of them are zero.
const HIGHEST: u8 = 51;
const EXACT: usize = 1_024;
/// Below this many registers the list of them is shorter than all of them.
const FEW: usize = 5_000;
/// 1 / (2 ln 2)
const ALPHA_INFINITY: f64 = 0.721_347_520_444_481_7;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Ascending.
    Hashes(Vec<u64>),
    Registers(Box<[u8]>),
}

/// A set whose size is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distinct(Form);

impl Default for Distinct {
    fn default() -> Self {
        Self(Form::Hashes(Vec::new()))
    }
}

impl Distinct {
    /// Add a member.
    pub fn add(&mut self, member: &[u8]) {
        self.add_hash(xxh3_64(member));
    }

    fn add_hash(&mut self, hash: u64) {
        match &mut self.0 {
            Form::Hashes(hashes) => {
                if let Err(at) = hashes.binary_search(&hash) {
                    if hashes.len() == EXACT {
                        self.0 = Form::Registers(spread(hashes));
                        self.add_hash(hash);
                    } else {
                        hashes.insert(at, hash);
                    }
                }
            }
            Form::Registers(registers) => raise(registers, hash),
        }
    }

    /// Add all members of another set.
    pub fn merge(&mut self, other: &Self) {
        match &other.0 {
            Form::Hashes(hashes) => hashes.iter().for_each(|hash| self.add_hash(*hash)),
            Form::Registers(theirs) => {
                if let Form::Hashes(hashes) = &self.0 {
                    self.0 = Form::Registers(spread(hashes));
                }
                if let Form::Registers(ours) = &mut self.0 {
                    for (our, their) in ours.iter_mut().zip(theirs) {
                        *our = (*our).max(*their);
                    }
                }
            }
        }
    }

    /// About how many distinct members were added.
    #[must_use]
    pub fn estimate(&self) -> f64 {
        match &self.0 {
            #[expect(clippy::cast_precision_loss, reason = "at most 1,024")]
            Form::Hashes(hashes) => hashes.len() as f64,
            Form::Registers(registers) => ertl(registers),
        }
    }

    /// Append the bytes of version 1.
    pub fn put(&self, out: &mut Vec<u8>) {
        out.push(VERSION);
        match &self.0 {
            Form::Hashes(hashes) => {
                out.push(0);
                put_varint(out, hashes.len() as u64);
                out.extend(hashes.iter().flat_map(|hash| hash.to_le_bytes()));
            }
            Form::Registers(registers) => {
                let used = registers.iter().filter(|register| **register > 0).count();
                if used > FEW {
                    out.push(2);
                    out.extend_from_slice(registers);
                    return;
                }
                out.push(1);
                put_varint(out, used as u64);
                let mut after = 0;
                for (at, register) in registers.iter().enumerate().filter(|(_, register)| **register > 0) {
                    put_varint(out, (at + 1 - after) as u64);
                    out.push(*register);
                    after = at + 1;
                }
            }
        }
    }

    /// Return the bytes of version 1.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// Read bytes of any version up to this one.
    ///
    /// # Errors
    /// The bytes are no set: every field is checked.
    pub fn from_bytes(data: &[u8]) -> Result<Self, Damage> {
        match data {
            [VERSION, form, rest @ ..] => Self::take(*form, Cursor(rest)).ok_or(Damage::Malformed),
            [version, ..] if *version > VERSION => Err(Damage::Version(*version)),
            _ => Err(Damage::Malformed),
        }
    }

    fn take(form: u8, mut cursor: Cursor<'_>) -> Option<Self> {
        let form = match form {
            0 => {
                let length = usize::try_from(cursor.varint()?).ok().filter(|length| *length <= EXACT)?;
                let hashes: Vec<u64> = (0..length).map(|_| cursor.word()).collect::<Option<_>>()?;
                Form::Hashes(hashes.is_sorted_by(|one, two| one < two).then_some(hashes)?)
            }
            1 => {
                let length = cursor.varint().filter(|length| *length <= FEW as u64)?;
                let mut registers = vec![0; REGISTERS].into_boxed_slice();
                let mut after = 0_usize;
                for _ in 0..length {
                    let step = cursor.varint().filter(|step| (1..=REGISTERS as u64).contains(step))?;
                    after += usize::try_from(step).ok()?;
                    *registers.get_mut(after - 1)? = cursor.byte().filter(|value| (1..=HIGHEST).contains(value))?;
                }
                Form::Registers(registers)
            }
            2 => {
                let registers = cursor.take(REGISTERS)?;
                let valid = registers.iter().all(|register| *register <= HIGHEST);
                Form::Registers(valid.then(|| registers.to_vec().into_boxed_slice())?)
            }
            _ => return None,
        };
        cursor.0.is_empty().then_some(Self(form))
    }
}

fn spread(hashes: &[u64]) -> Box<[u8]> {
    let mut registers = vec![0; REGISTERS].into_boxed_slice();
    for hash in hashes {
        raise(&mut registers, *hash);
    }
    registers
}

/// The top bits choose the register; the zeros that follow, plus one, are its value.
fn raise(registers: &mut [u8], hash: u64) {
    let register = usize::try_from(hash >> (64 - PRECISION)).unwrap_or_default();
    let zeros = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros();
    let value = u8::try_from(zeros + 1).unwrap_or(HIGHEST);
    if let Some(register) = registers.get_mut(register) {
        *register = (*register).max(value);
    }
}

fn ertl(registers: &[u8]) -> f64 {
    let mut counts = [0_u32; HIGHEST as usize + 1];
    for register in registers {
        if let Some(count) = counts.get_mut(usize::from(*register)) {
            *count += 1;
        }
    }
    let m = f64::from(1_u32 << PRECISION);
    let share = |count: Option<&u32>| f64::from(count.copied().unwrap_or_default()) / m;
    let mut z = m * tau(1.0 - share(counts.last()));
    for count in counts.iter().skip(1).take(usize::from(HIGHEST) - 1).rev() {
        z = 0.5 * (z + f64::from(*count));
    }
    z += m * sigma(share(counts.first()));
    ALPHA_INFINITY * m * m / z
}

fn sigma(mut x: f64) -> f64 {
    if x >= 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z <= before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z >= before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Distinct, EXACT};
    use crate::sketch::Damage;

    fn of(range: std::ops::Range<u32>) -> Distinct {
        let mut set = Distinct::default();
        range.for_each(|member| set.add(member.to_string().as_bytes()));
        set
    }

    #[test]
    fn exact_while_small() {
        let mut set = of(0..1_024);
        set.add(b"7");
        assert_eq!(set.estimate(), 1_024.0);
        assert_eq!(Distinct::default().estimate(), 0.0);
    }

    #[test]
    fn close_when_large() {
        for count in [1_025_u32, 2_000, 5_000, 20_000, 60_000, 300_000] {
            let share = of(0..count).estimate() / f64::from(count);
            assert!((share - 1.0).abs() < 0.03, "{count} {share}");
        }
    }

    #[test]
    fn merging_is_adding() {
        for (one, two) in [(0..10, 5..20), (0..900, 800..2_000), (0..3_000, 100..200), (0..9_000, 5_000..40_000)] {
            let whole = of(one.start.min(two.start)..one.end.max(two.end));
            let mut merged = of(one.clone());
            merged.merge(&of(two.clone()));
            let mut other = of(two);
            other.merge(&of(one));
            assert_eq!((&merged, &other), (&whole, &whole));
        }
    }

    #[test]
    fn bytes_come_back() {
        for count in [0_u32, 1, 1_024, 1_025, 4_000, 30_000] {
            let set = of(0..count);
            let bytes = set.to_bytes();
            assert_eq!(Distinct::from_bytes(&bytes), Ok(set));
            for end in [0, 1, 2, bytes.len() / 2, bytes.len() - 1] {
                if end < bytes.len() {
                    assert_eq!(Distinct::from_bytes(&bytes[..end]), Err(Damage::Malformed));
                }
            }
        }
        assert_eq!(of(0..1).to_bytes().len(), 11);
    }

    #[test]
    fn damaged_bytes_are_refused() {
        assert_eq!(Distinct::from_bytes(&[9, 0, 0]), Err(Damage::Version(9)));
        assert_eq!(Distinct::from_bytes(&[1, 7, 0]), Err(Damage::Malformed));
        assert_eq!(Distinct::from_bytes(&[1, 0, 0xff, 0xff, 0xff, 0x7f]), Err(Damage::Malformed));
        assert_eq!(Distinct::from_bytes(&[1, 1, 1, 1, 52]), Err(Damage::Malformed));
        assert_eq!(Distinct::from_bytes(&[1, 1, 1, 0xff, 0xff, 0x7f, 1]), Err(Damage::Malformed));
        let mut twice = of(0..2).to_bytes();
        let (first, second) = (twice[3..11].to_vec(), twice[11..19].to_vec());
        twice.splice(3..19, second.into_iter().chain(first));
        assert_eq!(Distinct::from_bytes(&twice), Err(Damage::Malformed));
        assert_eq!(EXACT, 1_024);
    }
}
