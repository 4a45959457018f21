//! Stored functions of one expression: `CREATE FUNCTION f(a INT) RETURNS INT RETURN a + 1`. A call is translated as the
//! expression with the arguments in place of the parameters, so that nothing but the catalog knows them.

use super::catalog::Column;
use serde::{Deserialize, Serialize};

/// One stored function.
///
/// **Invariants**: parameter names are unique without case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routine {
    pub name: String,
    /// In order. Only name and type of such a column mean something.
    pub parameters: Vec<Column>,
    /// What the value is converted to.
    pub returns: Column,
    /// The expression after RETURN, as MySQL text.
    pub body: String,
    /// The SQL mode it was created in, by which its text is read.
    pub modes: u32,
    pub nature: Nature,
    /// Wall-clock time of the CREATE, `YYYY-MM-DD HH:MM:SS` in UTC.
    pub created: String,
}

/// What a definition says of a function: shown, without effect but for `invoker`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nature {
    pub deterministic: bool,
    /// `CONTAINS SQL`, `NO SQL`, `READS SQL DATA` or `MODIFIES SQL DATA`.
    pub access: String,
    /// It runs with the rights of whoever calls it.
    pub invoker: bool,
    pub comment: String,
}

impl Default for Nature {
    fn default() -> Self {
        Nature { deterministic: false, access: "CONTAINS SQL".to_string(), invoker: false, comment: String::new() }
    }
}
