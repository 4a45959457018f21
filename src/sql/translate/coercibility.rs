//! COERCIBILITY(): how strongly an expression's collation counts (manual, "Collation Coercibility in Expressions").

use super::translator::Translator;
use super::typed::Kind;
use crate::sql::error::Error;
use crate::sql::plan::ResultType;
use sqlparser::ast::Expr;

/// Explicit COLLATE.
const EXPLICIT: u8 = 0;
/// A column.
const IMPLICIT: u8 = 2;
/// USER(), VERSION() and the like.
const SYSTEM: u8 = 3;
const LITERAL: u8 = 4;
/// A number or temporal value.
const NUMERIC: u8 = 5;
/// NULL.
const IGNORABLE: u8 = 6;

const OF_SYSTEM: &[&str] =
    &["USER", "SYSTEM_USER", "SESSION_USER", "CURRENT_USER", "VERSION", "DATABASE", "SCHEMA", "CURRENT_ROLE"];

impl Translator<'_> {
    /// The level of an expression, 0 (strongest) to 6. Parameters of its translation are given back.
    pub(super) fn coercibility(&mut self, expression: &Expr) -> Result<u8, Error> {
        let mark = self.parameters.len();
        let value = self.expression(expression)?;
        self.parameters.truncate(mark);
        if value.ty == ResultType::Null {
            return Ok(IGNORABLE);
        }
        Ok(match expression {
            Expr::Nested(inner) => return self.coercibility(inner),
            Expr::Collate { .. } => EXPLICIT,
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) if value.column => IMPLICIT,
            Expr::Function(call) => {
                let name = call.name.to_string().to_ascii_uppercase();
                if OF_SYSTEM.contains(&name.as_str()) {
                    return Ok(SYSTEM);
                }
                if matches!(value.kind(), Kind::Number | Kind::Temporal) {
                    return Ok(NUMERIC);
                }
                // The strongest of the strings it is made from.
                let mut level = LITERAL;
                for argument in super::function::plain_arguments(call).unwrap_or_default() {
                    level = level.min(self.coercibility(argument)?);
                }
                level
            }
            _ if matches!(value.kind(), Kind::Number | Kind::Temporal) => NUMERIC,
            _ => LITERAL,
        })
    }
}
