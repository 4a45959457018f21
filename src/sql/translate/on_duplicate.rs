//! ON DUPLICATE KEY UPDATE: the values that a row gets which is there already.

use super::from::table_source;
use super::insert::{InsertTarget, target_columns};
use super::scope::{Scope, Source};
use super::translator::{Translator, quote_name};
use super::updatable::insert_source;
use super::update::joined;
use super::upsert::conflict_clauses;
use crate::sql::catalog::{Column, Database, Table};
use crate::sql::error::Error;
use crate::sql::parse::{Insert, InsertSource};
use sqlparser::ast::Expr;
use std::sync::Arc;

/// The values of ON DUPLICATE KEY UPDATE.
pub(super) struct NewValues {
    /// Columns and their values.
    pub set: Vec<(String, String)>,
    /// A row that is not so is left as it is.
    pub only_if: Option<String>,
}

impl Translator<'_> {
    /// ` ON CONFLICT DO UPDATE SET ...`.
    pub(super) fn on_duplicate(
        &mut self,
        insert: &Insert,
        database: &Database,
        table: &Arc<Table>,
        target: &InsertTarget<'_>,
    ) -> Result<String, Error> {
        let NewValues { set, only_if } = self.new_values(insert, database, table, target)?;
        let only_if = only_if.map_or(String::new(), |condition| format!(" WHERE {condition}"));
        Ok(conflict_clauses(table, &format!("{}{only_if}", joined(&set))))
    }

    /// The values of ON DUPLICATE KEY UPDATE, over the old row and the one called "excluded".
    pub(super) fn new_values(
        &mut self,
        insert: &Insert,
        database: &Database,
        table: &Arc<Table>,
        target: &InsertTarget<'_>,
    ) -> Result<NewValues, Error> {
        let row = |alias: &str| match target.view {
            Some((view, base)) => insert_source(view, base, database, table, alias),
            None => Source { sql_alias: alias.to_string(), ..table_source(&database.name, table, &table.name) },
        };
        let excluded = row("\"excluded\"");
        let mut sources: Vec<Source> = vec![row(&target.alias)];
        self.inserted = Some(excluded.clone());
        if let Some((name, columns)) = &insert.alias {
            let mut row = excluded;
            row.alias.clone_from(name);
            row.database = None;
            if !columns.is_empty() {
                let given = insert.columns.as_ref().map_or(table.columns.len(), Vec::len);
                if columns.len() != given {
                    return Err(Error::value_count(1));
                }
                let targets = match &insert.source {
                    InsertSource::Fields(fields) => self.loaded_columns(fields, table)?,
                    InsertSource::Rows(_) | InsertSource::Query(_) => target_columns(insert, table)?,
                };
                row.columns.retain(|c| targets.iter().any(|t| t.name == c.name));
                // The alias names the columns anew; the SQLite text keeps the old ones.
                let set = self.on_duplicate_renamed(insert, table, sources, row, &targets, columns)?;
                return Ok(NewValues { set, only_if: None });
            }
            // Only with the alias: a bare name is the old row's.
            row.columns.iter_mut().for_each(|c| c.merged = true);
            sources.push(row);
        }
        self.scopes.push(Scope { sources, ..Scope::default() });
        let list = match target.view {
            Some(view) => self.checked_assignments(table, &insert.on_duplicate, view, insert.ignore),
            None => self.assignment_list(table, &insert.on_duplicate).map(|set| NewValues { set, only_if: None }),
        };
        self.scopes.pop();
        self.inserted = None;
        list
    }

    fn on_duplicate_renamed(
        &mut self,
        insert: &Insert,
        table: &Arc<Table>,
        sources: Vec<Source>,
        row: Source,
        targets: &[Column],
        names: &[String],
    ) -> Result<Vec<(String, String)>, Error> {
        // New names resolve as if already assigned: each stands for the excluded column.
        let aliases = targets.iter().zip(names).filter_map(|(column, name)| {
            let source = row.column(&column.name)?;
            Some((name.clone(), row.reference(source), 0))
        });
        let scope = Scope {
            sources,
            aliases: aliases.collect(),
            alias_use: super::scope::AliasUse::BeforeColumns,
            ..Scope::default()
        };
        let renamed = Source {
            columns: targets
                .iter()
                .zip(names)
                .filter_map(|(column, name)| {
                    let source = row.column(&column.name)?;
                    Some(super::scope::SourceColumn { name: name.clone(), ..source.clone() })
                })
                .collect(),
            ..row.clone()
        };
        self.scopes.push(Scope { sources: vec![renamed], ..Scope::default() });
        self.scopes.push(scope);
        let list = self.assignment_list(table, &insert.on_duplicate);
        self.scopes.truncate(self.scopes.len() - 2);
        self.inserted = None;
        // `alias.new` came out as "excluded"."new": give it the column's own name.
        let renamed = |text: String| {
            targets.iter().zip(names).fold(text, |text, (column, name)| {
                let from = format!("\"excluded\".{}", quote_name(name));
                text.replace(&from, &format!("\"excluded\".{}", quote_name(&column.name)))
            })
        };
        Ok(list?.into_iter().map(|(name, sql)| (name, renamed(sql))).collect())
    }

    pub(super) fn assignment_list(
        &mut self,
        table: &Arc<Table>,
        assignments: &[(Vec<String>, Expr)],
    ) -> Result<Vec<(String, String)>, Error> {
        self.assignments(table, &assigned_pairs(assignments), false)
    }
}

/// The assignments of ON DUPLICATE KEY UPDATE; `None` is DEFAULT.
pub(super) fn assigned_pairs(assignments: &[(Vec<String>, Expr)]) -> Vec<(&str, Option<&Expr>)> {
    let default = |value: &Expr| matches!(value, Expr::Identifier(n) if n.quote_style.is_none() && n.value.eq_ignore_ascii_case("DEFAULT"));
    assignments
        .iter()
        .map(|(path, value)| (path.last().map_or("", String::as_str), (!default(value)).then_some(value)))
        .collect()
}
