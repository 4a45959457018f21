//! `sql_mode`, as far as it changes how text is read and values are stored.

use super::error::Error;
use crate::types::CollationRules;

/// The modes of a session (manual, "Server SQL Modes").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Modes(u32);

/// MySQL's `div_precision_increment`; kept as zero, so that no mode at all means it.
const DEFAULT_DIVISION_SCALE: u8 = 4;
/// The lowest of the five bits that hold it; no mode has them.
const DIVISION_SCALE_AT: u32 = 9;
/// The bit for [`CollationRules::Mysql`]; no mode has it.
const COLLATIONS_AT: u32 = 14;

/// The bit for `sql_safe_updates`; no mode has it.
const SAFE_UPDATES_AT: u32 = 15;

macro_rules! modes {
    ($($constant:ident $method:ident $bit:literal $name:literal;)+) => {
        impl Modes {
            $(pub const $constant: Modes = Modes(1 << $bit);
            pub fn $method(self) -> bool { self.0 & (1 << $bit) != 0 })+
            /// Every mode's name in the order MySQL prints them.
            const NAMES: &[(&str, Modes)] = &[$(($name, Modes::$constant)),+];
        }
    };
}

modes! {
    REAL_AS_FLOAT real_as_float 0 "REAL_AS_FLOAT";
    PIPES_AS_CONCAT pipes_as_concat 1 "PIPES_AS_CONCAT";
    ANSI_QUOTES ansi_quotes 2 "ANSI_QUOTES";
    IGNORE_SPACE ignore_space 3 "IGNORE_SPACE";
    ONLY_FULL_GROUP_BY only_full_group_by 5 "ONLY_FULL_GROUP_BY";
    NO_UNSIGNED_SUBTRACTION no_unsigned_subtraction 6 "NO_UNSIGNED_SUBTRACTION";
    NO_DIR_IN_CREATE no_dir_in_create 7 "NO_DIR_IN_CREATE";
    ANSI ansi 18 "ANSI";
    NO_AUTO_VALUE_ON_ZERO no_auto_value_on_zero 19 "NO_AUTO_VALUE_ON_ZERO";
    NO_BACKSLASH_ESCAPES no_backslash_escapes 20 "NO_BACKSLASH_ESCAPES";
    STRICT_TRANS_TABLES strict_trans_tables 21 "STRICT_TRANS_TABLES";
    STRICT_ALL_TABLES strict_all_tables 22 "STRICT_ALL_TABLES";
    NO_ZERO_IN_DATE no_zero_in_date 23 "NO_ZERO_IN_DATE";
    NO_ZERO_DATE no_zero_date 24 "NO_ZERO_DATE";
    ALLOW_INVALID_DATES allow_invalid_dates 25 "ALLOW_INVALID_DATES";
    ERROR_FOR_DIVISION_BY_ZERO error_for_division_by_zero 26 "ERROR_FOR_DIVISION_BY_ZERO";
    TRADITIONAL traditional 27 "TRADITIONAL";
    HIGH_NOT_PRECEDENCE high_not_precedence 29 "HIGH_NOT_PRECEDENCE";
    NO_ENGINE_SUBSTITUTION no_engine_substitution 30 "NO_ENGINE_SUBSTITUTION";
    PAD_CHAR_TO_FULL_LENGTH pad_char_to_full_length 31 "PAD_CHAR_TO_FULL_LENGTH";
    TIME_TRUNCATE_FRACTIONAL time_truncate_fractional 8 "TIME_TRUNCATE_FRACTIONAL";
}

impl Modes {
    pub const NONE: Modes = Modes(0);

