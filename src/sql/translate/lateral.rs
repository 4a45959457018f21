//! Tables of FROM that may name the tables before them: LATERAL derived tables and JSON_TABLE (manual, "Lateral Derived
//! Tables", "JSON Table Functions"). Both become SQLite's table-valued function `marmot_each_row`, whose argument holds rows.

use super::from::rename;
use super::scope::SourceColumn;
use super::select::Block;
use super::translator::{Translator, quote_text};
use crate::sql::catalog::{Collation, Column};
use crate::sql::column_type::{ColumnType, IntegerSize};
use crate::sql::compile::resolve_type;
use crate::sql::error::Error;
use crate::sql::functions::{MOST_ROW_COLUMNS, check_path, converted};
use crate::sql::json::{Json, parse};
use crate::sql::parse::parse_type;
use crate::sql::plan::ResultType;
use crate::sql::storage_rule::Rule;
use crate::sql::tokens::token_number;
use crate::types::ColumnId;
use sqlparser::ast::{
    Expr, Ident, JsonTableColumn, JsonTableColumnErrorHandling, JsonTableNamedColumn, Query, TableAlias, TableFactor,
    Value, ValueWithSpan,
};

/// Whether a table reference may name those before it.
pub fn is_lateral(factor: &TableFactor) -> bool {
    matches!(factor, TableFactor::Derived { lateral: true, .. } | TableFactor::JsonTable { .. })
}

/// The name of a table reference.
pub fn lateral_name(factor: &TableFactor) -> &str {
    let (TableFactor::Derived { alias, .. } | TableFactor::JsonTable { alias, .. }) = factor else { return "" };
    alias.as_ref().map_or("", |a| a.name.value.as_str())
}

