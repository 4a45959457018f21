//! Character sets and collations Marmot knows by name. Text is kept in UTF-8; what a client speaks is converted on its way
//! in and out ([`crate::sql::encoding`]), and one that Marmot cannot convert is refused.

/// One collation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collation {
    pub name: &'static str,
    pub charset: &'static str,
    /// MySQL's number, which result metadata carries.
    pub id: u16,
    pub is_default: bool,
}

/// One character set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset {
    pub name: &'static str,
    pub description: &'static str,
    /// Longest character in bytes.
    pub max_length: u8,
    /// Whether a client may speak it: it is UTF-8, or can be converted.
    pub spoken: bool,
}

const fn c(name: &'static str, charset: &'static str, id: u16, is_default: bool) -> Collation {
    Collation { name, charset, id, is_default }
}

/// Collations by name.
#[rustfmt::skip]
pub const COLLATIONS: &[Collation] = &[
    c("armscii8_bin", "armscii8", 64, false),
    c("armscii8_general_ci", "armscii8", 32, true),
    c("ascii_bin", "ascii", 65, false),
    c("ascii_general_ci", "ascii", 11, true),
    c("big5_bin", "big5", 84, false),
    c("big5_chinese_ci", "big5", 1, true),
    c("binary", "binary", 63, true),
    c("cp1250_bin", "cp1250", 66, false),
    c("cp1250_croatian_ci", "cp1250", 44, false),
    c("cp1250_czech_cs", "cp1250", 34, false),
    c("cp1250_general_ci", "cp1250", 26, true),
    c("cp1250_polish_ci", "cp1250", 99, false),
    c("cp1251_bin", "cp1251", 50, false),
    c("cp1251_bulgarian_ci", "cp1251", 14, false),
    c("cp1251_general_ci", "cp1251", 51, true),
    c("cp1251_general_cs", "cp1251", 52, false),
    c("cp1251_ukrainian_ci", "cp1251", 23, false),
    c("cp1256_bin", "cp1256", 67, false),
    c("cp1256_general_ci", "cp1256", 57, true),
    c("cp1257_bin", "cp1257", 58, false),
    c("cp1257_general_ci", "cp1257", 59, true),
    c("cp1257_lithuanian_ci", "cp1257", 29, false),
    c("cp850_bin", "cp850", 80, false),
    c("cp850_general_ci", "cp850", 4, true),
    c("cp852_bin", "cp852", 81, false),
    c("cp852_general_ci", "cp852", 40, true),
    c("cp866_bin", "cp866", 68, false),
    c("cp866_general_ci", "cp866", 36, true),
    c("cp932_bin", "cp932", 96, false),
    c("cp932_japanese_ci", "cp932", 95, true),
    c("dec8_bin", "dec8", 69, false),
    c("dec8_swedish_ci", "dec8", 3, true),
    c("eucjpms_bin", "eucjpms", 98, false),
    c("eucjpms_japanese_ci", "eucjpms", 97, true),
    c("euckr_bin", "euckr", 85, false),
    c("euckr_korean_ci", "euckr", 19, true),
    c("gb2312_bin", "gb2312", 86, false),
    c("gb2312_chinese_ci", "gb2312", 24, true),
    c("gbk_bin", "gbk", 87, false),
    c("gbk_chinese_ci", "gbk", 28, true),
    c("geostd8_bin", "geostd8", 93, false),
    c("geostd8_general_ci", "geostd8", 92, true),
    c("greek_bin", "greek", 70, false),
    c("greek_general_ci", "greek", 25, true),
    c("hebrew_bin", "hebrew", 71, false),
    c("hebrew_general_ci", "hebrew", 16, true),
    c("hp8_bin", "hp8", 72, false),
    c("hp8_english_ci", "hp8", 6, true),
    c("keybcs2_bin", "keybcs2", 73, false),
    c("keybcs2_general_ci", "keybcs2", 37, true),
    c("koi8r_bin", "koi8r", 74, false),
    c("koi8r_general_ci", "koi8r", 7, true),
    c("koi8u_bin", "koi8u", 75, false),
    c("koi8u_general_ci", "koi8u", 22, true),
    c("latin1_bin", "latin1", 47, false),
    c("latin1_danish_ci", "latin1", 15, false),
    c("latin1_general_ci", "latin1", 48, false),
    c("latin1_general_cs", "latin1", 49, false),
    c("latin1_german1_ci", "latin1", 5, false),
    c("latin1_german2_ci", "latin1", 31, false),
    c("latin1_spanish_ci", "latin1", 94, false),
    c("latin1_swedish_ci", "latin1", 8, true),
    c("latin2_bin", "latin2", 77, false),
    c("latin2_croatian_ci", "latin2", 27, false),
    c("latin2_czech_cs", "latin2", 2, false),
    c("latin2_general_ci", "latin2", 9, true),
    c("latin2_hungarian_ci", "latin2", 21, false),
    c("latin5_bin", "latin5", 78, false),
    c("latin5_turkish_ci", "latin5", 30, true),
    c("latin7_bin", "latin7", 79, false),
    c("latin7_estonian_cs", "latin7", 20, false),
    c("latin7_general_ci", "latin7", 41, true),
    c("latin7_general_cs", "latin7", 42, false),
    c("macce_bin", "macce", 43, false),
    c("macce_general_ci", "macce", 38, true),
    c("macroman_bin", "macroman", 53, false),
    c("macroman_general_ci", "macroman", 39, true),
    c("sjis_bin", "sjis", 88, false),
    c("sjis_japanese_ci", "sjis", 13, true),
    c("swe7_bin", "swe7", 82, false),
    c("swe7_swedish_ci", "swe7", 10, true),
    c("tis620_bin", "tis620", 89, false),
    c("tis620_thai_ci", "tis620", 18, true),
    c("ucs2_bin", "ucs2", 90, false),
    c("ucs2_croatian_mysql561_ci", "ucs2", 149, false),
    c("ucs2_czech_ci", "ucs2", 138, false),
    c("ucs2_danish_ci", "ucs2", 139, false),
    c("ucs2_esperanto_ci", "ucs2", 145, false),
    c("ucs2_estonian_ci", "ucs2", 134, false),
    c("ucs2_general_ci", "ucs2", 35, true),
    c("ucs2_general_mysql500_ci", "ucs2", 159, false),
    c("ucs2_german2_ci", "ucs2", 148, false),
    c("ucs2_hungarian_ci", "ucs2", 146, false),
    c("ucs2_icelandic_ci", "ucs2", 129, false),
    c("ucs2_latvian_ci", "ucs2", 130, false),
    c("ucs2_lithuanian_ci", "ucs2", 140, false),
    c("ucs2_persian_ci", "ucs2", 144, false),
    c("ucs2_polish_ci", "ucs2", 133, false),
    c("ucs2_roman_ci", "ucs2", 143, false),
    c("ucs2_romanian_ci", "ucs2", 131, false),
    c("ucs2_sinhala_ci", "ucs2", 147, false),
    c("ucs2_slovak_ci", "ucs2", 141, false),
    c("ucs2_slovenian_ci", "ucs2", 132, false),
    c("ucs2_spanish2_ci", "ucs2", 142, false),
    c("ucs2_spanish_ci", "ucs2", 135, false),
    c("ucs2_swedish_ci", "ucs2", 136, false),
    c("ucs2_turkish_ci", "ucs2", 137, false),
    c("ucs2_unicode_520_ci", "ucs2", 150, false),
    c("ucs2_unicode_ci", "ucs2", 128, false),
    c("ucs2_vietnamese_ci", "ucs2", 151, false),
    c("ujis_bin", "ujis", 91, false),
    c("ujis_japanese_ci", "ujis", 12, true),
    c("utf16_bin", "utf16", 55, false),
    c("utf16_croatian_mysql561_ci", "utf16", 122, false),
    c("utf16_czech_ci", "utf16", 111, false),
    c("utf16_danish_ci", "utf16", 112, false),
    c("utf16_esperanto_ci", "utf16", 118, false),
    c("utf16_estonian_ci", "utf16", 107, false),
    c("utf16_general_ci", "utf16", 54, true),
    c("utf16_german2_ci", "utf16", 121, false),
    c("utf16_hungarian_ci", "utf16", 119, false),
    c("utf16_icelandic_ci", "utf16", 102, false),
    c("utf16_latvian_ci", "utf16", 103, false),
    c("utf16_lithuanian_ci", "utf16", 113, false),
    c("utf16_persian_ci", "utf16", 117, false),
    c("utf16_polish_ci", "utf16", 106, false),
    c("utf16_roman_ci", "utf16", 116, false),
    c("utf16_romanian_ci", "utf16", 104, false),
    c("utf16_sinhala_ci", "utf16", 120, false),
    c("utf16_slovak_ci", "utf16", 114, false),
    c("utf16_slovenian_ci", "utf16", 105, false),
    c("utf16_spanish2_ci", "utf16", 115, false),
    c("utf16_spanish_ci", "utf16", 108, false),
    c("utf16_swedish_ci", "utf16", 109, false),
    c("utf16_turkish_ci", "utf16", 110, false),
    c("utf16_unicode_520_ci", "utf16", 123, false),
    c("utf16_unicode_ci", "utf16", 101, false),
    c("utf16_vietnamese_ci", "utf16", 124, false),
    c("utf16le_bin", "utf16le", 62, false),
    c("utf16le_general_ci", "utf16le", 56, true),
    c("utf32_bin", "utf32", 61, false),
    c("utf32_croatian_mysql561_ci", "utf32", 181, false),
    c("utf32_czech_ci", "utf32", 170, false),
    c("utf32_danish_ci", "utf32", 171, false),
    c("utf32_esperanto_ci", "utf32", 177, false),
    c("utf32_estonian_ci", "utf32", 166, false),
    c("utf32_general_ci", "utf32", 60, true),
    c("utf32_german2_ci", "utf32", 180, false),
    c("utf32_hungarian_ci", "utf32", 178, false),
    c("utf32_icelandic_ci", "utf32", 161, false),
    c("utf32_latvian_ci", "utf32", 162, false),
    c("utf32_lithuanian_ci", "utf32", 172, false),
    c("utf32_persian_ci", "utf32", 176, false),
    c("utf32_polish_ci", "utf32", 165, false),
    c("utf32_roman_ci", "utf32", 175, false),
    c("utf32_romanian_ci", "utf32", 163, false),
    c("utf32_sinhala_ci", "utf32", 179, false),
    c("utf32_slovak_ci", "utf32", 173, false),
    c("utf32_slovenian_ci", "utf32", 164, false),
    c("utf32_spanish2_ci", "utf32", 174, false),
    c("utf32_spanish_ci", "utf32", 167, false),
    c("utf32_swedish_ci", "utf32", 168, false),
    c("utf32_turkish_ci", "utf32", 169, false),
    c("utf32_unicode_520_ci", "utf32", 182, false),
    c("utf32_unicode_ci", "utf32", 160, false),
    c("utf32_vietnamese_ci", "utf32", 183, false),
    c("utf8mb3_bin", "utf8mb3", 83, false),
    c("utf8mb3_croatian_mysql561_ci", "utf8mb3", 213, false),
    c("utf8mb3_czech_ci", "utf8mb3", 202, false),
    c("utf8mb3_danish_ci", "utf8mb3", 203, false),
    c("utf8mb3_esperanto_ci", "utf8mb3", 209, false),
    c("utf8mb3_estonian_ci", "utf8mb3", 198, false),
    c("utf8mb3_general_ci", "utf8mb3", 33, true),
    c("utf8mb3_general_mysql500_ci", "utf8mb3", 223, false),
    c("utf8mb3_german2_ci", "utf8mb3", 212, false),
    c("utf8mb3_hungarian_ci", "utf8mb3", 210, false),
    c("utf8mb3_icelandic_ci", "utf8mb3", 193, false),
    c("utf8mb3_latvian_ci", "utf8mb3", 194, false),
    c("utf8mb3_lithuanian_ci", "utf8mb3", 204, false),
    c("utf8mb3_persian_ci", "utf8mb3", 208, false),
    c("utf8mb3_polish_ci", "utf8mb3", 197, false),
    c("utf8mb3_roman_ci", "utf8mb3", 207, false),
    c("utf8mb3_romanian_ci", "utf8mb3", 195, false),
    c("utf8mb3_sinhala_ci", "utf8mb3", 211, false),
    c("utf8mb3_slovak_ci", "utf8mb3", 205, false),
    c("utf8mb3_slovenian_ci", "utf8mb3", 196, false),
    c("utf8mb3_spanish2_ci", "utf8mb3", 206, false),
    c("utf8mb3_spanish_ci", "utf8mb3", 199, false),
    c("utf8mb3_swedish_ci", "utf8mb3", 200, false),
    c("utf8mb3_turkish_ci", "utf8mb3", 201, false),
    c("utf8mb3_unicode_520_ci", "utf8mb3", 214, false),
    c("utf8mb3_unicode_ci", "utf8mb3", 192, false),
    c("utf8mb3_vietnamese_ci", "utf8mb3", 215, false),
    c("utf8mb4_0900_ai_ci", "utf8mb4", 255, false),
    c("utf8mb4_0900_as_ci", "utf8mb4", 305, false),
    c("utf8mb4_0900_as_cs", "utf8mb4", 278, false),
    c("utf8mb4_0900_bin", "utf8mb4", 309, false),
    c("utf8mb4_bin", "utf8mb4", 46, false),
    c("utf8mb4_croatian_mysql561_ci", "utf8mb4", 245, false),
    c("utf8mb4_czech_ci", "utf8mb4", 234, false),
    c("utf8mb4_danish_ci", "utf8mb4", 235, false),
    c("utf8mb4_esperanto_ci", "utf8mb4", 241, false),
    c("utf8mb4_estonian_ci", "utf8mb4", 230, false),
    c("utf8mb4_general_ci", "utf8mb4", 45, true),
    c("utf8mb4_german2_ci", "utf8mb4", 244, false),
    c("utf8mb4_hungarian_ci", "utf8mb4", 242, false),
    c("utf8mb4_icelandic_ci", "utf8mb4", 225, false),
    c("utf8mb4_latvian_ci", "utf8mb4", 226, false),
    c("utf8mb4_lithuanian_ci", "utf8mb4", 236, false),
    c("utf8mb4_persian_ci", "utf8mb4", 240, false),
    c("utf8mb4_polish_ci", "utf8mb4", 229, false),
    c("utf8mb4_roman_ci", "utf8mb4", 239, false),
    c("utf8mb4_romanian_ci", "utf8mb4", 227, false),
    c("utf8mb4_sinhala_ci", "utf8mb4", 243, false),
    c("utf8mb4_slovak_ci", "utf8mb4", 237, false),
    c("utf8mb4_slovenian_ci", "utf8mb4", 228, false),
    c("utf8mb4_spanish2_ci", "utf8mb4", 238, false),
    c("utf8mb4_spanish_ci", "utf8mb4", 231, false),
    c("utf8mb4_swedish_ci", "utf8mb4", 232, false),
    c("utf8mb4_turkish_ci", "utf8mb4", 233, false),
    c("utf8mb4_unicode_520_ci", "utf8mb4", 246, false),
    c("utf8mb4_unicode_ci", "utf8mb4", 224, false),
    c("utf8mb4_vietnamese_ci", "utf8mb4", 247, false),
];

