//! Character sets other than UTF-8: what clients may speak, and what literals may be introduced by. Texts are kept in UTF-8.

use encoding_rs::{EncoderResult, Encoding};

/// The encoding of a MySQL character set in which a client may speak: one that has ASCII in its place. `None` for UTF-8,
/// for `binary`, and for what the library does not have.
///
/// `latin1` is MySQL's, which is cp1252; `latin5`, `gb2312` and `tis620` are read by their supersets.
pub fn encoding(charset: &str) -> Option<&'static Encoding> {
    Some(match charset {
        "big5" => encoding_rs::BIG5,
        "cp1250" => encoding_rs::WINDOWS_1250,
        "cp1251" => encoding_rs::WINDOWS_1251,
        "cp1256" => encoding_rs::WINDOWS_1256,
        "cp1257" => encoding_rs::WINDOWS_1257,
        "cp866" => encoding_rs::IBM866,
        "cp932" | "sjis" => encoding_rs::SHIFT_JIS,
        "eucjpms" | "ujis" => encoding_rs::EUC_JP,
        "euckr" => encoding_rs::EUC_KR,
        "gb18030" => encoding_rs::GB18030,
        "gb2312" | "gbk" => encoding_rs::GBK,
        "greek" => encoding_rs::ISO_8859_7,
        "hebrew" => encoding_rs::ISO_8859_8,
        "koi8r" => encoding_rs::KOI8_R,
        "koi8u" => encoding_rs::KOI8_U,
        "latin1" => encoding_rs::WINDOWS_1252,
        "latin2" => encoding_rs::ISO_8859_2,
        "latin5" => encoding_rs::WINDOWS_1254,
        "latin7" => encoding_rs::ISO_8859_13,
        "macroman" => encoding_rs::MACINTOSH,
        "tis620" => encoding_rs::WINDOWS_874,
        _ => return None,
    })
}

/// The text that bytes are in an encoding; `None` if they are none.
pub fn decode(encoding: &'static Encoding, bytes: &[u8]) -> Option<String> {
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(|text| text.into_owned())
}

/// The bytes of a text in an encoding; `?` for what it does not have.
pub fn encode(encoding: &'static Encoding, text: &str) -> Vec<u8> {
    let mut encoder = encoding.new_encoder();
    let mut bytes = Vec::with_capacity(text.len() + 8);
    let mut rest = text;
    loop {
        let room = encoder.max_buffer_length_from_utf8_without_replacement(rest.len()).unwrap_or(rest.len() * 4 + 16);
        bytes.reserve(room);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return bytes,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => bytes.push(b'?'),
        }
    }
}

/// The text that a literal's bytes are in the character set that introduces it, `Some(None)` if they are none. `None` for a
/// character set that is not known here.
pub fn introduced(charset: &str, bytes: &[u8]) -> Option<Option<String>> {
    let units = |from: fn([u8; 2]) -> u16| {
        let (pairs, []) = bytes.as_chunks::<2>() else { return None };
        char::decode_utf16(pairs.iter().map(|p| from(*p))).collect::<Result<String, _>>().ok()
    };
    Some(match charset {
        "utf8mb4" | "utf8mb3" | "utf8" | "ascii" => std::str::from_utf8(bytes).ok().map(str::to_string),
        "ucs2" | "utf16" => units(u16::from_be_bytes),
        "utf16le" => units(u16::from_le_bytes),
        "utf32" => match bytes.as_chunks::<4>() {
            (fours, []) => fours.iter().map(|f| char::from_u32(u32::from_be_bytes(*f))).collect(),
            _ => None,
        },
        name => decode(encoding(name)?, bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_there_and_back() {
        let there = |charset: &str, text: &str| encode(encoding(charset).expect(charset), text);
        assert_eq!(there("latin1", "é€"), [0xe9, 0x80]);
        assert_eq!(there("cp1251", "я"), [0xff]);
        assert_eq!(there("latin1", "aяb"), b"a?b");
        for (charset, text) in [("latin2", "ž"), ("koi8r", "мир"), ("gbk", "中文"), ("sjis", "ソ表"), ("euckr", "한글")]
        {
            let bytes = there(charset, text);
            assert_eq!(decode(encoding(charset).unwrap(), &bytes).as_deref(), Some(text), "{charset}");
        }
        assert_eq!(decode(encoding("gbk").unwrap(), &[0xff, 0xff]), None);
        assert!(encoding("swe7").is_none() && encoding("ucs2").is_none() && encoding("utf8mb4").is_none());
    }

    #[test]
    fn introduced_bytes_are_of_their_charset() {
        assert_eq!(introduced("ucs2", &[0x00, 0x41, 0x04, 0x2f]), Some(Some("AЯ".to_string())));
        assert_eq!(introduced("utf32", &[0, 1, 0xf6, 0]), Some(Some("😀".to_string())));
        assert_eq!(
            (introduced("utf16", &[0xd8]), introduced("latin1", &[0xe9])),
            (Some(None), Some(Some("é".to_string())))
        );
        assert_eq!(introduced("dec8", b"a"), None);
    }
}
