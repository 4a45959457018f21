//! JSON functions whose arguments may be JSON or plain SQL: each is passed with its kind.

use super::function::join;
use super::translator::Translator;
use super::typed::{Kind, Typed, text_type};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use sqlparser::ast::Expr;

/// A value and its kind: 0 plain, 1 JSON, 2 boolean.
pub fn with_kind(value: &Typed) -> String {
    let kind = match value.kind() {
        Kind::Json => 1,
        _ if value.boolean => 2,
        _ => 0,
    };
    format!("{}, {kind}", value.sql)
}

impl Translator<'_> {
    pub(super) fn json_call(&mut self, name: &str, arguments: &[&Expr]) -> Result<Option<Typed>, Error> {
        let call = match name {
            "JSON_ARRAY" => {
                let items = arguments.iter().map(|a| self.expression(a).map(|v| with_kind(&v)));
                format!("marmot_json_array({})", items.collect::<Result<Vec<_>, _>>()?.join(", "))
            }
            "JSON_OBJECT" => {
                if !arguments.len().is_multiple_of(2) {
                    return Err(Error::parameter_count(name));
                }
                let mut parts = Vec::new();
                for pair in arguments.chunks_exact(2) {
                    parts.push(self.expression(pair[0])?.sql);
                    parts.push(with_kind(&self.expression(pair[1])?));
                }
                format!("marmot_json_object({})", parts.join(", "))
            }
            "JSON_SET" | "JSON_INSERT" | "JSON_REPLACE" | "JSON_ARRAY_APPEND" | "JSON_ARRAY_INSERT" => {
                if arguments.len() < 3 || arguments.len().is_multiple_of(2) {
                    return Err(Error::parameter_count(name));
                }
                let mut parts = vec![self.expression(arguments[0])?.sql];
                for pair in arguments[1..].chunks_exact(2) {
                    parts.push(self.expression(pair[0])?.sql);
                    parts.push(with_kind(&self.expression(pair[1])?));
                }
                format!("marmot_{}({})", name.to_lowercase(), parts.join(", "))
            }
            _ => return Ok(None),
        };
        Ok(Some(Typed::new(call, ColumnType::Json)))
    }

    /// `document -> path`, `document ->> path`.
    pub(super) fn json_arrow(&mut self, document: &Expr, path: &Expr, unquoted: bool) -> Result<Typed, Error> {
        let values = [self.expression(document)?, self.expression(path)?];
        let extract = format!("marmot_json_extract({})", join(&values));
        if unquoted {
            let ty = match text_type() {
                ColumnType::Text { kind, length, .. } => ColumnType::Text {
                    kind,
                    length,
                    // JSON text is utf8mb4_bin.
                    collation: crate::sql::catalog::Collation::new("utf8mb4_bin").unwrap_or_default(),
                },
                other => other,
            };
            return Ok(Typed::new(format!("marmot_json_unquote({extract})"), ty));
        }
        Ok(Typed::new(extract, ColumnType::Json))
    }
}