    pub const fn union(self, other: Modes) -> Modes {
        Modes(self.0 | other.0)
    }
    /// `div_precision_increment`: the decimals that `/`, AVG() and the like add. It is kept here, since like a mode it
    /// decides what a statement's text means.
    pub fn division_scale(self) -> u8 {
        ((self.0 >> DIVISION_SCALE_AT & 31) as u8) ^ DEFAULT_DIVISION_SCALE
    }
    /// The same modes with another `div_precision_increment`, 0 to 30.
    pub fn with_division_scale(self, scale: u8) -> Modes {
        let field = u32::from((scale.min(30)) ^ DEFAULT_DIVISION_SCALE);
        Modes(self.0 & !(31 << DIVISION_SCALE_AT) | field << DIVISION_SCALE_AT)
    }
    /// The rules by which texts compare, and the columns of new tables: like a mode they decide what a statement means.
    pub fn collations(self) -> CollationRules {
        if self.0 >> COLLATIONS_AT & 1 == 0 { CollationRules::Portable } else { CollationRules::Mysql }
    }
    /// The same modes with other rules of comparing.
    pub fn with_collations(self, rules: CollationRules) -> Modes {
        Modes(self.0 & !(1 << COLLATIONS_AT) | u32::from(rules == CollationRules::Mysql) << COLLATIONS_AT)
    }
    /// `sql_safe_updates`: UPDATE and DELETE must say by a key or by LIMIT which rows they are about.
    pub fn safe_updates(self) -> bool {
        self.0 >> SAFE_UPDATES_AT & 1 == 1
    }
    /// The same modes with `sql_safe_updates` as given.
    pub fn with_safe_updates(self, on: bool) -> Modes {
        Modes(self.0 & !(1 << SAFE_UPDATES_AT) | u32::from(on) << SAFE_UPDATES_AT)
    }
    pub fn bits(self) -> u32 {
        self.0
    }
    /// The modes of [`Modes::bits`].
    pub const fn from_bits(bits: u32) -> Modes {
        Modes(bits)
    }
    /// STRICT_TRANS_TABLES or STRICT_ALL_TABLES.
    pub fn strict(self) -> bool {
        self.strict_trans_tables() || self.strict_all_tables()
    }

    /// The value of `sql_mode`: names between commas, without case. ANSI and TRADITIONAL bring others with them.
    ///
    /// # Errors
    /// 1231 for an unknown name.
    pub fn parse(text: &str) -> Result<Modes, Error> {
        let mut modes = Modes::NONE;
        for name in text.split(',').map(str::trim).filter(|n| !n.is_empty()) {
            let found = Modes::NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name));
            let (_, mode) = found.ok_or_else(|| Error {
                code: 1231,
                state: "42000",
                message: format!("Variable 'sql_mode' can't be set to the value of '{name}'"),
            })?;
            modes = modes.union(*mode);
            if *mode == Modes::ANSI {
                modes = modes.union(Modes::REAL_AS_FLOAT).union(Modes::PIPES_AS_CONCAT).union(Modes::ANSI_QUOTES);
                modes = modes.union(Modes::IGNORE_SPACE).union(Modes::ONLY_FULL_GROUP_BY);
            }
            if *mode == Modes::TRADITIONAL {
                modes = modes.union(Modes::STRICT_TRANS_TABLES).union(Modes::STRICT_ALL_TABLES);
                modes = modes.union(Modes::NO_ZERO_IN_DATE).union(Modes::NO_ZERO_DATE);
                modes = modes.union(Modes::ERROR_FOR_DIVISION_BY_ZERO).union(Modes::NO_ENGINE_SUBSTITUTION);
            }
        }
        Ok(modes)
    }
}

impl Default for Modes {
    /// MySQL 8.0's default.
    fn default() -> Modes {
        Modes::ONLY_FULL_GROUP_BY
            .union(Modes::STRICT_TRANS_TABLES)
            .union(Modes::NO_ZERO_IN_DATE)
            .union(Modes::NO_ZERO_DATE)
            .union(Modes::ERROR_FOR_DIVISION_BY_ZERO)
            .union(Modes::NO_ENGINE_SUBSTITUTION)
    }
}

/// As `@@sql_mode` shows it.
impl std::fmt::Display for Modes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut gap = "";
        for (name, mode) in Modes::NAMES {
            if self.0 & mode.0 != 0 {
                write!(f, "{gap}{name}")?;
                gap = ",";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_scale_stands_beside_the_modes() {
        assert_eq!((Modes::NONE.division_scale(), Modes::default().division_scale()), (4, 4));
        for scale in 0..=30 {
            let modes = Modes::default().with_division_scale(scale);
            assert_eq!((modes.division_scale(), modes.to_string()), (scale, Modes::default().to_string()));
            assert_eq!(modes.with_division_scale(4), Modes::default());
        }
    }
}