/// Character sets by name.
#[rustfmt::skip]
pub const CHARSETS: &[Charset] = &[
    Charset { name: "armscii8", description: "ARMSCII-8 Armenian", max_length: 1, spoken: false },
    Charset { name: "ascii", description: "US ASCII", max_length: 1, spoken: true },
    Charset { name: "big5", description: "Big5 Traditional Chinese", max_length: 2, spoken: true },
    Charset { name: "binary", description: "Binary pseudo charset", max_length: 1, spoken: true },
    Charset { name: "cp1250", description: "Windows Central European", max_length: 1, spoken: true },
    Charset { name: "cp1251", description: "Windows Cyrillic", max_length: 1, spoken: true },
    Charset { name: "cp1256", description: "Windows Arabic", max_length: 1, spoken: true },
    Charset { name: "cp1257", description: "Windows Baltic", max_length: 1, spoken: true },
    Charset { name: "cp850", description: "DOS West European", max_length: 1, spoken: false },
    Charset { name: "cp852", description: "DOS Central European", max_length: 1, spoken: false },
    Charset { name: "cp866", description: "DOS Russian", max_length: 1, spoken: true },
    Charset { name: "cp932", description: "SJIS for Windows Japanese", max_length: 2, spoken: true },
    Charset { name: "dec8", description: "DEC West European", max_length: 1, spoken: false },
    Charset { name: "eucjpms", description: "UJIS for Windows Japanese", max_length: 3, spoken: true },
    Charset { name: "euckr", description: "EUC-KR Korean", max_length: 2, spoken: true },
    Charset { name: "gb2312", description: "GB2312 Simplified Chinese", max_length: 2, spoken: true },
    Charset { name: "gbk", description: "GBK Simplified Chinese", max_length: 2, spoken: true },
    Charset { name: "geostd8", description: "GEOSTD8 Georgian", max_length: 1, spoken: false },
    Charset { name: "greek", description: "ISO 8859-7 Greek", max_length: 1, spoken: true },
    Charset { name: "hebrew", description: "ISO 8859-8 Hebrew", max_length: 1, spoken: true },
    Charset { name: "hp8", description: "HP West European", max_length: 1, spoken: false },
    Charset { name: "keybcs2", description: "DOS Kamenicky Czech-Slovak", max_length: 1, spoken: false },
    Charset { name: "koi8r", description: "KOI8-R Relcom Russian", max_length: 1, spoken: true },
    Charset { name: "koi8u", description: "KOI8-U Ukrainian", max_length: 1, spoken: true },
    Charset { name: "latin1", description: "cp1252 West European", max_length: 1, spoken: true },
    Charset { name: "latin2", description: "ISO 8859-2 Central European", max_length: 1, spoken: true },
    Charset { name: "latin5", description: "ISO 8859-9 Turkish", max_length: 1, spoken: true },
    Charset { name: "latin7", description: "ISO 8859-13 Baltic", max_length: 1, spoken: true },
    Charset { name: "macce", description: "Mac Central European", max_length: 1, spoken: false },
    Charset { name: "macroman", description: "Mac West European", max_length: 1, spoken: true },
    Charset { name: "sjis", description: "Shift-JIS Japanese", max_length: 2, spoken: true },
    Charset { name: "swe7", description: "7bit Swedish", max_length: 1, spoken: false },
    Charset { name: "tis620", description: "TIS620 Thai", max_length: 1, spoken: true },
    Charset { name: "ucs2", description: "UCS-2 Unicode", max_length: 2, spoken: false },
    Charset { name: "ujis", description: "EUC-JP Japanese", max_length: 3, spoken: true },
    Charset { name: "utf16", description: "UTF-16 Unicode", max_length: 4, spoken: false },
    Charset { name: "utf16le", description: "UTF-16LE Unicode", max_length: 4, spoken: false },
    Charset { name: "utf32", description: "UTF-32 Unicode", max_length: 4, spoken: false },
    Charset { name: "utf8mb3", description: "UTF-8 Unicode", max_length: 3, spoken: true },
    Charset { name: "utf8mb4", description: "UTF-8 Unicode", max_length: 4, spoken: true },
];

