//! What names mean: the tables of a FROM clause, innermost first, and the aliases of a select list.

use super::typed::{Strength, Typed};
use super::updatable::MergedView;
use crate::sql::catalog::Table;
use crate::sql::error::Error;
use crate::sql::plan::{Origin, ResultType};
use crate::types::DatabaseName;
use std::sync::Arc;

/// One column that a source offers.
#[derive(Clone, Debug)]
pub struct SourceColumn {
    pub name: String,
    pub ty: ResultType,
    pub nullable: bool,
    pub origin: Option<Arc<Origin>>,
    /// The other side of USING or NATURAL JOIN stands for it: found only with its table's name.
    pub merged: bool,
    /// Left out of `*`.
    pub invisible: bool,
}

/// A table, derived table or common table expression in FROM.
#[derive(Clone, Debug)]
pub struct Source {
    /// What the statement calls it.
    pub alias: String,
    pub database: Option<DatabaseName>,
    /// What the SQLite text calls it, quoted.
    pub sql_alias: String,
    /// What the SQLite text has for each column, where that is not a column of `sql_alias`; else empty.
    pub texts: Vec<String>,
    pub columns: Vec<SourceColumn>,
    /// The table behind it, if it is one.
    pub table: Option<Arc<Table>>,
    /// The view, if it is one put together with the tables below it: each text is then the view's, in terms of those.
    pub view: Option<Arc<MergedView>>,
}

/// When a name may be an alias of the select list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AliasUse {
    #[default]
    Never,
    /// GROUP BY: after the columns.
    AfterColumns,
    /// HAVING: before the columns, but after those of GROUP BY; within an aggregate after all of them.
    Having,
    /// ORDER BY: before the columns.
    BeforeColumns,
}

/// The names of one query block.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub sources: Vec<Source>,
    /// Name, value and position from 1 of every select item.
    pub aliases: Vec<(String, Typed, usize)>,
    pub alias_use: AliasUse,
    /// Positions of the select items that have an aggregate.
    pub aggregated_items: Vec<usize>,
    /// Without FROM there must be a row to aggregate: see [`super::aggregate::ONE_ROW`].
    pub needs_row: bool,
    /// Every alias of the select list, whether its item was read yet or not.
    pub pending: Vec<String>,
    /// The names in GROUP BY that are nothing but names.
    pub grouped: Vec<String>,
    /// In an UPDATE: columns already assigned, with their new values, which later assignments see.
    pub assigned: Vec<(String, Typed)>,
    /// What `*` means: columns by their source and their place there.
    pub star: Vec<(usize, usize)>,
    /// Under WITH ROLLUP: which grouping expressions are NULL here.
    pub rollup: Option<super::rollup::Rollup>,
    /// Aggregates may appear.
    pub aggregates: bool,
    /// An aggregate appeared.
    pub aggregated: bool,
}

impl Source {
    fn typed(&self, column: &SourceColumn, quote: impl Fn(&str) -> String) -> Typed {
        let place = || self.columns.iter().position(|c| c.name == column.name);
        let text = if self.texts.is_empty() { None } else { place().and_then(|i| self.texts.get(i)) };
        let sql = match text {
            Some(text) => text.clone(),
            None => format!("{}.{}", self.sql_alias, quote(&column.name)),
        };
        Typed {
            sql,
            ty: column.ty.clone(),
            nullable: column.nullable,
            column: self.texts.is_empty(),
            origin: column.origin.clone(),
            strength: Strength::Implicit,
            parameter: None,
            boolean: false,
            unrounded: false,
            temporal: false,
        }
    }

    pub fn column(&self, name: &str) -> Option<&SourceColumn> {
        self.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// What the statement calls a column of the table behind it.
    pub fn names_of(&self, column: &str) -> Vec<String> {
        match &self.view {
            Some(view) => view.names_of(0, column),
            None => vec![column.to_string()],
        }
    }

    /// The column as an expression.
    pub fn reference(&self, column: &SourceColumn) -> Typed {
        self.typed(column, super::translator::quote_name)
    }

    fn is_called(&self, database: Option<&str>, alias: &str) -> bool {
        let same_database = match (database, &self.database) {
            (None, _) => true,
            (Some(wanted), Some(own)) => wanted.eq_ignore_ascii_case(crate::sql::catalog::public_name(own)),
            (Some(_), None) => false,
        };
        same_database && self.alias.eq_ignore_ascii_case(alias)
    }
}

impl Scope {
    /// The value that `name` means here; `None` if it means nothing.
    ///
    /// # Errors
    /// 1052 if it means more than one column.
    pub fn resolve(
        &self,
        database: Option<&str>,
        table: Option<&str>,
        name: &str,
        clause: &str,
    ) -> Result<Option<Typed>, Error> {
        if table.is_none()
            && self.aliases_first(name)
            && let Some(value) = self.alias(name)
        {
            return Ok(Some(value));
        }
        let mut found: Option<Typed> = None;
        for source in &self.sources {
            if table.is_some_and(|t| !source.is_called(database, t)) {
                continue;
            }
            let Some(column) = source.column(name) else { continue };
            if table.is_none() && column.merged {
                continue;
            }
            if found.is_some() {
                return Err(Error::ambiguous_column(name, clause));
            }
            found = Some(source.reference(column));
        }
        if let Some(value) = &found
            && let Some((_, new)) = self.assigned.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))
        {
            return Ok(Some(value.with_sql(&new.sql)));
        }
        if found.is_none() && table.is_none() && matches!(self.alias_use, AliasUse::AfterColumns | AliasUse::Having) {
            return Ok(self.alias(name));
        }
        Ok(found)
    }

    /// Whether the select item that an alias stands for has an aggregate.
    pub fn is_aggregated(&self, alias: &str) -> bool {
        let found = self.aliases.iter().find(|(n, _, _)| n.eq_ignore_ascii_case(alias));
        found.is_some_and(|(_, _, position)| self.aggregated_items.contains(position))
    }

    fn aliases_first(&self, name: &str) -> bool {
        match self.alias_use {
            AliasUse::BeforeColumns => true,
            AliasUse::Having => self.aggregates && !self.grouped.iter().any(|g| g.eq_ignore_ascii_case(name)),
            AliasUse::Never | AliasUse::AfterColumns => false,
        }
    }

    /// A select item by its alias.
    pub fn alias(&self, name: &str) -> Option<Typed> {
        self.aliases.iter().find(|(n, _, _)| n.eq_ignore_ascii_case(name)).map(|(_, value, _)| value.clone())
    }

    /// The source that `table.*` names.
    pub fn source(&self, database: Option<&str>, table: &str) -> Option<&Source> {
        self.sources.iter().find(|s| s.is_called(database, table))
    }
}
