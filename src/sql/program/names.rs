//! What a name means in a statement of a stored program, besides a column.

use super::code::ConditionValue;
use crate::sql::catalog::Column;
use crate::sql::column_type::ColumnType;
use std::sync::Arc;

/// A parameter, a local variable, or a column of a trigger's row.
#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    /// `NEW` or `OLD`.
    pub row: Option<&'static str>,
    pub name: String,
    /// Its place among the values of a frame.
    pub slot: usize,
    /// `None`: as its value is. The hidden variable of a CASE has no declared type.
    pub column: Option<Arc<Column>>,
}

impl Variable {
    pub fn ty(&self) -> Option<&ColumnType> {
        self.column.as_ref().map(|c| &c.ty)
    }
}

/// The names in sight of one statement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// Innermost last.
    pub variables: Vec<Variable>,
    pub conditions: Vec<(String, ConditionValue)>,
}

impl Names {
    /// The variable that a name without a table's means.
    pub fn variable(&self, name: &str) -> Option<&Variable> {
        self.variables.iter().rev().find(|v| v.row.is_none() && v.name.eq_ignore_ascii_case(name))
    }

    /// `NEW.name`, `OLD.name`.
    pub fn of_row(&self, row: &str, name: &str) -> Option<&Variable> {
        let is_row = |v: &&Variable| v.row.is_some_and(|r| r.eq_ignore_ascii_case(row));
        self.variables.iter().filter(is_row).find(|v| v.name.eq_ignore_ascii_case(name))
    }

    /// Whether `row` is a trigger's NEW or OLD here.
    pub fn has_row(&self, row: &str) -> bool {
        self.variables.iter().any(|v| v.row.is_some_and(|r| r.eq_ignore_ascii_case(row)))
    }

    pub fn condition(&self, name: &str) -> Option<&ConditionValue> {
        self.conditions.iter().rev().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}