/// `utf8` is MySQL's old name of `utf8mb3`.
fn modern(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.strip_prefix("utf8") {
        Some("") => "utf8mb3".to_string(),
        Some(rest) if rest.starts_with('_') => format!("utf8mb3{rest}"),
        _ => name,
    }
}

/// A character set by name, any case.
pub fn charset(name: &str) -> Option<&'static Charset> {
    let name = modern(name);
    CHARSETS.iter().find(|c| c.name == name)
}

/// A collation by name, any case.
pub fn collation(name: &str) -> Option<&'static Collation> {
    let name = modern(name);
    COLLATIONS.iter().find(|c| c.name == name)
}

/// The default collation of a character set.
pub fn default_collation(charset: &str) -> Option<&'static Collation> {
    let name = modern(charset);
    COLLATIONS.iter().find(|c| c.charset == name && c.is_default)
}

/// A collation by MySQL's number, as a handshake names it.
pub fn collation_by_id(id: u16) -> Option<&'static Collation> {
    COLLATIONS.iter().find(|c| c.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spoken_can_be_converted() {
        let of_utf8 = ["ascii", "binary", "utf8mb3", "utf8mb4"];
        for set in CHARSETS {
            let converted = crate::sql::encoding::encoding(set.name).is_some();
            assert_eq!(set.spoken, converted || of_utf8.contains(&set.name), "{}", set.name);
        }
    }

    #[test]
    fn every_charset_has_one_default_collation_and_old_names_are_known() {
        for set in CHARSETS {
            assert_eq!(COLLATIONS.iter().filter(|c| c.charset == set.name && c.is_default).count(), 1, "{}", set.name);
        }
        assert!(COLLATIONS.windows(2).all(|w| w[0].name < w[1].name));
        assert_eq!(charset("UTF8").map(|c| c.name), Some("utf8mb3"));
        assert_eq!(collation("utf8_general_ci").map(|c| c.id), Some(33));
    }
}
