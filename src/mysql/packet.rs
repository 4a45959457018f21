//! The protocol's basic data types: integers, length-encoded integers and strings, both directions.

use super::SqlError;

/// Largest payload of one frame; a longer packet continues in the next frame.
pub const FRAME_PAYLOAD_MAX: usize = 0xff_ffff;

/// Appends protocol types to a payload.
pub(super) trait Payload {
    fn put_u8(&mut self, x: u8);
    fn put_u16(&mut self, x: u16);
    fn put_u24(&mut self, x: u32);
    fn put_u32(&mut self, x: u32);
    fn put_u64(&mut self, x: u64);
    fn put_bytes(&mut self, x: &[u8]);
    /// A length-encoded integer.
    fn put_lenenc(&mut self, x: u64);

    fn put_lenenc_bytes(&mut self, x: &[u8]) {
        self.put_lenenc(x.len() as u64);
        self.put_bytes(x);
    }
    /// A string ended by a zero byte. The caller's text holds none.
    fn put_nul_text(&mut self, x: &str) {
        self.put_bytes(x.as_bytes());
        self.put_u8(0);
    }
}

impl Payload for Vec<u8> {
    fn put_u8(&mut self, x: u8) {
        self.push(x);
    }
    fn put_u16(&mut self, x: u16) {
        self.extend_from_slice(&x.to_le_bytes());
    }
    fn put_u24(&mut self, x: u32) {
        self.extend_from_slice(&x.to_le_bytes()[..3]);
    }
    fn put_u32(&mut self, x: u32) {
        self.extend_from_slice(&x.to_le_bytes());
    }
    fn put_u64(&mut self, x: u64) {
        self.extend_from_slice(&x.to_le_bytes());
    }
    fn put_bytes(&mut self, x: &[u8]) {
        self.extend_from_slice(x);
    }
    fn put_lenenc(&mut self, x: u64) {
        match x {
            0..=250 => self.put_u8(x as u8),
            251..=0xffff => {
                self.put_u8(0xfc);
                self.put_u16(x as u16);
            }
            0x1_0000..=0xff_ffff => {
                self.put_u8(0xfd);
                self.put_u24(x as u32);
            }
            _ => {
                self.put_u8(0xfe);
                self.put_u64(x);
            }
        }
    }
}

/// A payload that ended too early or holds an impossible length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl From<Malformed> for SqlError {
    fn from(_: Malformed) -> SqlError {
        SqlError::malformed()
    }
}

/// Reads protocol types from a payload; every read is checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        Reader { rest: payload }
    }
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let (head, rest) = self.rest.split_at_checked(n).ok_or(Malformed)?;
        self.rest = rest;
        Ok(head)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed)?;
        self.rest = rest;
        Ok(*head)
    }
    pub fn u8(&mut self) -> Result<u8, Malformed> {
        self.array::<1>().map(|[x]| x)
    }
    pub fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_le_bytes)
    }
    pub fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_le_bytes)
    }
    pub fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }
    /// A length-encoded integer. `0xfb` (NULL) and `0xff` (error) are malformed here.
    pub fn lenenc(&mut self) -> Result<u64, Malformed> {
        match self.u8()? {
            x @ 0..=0xfa => Ok(u64::from(x)),
            0xfc => self.u16().map(u64::from),
            0xfd => self.array::<3>().map(|[a, b, c]| u64::from(u32::from_le_bytes([a, b, c, 0]))),
            0xfe => self.u64(),
            0xfb | 0xff => Err(Malformed),
        }
    }
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let n = self.lenenc()?;
        self.bytes(usize::try_from(n).map_err(|_| Malformed)?)
    }
    /// Up to a zero byte, which is consumed.
    pub fn nul_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let end = self.rest.iter().position(|b| *b == 0).ok_or(Malformed)?;
        let text = self.bytes(end)?;
        self.bytes(1)?;
        Ok(text)
    }
    /// Up to a zero byte or, where old clients leave it out, the end.
    pub fn nul_or_rest(&mut self) -> &'a [u8] {
        self.nul_bytes().unwrap_or_else(|_| self.rest())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn boundaries_of_length_encoded_integers() {
        let cases: [(u64, &[u8]); 6] = [
            (250, &[250]),
            (251, &[0xfc, 251, 0]),
            (0xffff, &[0xfc, 0xff, 0xff]),
            (0x1_0000, &[0xfd, 0, 0, 1]),
            (0xff_ffff, &[0xfd, 0xff, 0xff, 0xff]),
            (0x100_0000, &[0xfe, 0, 0, 0, 1, 0, 0, 0, 0]),
        ];
        for (x, bytes) in cases {
            let mut out = Vec::new();
            out.put_lenenc(x);
            assert_eq!(out, bytes);
        }
        assert_eq!(Reader::new(&[0xfb]).lenenc(), Err(Malformed));
        assert_eq!(Reader::new(&[0xff]).lenenc(), Err(Malformed));
        assert_eq!(
            Reader::new(&[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).lenenc_bytes(),
            Err(Malformed)
        );
    }

    #[test]
    fn strings_without_their_end_are_malformed() {
        assert_eq!(Reader::new(b"abc").nul_bytes(), Err(Malformed));
        assert_eq!(Reader::new(b"abc").nul_or_rest(), b"abc");
        assert_eq!(Reader::new(b"ab\0c").nul_or_rest(), b"ab");
        assert_eq!(Reader::new(b"\x05ab").lenenc_bytes(), Err(Malformed));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(x: u64, text: Vec<u8>, a: u16, b: u32) {
            let mut out = Vec::new();
            out.put_lenenc(x);
            out.put_lenenc_bytes(&text);
            out.put_u16(a);
            out.put_u32(b);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.lenenc(), Ok(x));
            prop_assert_eq!(reader.lenenc_bytes(), Ok(&text[..]));
            prop_assert_eq!(reader.u16(), Ok(a));
            prop_assert_eq!(reader.u32(), Ok(b));
            prop_assert!(reader.is_empty());
        }
    }
}