impl Translator<'_> {
    /// `LATERAL (query) AS alias`: its rows, gathered anew for each row of the tables before it.
    pub(super) fn lateral(&mut self, subquery: &Query, alias: &TableAlias) -> Result<String, Error> {
        let Block { sql, mut columns, .. } = self.query_block(subquery)?;
        let renamed = rename(&mut columns, alias)?;
        let block = Block { sql, columns, single_row: false };
        if !renamed {
            block.check_names()?;
        }
        let names: Vec<String> = (0..block.columns.len()).map(|i| format!("\"c{i}\"")).collect();
        let names = names.join(", ");
        let rows = format!(
            "(WITH \"marmot_lateral\"({names}) AS ({}) SELECT marmot_agg_rows({names}) FROM \"marmot_lateral\")",
            block.sql
        );
        self.rows_source(alias, block.columns, &rows, "LATERAL")
    }

    /// `JSON_TABLE(document, path COLUMNS (...)) AS alias`.
    pub(super) fn json_table(
        &mut self,
        document: &Expr,
        path: &ValueWithSpan,
        columns: &[JsonTableColumn],
        alias: Option<&TableAlias>,
    ) -> Result<String, Error> {
        let Some(alias) = alias else { return Err(Error::table_function_without_alias()) };
        let document = self.in_clause("a table function argument", |t| t.expression(document))?;
        let mut offered = Vec::new();
        let description = self.json_level(path, columns, &mut offered)?;
        let block = Block { sql: String::new(), columns: offered, single_row: false };
        block.check_names()?;
        let rows = format!("marmot_json_table({}, {})", document.sql, quote_text(&description.to_string()));
        self.rows_source(alias, block.columns, &rows, "JSON_TABLE")
    }

    /// A source whose rows are in the cell `rows`.
    fn rows_source(
        &mut self,
        alias: &TableAlias,
        columns: Vec<SourceColumn>,
        rows: &str,
        what: &str,
    ) -> Result<String, Error> {
        if columns.len() > MOST_ROW_COLUMNS {
            return Err(Error::unsupported(format!("{what} with more than {MOST_ROW_COLUMNS} columns")));
        }
        let columns: Vec<_> = columns.into_iter().map(|c| SourceColumn { origin: None, ..c }).collect();
        let count = columns.len();
        let alias = self.add(alias.name.value.clone(), None, columns, None)?;
        if let Some(source) = self.scope().sources.last_mut() {
            source.texts = (0..count).map(|i| format!("{alias}.\"c{i}\"")).collect();
        }
        Ok(format!("marmot_each_row({rows}) AS {alias}"))
    }

    /// A path and its columns as `marmot_json_table` reads them; adds the columns to `offered`.
    fn json_level(
        &mut self,
        path: &ValueWithSpan,
        columns: &[JsonTableColumn],
        offered: &mut Vec<SourceColumn>,
    ) -> Result<Json, Error> {
        let path = self.json_path(path)?;
        let mut described = Vec::new();
        for column in columns {
            described.push(match column {
                JsonTableColumn::Nested(nested) => self.json_level(&nested.path, &nested.columns, offered)?,
                JsonTableColumn::ForOrdinality(name) => {
                    let (size, unsigned) = (IntegerSize::Int, true);
                    let ty = ColumnType::Integer { size, unsigned, zerofill: false, width: None };
                    offered.push(offered_column(name, ty));
                    Json::object(vec![("ordinality".to_string(), Json::Bool(true))])
                }
                JsonTableColumn::Named(named) => self.json_column(named, offered)?,
            });
        }
        let members = vec![("path".to_string(), Json::Text(path)), ("columns".to_string(), Json::Array(described))];
        Ok(Json::object(members))
    }

    fn json_column(&mut self, named: &JsonTableNamedColumn, offered: &mut Vec<SourceColumn>) -> Result<Json, Error> {
        let name = &named.name.value;
        let ty = self.json_column_type(&named.name)?;
        let column = Column::plain(ColumnId(1), name.clone(), ty.clone());
        let rule = Rule::of(&column, false);
        let path = Json::Text(self.json_path(&named.path)?);
        let mut members = vec![("rule".to_string(), Json::Text(rule.encode()))];
        members.push((if named.exists { "exists" } else { "path" }.to_string(), path));
        for (when, instead) in [("empty", &named.on_empty), ("error", &named.on_error)] {
            let instead = match instead {
                None | Some(JsonTableColumnErrorHandling::Null) => continue,
                Some(JsonTableColumnErrorHandling::Error) => Json::Text("error".to_string()),
                Some(JsonTableColumnErrorHandling::Default(value)) => {
                    let text = self.json_literal(value)?;
                    let default = parse(&text).ok().filter(|json| converted(&rule, json).is_ok());
                    Json::Array(vec![default.ok_or_else(|| Error::invalid_default(name))?])
                }
            };
            members.push((when.to_string(), instead));
        }
        offered.push(offered_column(&named.name, ty));
        Ok(Json::object(members))
    }

    /// The type that follows a column's name, up to PATH or EXISTS PATH.
    fn json_column_type(&self, name: &Ident) -> Result<ColumnType, Error> {
        let Some(place) = token_number(name.span) else { return Err(Error::incorrect_column_name(&name.value)) };
        let is = |n: usize, word: &str| self.tokens.word(n).is_some_and(|w| w.eq_ignore_ascii_case(word));
        let ends = |n: &usize| is(*n, "PATH") || (is(*n, "EXISTS") && is(*n + 1, "PATH"));
        let end = (place + 2..self.tokens.tokens.len()).find(ends).unwrap_or(self.tokens.tokens.len());
        let text = self.tokens.between(place + 1, end - 1);
        let definition = parse_type(text, &name.value, self.context.modes)?;
        // A query is no place for notes on definitions.
        resolve_type(&definition, &Collation::default(), &name.value, self.context.modes, &mut Vec::new())
    }

    fn json_path(&mut self, path: &ValueWithSpan) -> Result<String, Error> {
        let path = self.json_literal(path)?;
        check_path(&path)?;
        Ok(path)
    }

    /// A string that is part of the table function's definition: the plan holds for no other.
    fn json_literal(&mut self, value: &ValueWithSpan) -> Result<String, Error> {
        match &value.value {
            Value::SingleQuotedString(text) => {
                self.looked_at.extend(self.literal_at(value.span));
                Ok(text.clone())
            }
            _ => Err(self.tokens.syntax_error(token_number(value.span).unwrap_or_default())),
        }
    }
}

fn offered_column(name: &Ident, ty: ColumnType) -> SourceColumn {
    SourceColumn {
        name: name.value.clone(),
        ty: ResultType::Known(ty),
        nullable: true,
        origin: None,
        merged: false,
        invisible: false,
    }
}
