//! Reading and writing the little binary forms: varints, zigzag, little-endian doubles.
//!
//! A reader never panics and never allocates by what a length field claims.

/// Append an unsigned integer, seven bits a byte, the lowest first.
pub fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or_default() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or_default());
}

/// Append a signed integer as a zigzag varint.
pub fn put_zigzag(out: &mut Vec<u8>, value: i64) {
    put_varint(out, ((value << 1) ^ (value >> 63)).cast_unsigned());
}

/// Takes bytes apart from the front.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next bytes.
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// The next 8 bytes, little-endian.
    pub fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*word))
    }

    /// The next double.
    pub fn double(&mut self) -> Option<f64> {
        self.word().map(f64::from_bits)
    }

    /// The next varint.
    pub fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let part = u64::from(byte & 0x7f);
            if shift == 63 && part > 1 {
                return None;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The next zigzag varint.
    pub fn zigzag(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Cursor, put_varint, put_zigzag};

    #[test]
    fn integers_come_back() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            put_zigzag(&mut out, value.cast_signed());
            let mut cursor = Cursor(&out);
            assert_eq!((cursor.varint(), cursor.zigzag()), (Some(value), Some(value.cast_signed())));
            assert!(cursor.0.is_empty());
        }
    }

    #[test]
    fn bad_bytes_are_none() {
        assert_eq!(Cursor(&[0x80; 3]).varint(), None);
        assert_eq!(Cursor(&[0xff; 11]).varint(), None);
        assert_eq!(Cursor(&[0; 7]).word(), None);
        assert_eq!(Cursor(&[1]).take(2), None);
    }
}
