//! Which rules texts compare by.

use serde::{Deserialize, Serialize};

/// Which rules `_ci` columns and texts follow: the setting `mysql.collations`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum CollationRules {
    /// SQLite's own NOCASE and BINARY: any SQLite tool reads, searches and writes the files.
    #[default]
    Portable,
    /// Those of the declared collation, by collations of Marmot's own in the files.
    Mysql,
}

impl CollationRules {
    /// The values of the setting, in order.
    pub const NAMES: &[&str] = &["portable", "mysql"];
}

impl std::fmt::Display for CollationRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(CollationRules::NAMES[*self as usize])
    }
}

impl std::str::FromStr for CollationRules {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "portable" => Ok(CollationRules::Portable),
            "mysql" => Ok(CollationRules::Mysql),
            _ => Err(format!("'{text}' is not one of {}", CollationRules::NAMES.join(", "))),
        }
    }
}
