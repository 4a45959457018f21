//! JSON_TABLE (manual, "JSON Table Functions"): a document as rows, by columns that the translator describes in a text of
//! JSON.
//!
//! A description is an object: `path`, and `columns`, an array of objects. A column has a `rule` (see
//! [`Rule::encode`]) and one of `ordinality`, `exists` (a path) and `path`, or it is `nested`: a description of its own.
//! `empty` and `error` say what stands for no value and for a wrong one: `"error"`, or the cell itself; NULL without.

use super::argument::{nth, text};
use super::json::document;
use super::json_path::{Leg, find, parse_path};
use super::registry::{Function, FunctionContext};
use super::rows::encode_rows;
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::json::{Json, parse};
use crate::sql::storage_rule::Rule;
use crate::sql::store::store;
use crate::types::Value;

/// See the module.
pub(super) const FUNCTIONS: &[Function] =
    &[Function { name: "marmot_json_table", arity: 2, deterministic: true, eval: |_, a| json_table(&a[0], nth(a, 1)) }];

/// A level of paths: its rows, and the columns they have.
struct Level {
    path: Vec<Leg>,
    columns: Vec<Column>,
}

enum Column {
    Ordinality,
    Exists { path: Vec<Leg>, rule: Rule },
    Path { path: Vec<Leg>, rule: Rule, empty: Instead, error: Instead },
    Nested(Level),
}

/// What stands for a value that is missing or wrong.
enum Instead {
    Error,
    /// NULL or a DEFAULT, which is JSON.
    Value(Option<Json>),
}

impl Level {
    fn read(json: &Json) -> Option<Level> {
        let Json::Array(columns) = json.member("columns")? else { return None };
        let columns = columns.iter().map(Column::read).collect::<Option<_>>()?;
        Some(Level { path: path(json.member("path")?)?, columns })
    }

    /// Cells of one row.
    fn width(&self) -> usize {
        self.columns.iter().map(|c| if let Column::Nested(level) = c { level.width() } else { 1 }).sum()
    }

    /// The rows of `json`. Nested levels are joined to their parent's row as by an outer join; of several the rows come
    /// one after the other, the others' cells NULL.
    fn rows(&self, json: &Json) -> Result<Vec<Vec<Value>>, Error> {
        let mut found = Vec::new();
        find(json, &self.path, &mut found);
        let mut rows = Vec::new();
        for (number, item) in (1..).zip(found) {
            let mut own = vec![Value::Null; self.width()];
            let mut nested = Vec::new();
            let mut at = 0;
            for column in &self.columns {
                match column {
                    Column::Nested(level) => {
                        nested.push((at, level.rows(item)?));
                        at += level.width();
                    }
                    column => {
                        own[at] = column.cell(number, item)?;
                        at += 1;
                    }
                }
            }
            let before = rows.len();
            for (at, inner) in nested {
                for cells in inner {
                    let mut row = own.clone();
                    row.splice(at..at + cells.len(), cells);
                    rows.push(row);
                }
            }
            if rows.len() == before {
                rows.push(own);
            }
        }
        Ok(rows)
    }
}

impl Column {
    fn read(json: &Json) -> Option<Column> {
        if json.member("columns").is_some() {
            return Level::read(json).map(Column::Nested);
        }
        let Some(Json::Text(rule)) = json.member("rule") else { return Some(Column::Ordinality) };
        let rule = Rule::decode(rule)?;
        if let Some(exists) = json.member("exists") {
            return Some(Column::Exists { path: path(exists)?, rule });
        }
        let instead = |name| match json.member(name) {
            None => Some(Instead::Value(None)),
            Some(Json::Array(of_one)) => of_one.first().map(|default| Instead::Value(Some(default.clone()))),
            Some(_) => Some(Instead::Error),
        };
        let (empty, error) = (instead("empty")?, instead("error")?);
        Some(Column::Path { path: path(json.member("path")?)?, rule, empty, error })
    }

    fn cell(&self, number: i64, item: &Json) -> Result<Value, Error> {
        match self {
            Column::Ordinality | Column::Nested(_) => Ok(Value::Int(number)),
            Column::Exists { path, rule } => {
                let mut found = Vec::new();
                find(item, path, &mut found);
                converted(rule, &Json::Int(i64::from(!found.is_empty())))
            }
            Column::Path { path, rule, empty, error } => {
                let mut found = Vec::new();
                find(item, path, &mut found);
                let value = match found.as_slice() {
                    [] => return empty.cell(rule, || Error::missing_json_table_value(&rule.column)),
                    [one] => converted(rule, one),
                    many => converted(rule, &Json::Array(many.iter().map(|j| (*j).clone()).collect())),
                };
                value.or_else(|wrong| error.cell(rule, || wrong))
            }
        }
    }
}

impl Instead {
    fn cell(&self, rule: &Rule, error: impl FnOnce() -> Error) -> Result<Value, Error> {
        match self {
            Instead::Error => Err(error()),
            Instead::Value(None) => Ok(Value::Null),
            Instead::Value(Some(default)) => converted(rule, default),
        }
    }
}

fn path(json: &Json) -> Option<Vec<Leg>> {
    if let Json::Text(path) = json { parse_path(path).ok() } else { None }
}

/// A JSON value as a cell of the column of `rule`.
///
/// # Errors
/// 3666 for an array or object in a column that is not JSON, 3669 for what does not fit.
pub(in crate::sql) fn converted(rule: &Rule, json: &Json) -> Result<Value, Error> {
    let value = match json {
        json if rule.ty == ColumnType::Json => return Ok(Value::text(json.to_string())),
        Json::Null => return Ok(Value::Null),
        Json::Array(_) | Json::Object(_) => return Err(Error::wrong_json_table_value(&rule.column)),
        Json::Bool(on) if rule.ty.is_numeric() => Value::Int(i64::from(*on)),
        Json::Int(n) => Value::Int(*n),
        Json::Double(x) => Value::real(*x),
        Json::Text(text) => Value::text(text.as_str()),
        Json::Bool(_) | Json::Unsigned(_) => Value::text(json.to_string()),
    };
    let context = FunctionContext::default();
    context.strict.set(true);
    store(rule, value, 1, &context).map_err(|_| Error::json_table_value_out_of_range(&rule.column))
}

fn json_table(given: &Value, description: &Value) -> Result<Value, Error> {
    let level = text(description).and_then(|t| parse(&t).ok()).and_then(|json| Level::read(&json));
    let Some(level) = level else { return Err(Error::malformed_payload("description of JSON_TABLE")) };
    let invalid = |e: Error| Error {
        code: 3141,
        message: e.message.replace("text:", "text in argument 1 to function json_table:"),
        ..e
    };
    match document(given).map_err(invalid)? {
        Some(json) => encode_rows(&level.rows(&json)?),
        None => encode_rows(&[]),
    }
}
