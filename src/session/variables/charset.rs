//! Character sets and collations Marmot knows by name. Text is UTF-8 everywhere: a client that asks for another
//! encoding of its own text is refused rather than given bytes it would misread.

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
    /// Whether a client may speak it: its bytes are valid UTF-8 for every text it can hold.
    pub spoken: bool,
}

const fn c(name: &'static str, charset: &'static str, id: u16, is_default: bool) -> Collation {
    Collation { name, charset, id, is_default }
}

/// Collations by name.
pub const COLLATIONS: &[Collation] = &[
    c("ascii_bin", "ascii", 65, false),
    c("ascii_general_ci", "ascii", 11, true),
    c("binary", "binary", 63, true),
    c("latin1_bin", "latin1", 47, false),
    c("latin1_general_ci", "latin1", 48, false),
    c("latin1_swedish_ci", "latin1", 8, true),
    c("utf8mb3_bin", "utf8mb3", 83, false),
    c("utf8mb3_general_ci", "utf8mb3", 33, true),
    c("utf8mb3_unicode_ci", "utf8mb3", 192, false),
    c("utf8mb4_0900_ai_ci", "utf8mb4", 255, false),
    c("utf8mb4_0900_as_ci", "utf8mb4", 305, false),
    c("utf8mb4_0900_as_cs", "utf8mb4", 278, false),
    c("utf8mb4_0900_bin", "utf8mb4", 309, false),
    c("utf8mb4_bin", "utf8mb4", 46, false),
    c("utf8mb4_general_ci", "utf8mb4", 45, true),
    c("utf8mb4_unicode_520_ci", "utf8mb4", 246, false),
    c("utf8mb4_unicode_ci", "utf8mb4", 224, false),
];

/// Character sets by name.
pub const CHARSETS: &[Charset] = &[
    Charset { name: "ascii", description: "US ASCII", max_length: 1, spoken: true },
    Charset { name: "binary", description: "Binary pseudo charset", max_length: 1, spoken: true },
    Charset { name: "latin1", description: "cp1252 West European", max_length: 1, spoken: false },
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
    fn every_charset_has_one_default_collation_and_old_names_are_known() {
        for set in CHARSETS {
            assert_eq!(COLLATIONS.iter().filter(|c| c.charset == set.name && c.is_default).count(), 1, "{}", set.name);
        }
        assert!(COLLATIONS.windows(2).all(|w| w[0].name < w[1].name));
        assert_eq!(charset("UTF8").map(|c| c.name), Some("utf8mb3"));
        assert_eq!(collation("utf8_general_ci").map(|c| c.id), Some(33));
    }
}
