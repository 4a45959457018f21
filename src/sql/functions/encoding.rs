//! Base64, compression and checksums (manual, "String Functions and Operators", "Encryption and Compression Functions",
//! "Mathematical Functions").

use super::argument::{bytes, maybe_int, maybe_text, nth, text};
use super::registry::{Function, LONGEST};
use crate::sql::error::Error;
use crate::types::Value;
use std::io::{Read, Write};

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, arity: $arity, deterministic: true, eval: $eval }),+];
    };
}

functions! {
    "marmot_to_base64" 1 |_, a| Ok(maybe_text(bytes(&a[0]).map(|b| to_base64(&b))));
    "marmot_from_base64" 1 |_, a| Ok(from_base64(&a[0]));
    "marmot_compress" 1 |_, a| compress(&a[0]);
    "marmot_uncompress" 1 |_, a| Ok(uncompress(&a[0]));
    "marmot_uncompressed_length" 1 |_, a| Ok(maybe_int(bytes(&a[0]).map(|b| length_before(&b).unwrap_or(0))));
    "marmot_crc32" -1 |_, a| Ok(checksum(a, 0xedb8_8320));
    "marmot_crc32c" -1 |_, a| Ok(checksum(a, 0x82f6_3b78));
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn to_base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (i, chunk) in bytes.chunks(3).enumerate() {
        if i > 0 && i % 19 == 0 {
            out.push('\n');
        }
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for k in 0..4 {
            let digit = BASE64[(n >> (18 - 6 * k) & 63) as usize];
            out.push(if k <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

fn from_base64(value: &Value) -> Value {
    let Some(encoded) = text(value) else { return Value::Null };
    let mut out = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    let digits: Vec<u8> = encoded.bytes().filter(|c| !c.is_ascii_whitespace()).collect();
    let padding = digits.iter().rev().take_while(|c| **c == b'=').count();
    // Four digits make three bytes; up to two of the last four are filled up.
    if !digits.len().is_multiple_of(4) || padding > 2 {
        return Value::Null;
    }
    for c in digits.iter().take(digits.len() - padding) {
        let Some(digit) = BASE64.iter().position(|b| b == c) else { return Value::Null };
        bits = bits << 6 | digit as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Value::Blob(out.into())
}

/// The length that a compressed string begins with: four bytes, the lowest first.
fn length_before(bytes: &[u8]) -> Option<i64> {
    let head: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    Some(i64::from(u32::from_le_bytes(head) & 0x3fff_ffff))
}

/// `COMPRESS(string)`: the length, then zlib's format. An empty string stays empty.
fn compress(value: &Value) -> Result<Value, Error> {
    let Some(whole) = bytes(value) else { return Ok(Value::Null) };
    if whole.is_empty() {
        return Ok(Value::Blob(whole.into_owned().into()));
    }
    let length = u32::try_from(whole.len()).map_err(|_| Error::malformed_payload("length to compress"))?;
    let mut encoder = flate2::write::ZlibEncoder::new(length.to_le_bytes().to_vec(), flate2::Compression::default());
    let packed = encoder.write_all(&whole).and_then(|()| encoder.finish());
    Ok(Value::Blob(packed.map_err(|_| Error::malformed_payload("string to compress"))?.into()))
}

/// `UNCOMPRESS(string)`: NULL for what COMPRESS did not make.
fn uncompress(value: &Value) -> Value {
    let Some(packed) = bytes(value) else { return Value::Null };
    if packed.is_empty() {
        return Value::Blob(packed.into_owned().into());
    }
    let Some(length) = length_before(&packed) else { return Value::Null };
    let mut out = Vec::new();
    let read = flate2::read::ZlibDecoder::new(&packed[4..]).take(LONGEST as u64).read_to_end(&mut out);
    if read.is_ok() && out.len() as i64 == length { Value::Blob(out.into()) } else { Value::Null }
}

/// `CRC32([begin,] string)` and its kin, by a reversed polynomial.
fn checksum(a: &[Value], polynomial: u32) -> Value {
    let (begin, whole) = match a {
        [begin, whole] => (super::argument::integer(begin).map(|n| n as u32), bytes(whole)),
        _ => (Some(0), bytes(nth(a, 0))),
    };
    let (Some(begin), Some(whole)) = (begin, whole) else { return Value::Null };
    let step = |crc: u32, byte: &u8| {
        let crc = crc ^ u32::from(*byte);
        (0..8).fold(crc, |c, _| if c & 1 == 1 { (c >> 1) ^ polynomial } else { c >> 1 })
    };
    Value::Int(i64::from(!whole.iter().fold(!begin, step)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Value {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&super::super::FunctionContext::default(), arguments).unwrap()
    }

    #[test]
    fn there_and_back() {
        let t = Value::from;
        assert_eq!(call("marmot_to_base64", &[t("abc")]), t("YWJj"));
        assert_eq!(call("marmot_from_base64", &[t("YWI=")]), Value::Blob(b"ab".as_slice().into()));
        assert_eq!(call("marmot_from_base64", &[t("ABCD=")]), Value::Null);
        assert_eq!(call("marmot_from_base64", &[t("=")]), Value::Null);
        let packed = call("marmot_compress", &[Value::text("a".repeat(1000))]);
        assert_eq!(call("marmot_uncompressed_length", std::slice::from_ref(&packed)), Value::Int(1000));
        assert_eq!(call("marmot_uncompress", &[packed]), Value::Blob("a".repeat(1000).into_bytes().into()));
        assert_eq!(call("marmot_uncompress", &[t("any string")]), Value::Null);
        assert_eq!(call("marmot_crc32", &[t("MySQL")]), Value::Int(3_259_397_556));
        assert_eq!(call("marmot_crc32", &[call("marmot_crc32", &[t("My")]), t("SQL")]), Value::Int(3_259_397_556));
        assert_eq!(call("marmot_crc32c", &[t("123456789")]), Value::Int(0xe306_9283));
    }
}
