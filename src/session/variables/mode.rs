//! SQL modes as sets of names (MySQL manual, "Server SQL Modes").

/// A single mode with the name MySQL prints, in MySQL's order.
const MODES: &[&str] = &[
    "REAL_AS_FLOAT",
    "PIPES_AS_CONCAT",
    "ANSI_QUOTES",
    "IGNORE_SPACE",
    "ONLY_FULL_GROUP_BY",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_DIR_IN_CREATE",
    "ANSI",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "STRICT_TRANS_TABLES",
    "STRICT_ALL_TABLES",
    "NO_ZERO_IN_DATE",
    "NO_ZERO_DATE",
    "ALLOW_INVALID_DATES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "TRADITIONAL",
    "NO_ENGINE_SUBSTITUTION",
    "HIGH_NOT_PRECEDENCE",
    "PAD_CHAR_TO_FULL_LENGTH",
    "TIME_TRUNCATE_FRACTIONAL",
];

/// Accepted and dropped: modes of MySQL 5.7 that 8.0 removed, still sent by old clients and dumps.
const GONE: &[&str] = &["NO_AUTO_CREATE_USER", "NO_FIELD_OPTIONS", "NO_KEY_OPTIONS", "NO_TABLE_OPTIONS"];

/// What a combination mode stands for, besides itself.
fn expansion(mode: &str) -> &'static [&'static str] {
    match mode {
        "ANSI" => &["REAL_AS_FLOAT", "PIPES_AS_CONCAT", "ANSI_QUOTES", "IGNORE_SPACE", "ONLY_FULL_GROUP_BY"],
        "TRADITIONAL" => &[
            "STRICT_TRANS_TABLES",
            "STRICT_ALL_TABLES",
            "NO_ZERO_IN_DATE",
            "NO_ZERO_DATE",
            "ERROR_FOR_DIVISION_BY_ZERO",
            "NO_ENGINE_SUBSTITUTION",
        ],
        _ => &[],
    }
}

/// The canonical text of a `sql_mode` value; an error is the first unknown mode.
pub fn normalise(text: &str) -> Result<String, String> {
    let mut on = [false; MODES.len()];
    for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        let upper = name.to_ascii_uppercase();
        if GONE.contains(&upper.as_str()) {
            continue;
        }
        if !MODES.contains(&upper.as_str()) {
            return Err(name.to_string());
        }
        for mode in std::iter::once(upper.as_str()).chain(expansion(&upper).iter().copied()) {
            if let Some(i) = MODES.iter().position(|m| *m == mode) {
                on[i] = true;
            }
        }
    }
    let names: Vec<&str> = MODES.iter().zip(on).filter_map(|(m, on)| on.then_some(*m)).collect();
    Ok(names.join(","))
}

/// Whether a canonical `sql_mode` text has this mode.
pub fn has(modes: &str, mode: &str) -> bool {
    modes.split(',').any(|m| m == mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_ordered_expanded_and_checked() {
        assert_eq!(normalise("strict_trans_tables, ansi_quotes").as_deref(), Ok("ANSI_QUOTES,STRICT_TRANS_TABLES"));
        let ansi = normalise("ANSI").expect("a mode");
        assert!(has(&ansi, "PIPES_AS_CONCAT") && has(&ansi, "ANSI") && !has(&ansi, "STRICT_TRANS_TABLES"));
        assert_eq!(normalise("NO_AUTO_CREATE_USER").as_deref(), Ok(""));
        assert_eq!(normalise("STRICT_TRANS_TABLES,nope"), Err("nope".into()));
    }
}
