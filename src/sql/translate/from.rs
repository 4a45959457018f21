//! FROM: tables, joins, derived tables.

use super::scope::{Source, SourceColumn};
use super::translator::{Translator, quote_name};
use super::typed::Typed;
use crate::sql::catalog::{ColumnDefault, IndexKind, Table};
use crate::sql::error::Error;
use crate::sql::parse::TableName;
use crate::sql::plan::{Origin, ResultType};
use crate::types::DatabaseName;
use sqlparser::ast::{
    Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableAlias, TableFactor, TableWithJoins,
};
use std::sync::Arc;

/// The names of an object's parts.
pub fn name_parts(name: &ObjectName) -> Result<Vec<&str>, Error> {
    let parts = name.0.iter().map(|part| match part {
        ObjectNamePart::Identifier(Ident { value, .. }) => Ok(value.as_str()),
        ObjectNamePart::Function(_) => Err(Error::unsupported("a table function")),
    });
    parts.collect()
}

pub fn table_name(name: &ObjectName) -> Result<TableName, Error> {
    match name_parts(name)?.as_slice() {
        [table] => Ok(TableName { database: None, name: (*table).to_string() }),
        [database, table] => Ok(TableName { database: Some((*database).to_string()), name: (*table).to_string() }),
        _ => Err(Error::incorrect_table_name(name)),
    }
}

/// A table of the catalog as a source called `alias`.
pub fn table_source(database: &DatabaseName, table: &Arc<Table>, alias: &str) -> Source {
    let in_index = |kind: IndexKind, first_only: bool, id| {
        table.indexes.iter().any(|i| {
            let mut parts = i.columns.iter().enumerate();
            i.kind == kind && parts.any(|(n, c)| c.column == id && (!first_only || n == 0))
        })
    };
    let columns = table.columns.iter().map(|column| {
        let origin = Origin {
            database: database.clone(),
            table_alias: alias.to_string(),
            table: table.name.clone(),
            column: column.name.clone(),
            primary_key: table.primary.as_ref().is_some_and(|p| p.columns.iter().any(|c| c.column == column.id)),
            unique_key: in_index(IndexKind::Unique, true, column.id),
            multiple_key: in_index(IndexKind::Plain, true, column.id),
            auto_increment: column.auto_increment,
            no_default: !column.nullable && column.default.is_none() && !column.auto_increment,
            on_update_now: column.on_update.is_some(),
        };
        SourceColumn {
            name: column.name.clone(),
            ty: ResultType::Known(column.ty.clone()),
            nullable: column.nullable && !matches!(column.default, Some(ColumnDefault::Now(_)) if !column.nullable),
            origin: Some(Arc::new(origin)),
            merged: false,
            invisible: column.invisible,
        }
    });
    Source {
        alias: alias.to_string(),
        database: Some(database.clone()),
        sql_alias: quote_name(alias),
        columns: columns.collect(),
        table: Some(table.clone()),
    }
}

impl Translator<'_> {
    /// The whole clause, without the word FROM. Its sources join the current scope.
    pub fn source_list(&mut self, tables: &[TableWithJoins]) -> Result<String, Error> {
        let mut parts = Vec::new();
        for table in tables {
            let part = self.joined(table)?;
            // The comma binds less than JOIN in MySQL, and the same in SQLite.
            let outer = table
                .joins
                .iter()
                .any(|j| matches!(j.join_operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_)));
            parts.push(if outer && tables.len() > 1 { format!("({part})") } else { part });
        }
        parts.retain(|p| !p.is_empty());
        Ok(parts.join(", "))
    }

    fn joined(&mut self, table: &TableWithJoins) -> Result<String, Error> {
        let first = self.scope().sources.len();
        let mut sql = self.factor(&table.relation)?;
        for join in &table.joins {
            sql = self.join_to(sql, join, first)?;
        }
        Ok(sql)
    }

    /// `first` is where the sources of the left side begin.
    fn join_to(&mut self, left: String, join: &Join, first: usize) -> Result<String, Error> {
        use JoinOperator as J;
        let (word, constraint) = match &join.join_operator {
            J::Join(c) | J::Inner(c) | J::CrossJoin(c) | J::StraightJoin(c) => ("JOIN", c),
            J::Left(c) | J::LeftOuter(c) => ("LEFT JOIN", c),
            J::Right(c) | J::RightOuter(c) => ("RIGHT JOIN", c),
            _ => return Err(Error::unsupported("this kind of JOIN")),
        };
        if join.global {
            return Err(Error::unsupported("this kind of JOIN"));
        }
        let middle = self.scope().sources.len();
        let right = self.factor(&join.relation)?;
        let sides = match word {
            "LEFT JOIN" => middle..self.scope().sources.len(),
            "RIGHT JOIN" => first..middle,
            _ => 0..0,
        };
        for source in &mut self.scope().sources[sides] {
            source.columns.iter_mut().for_each(|c| c.nullable = true);
        }
        let condition = match constraint {
            JoinConstraint::None if word == "JOIN" => String::new(),
            JoinConstraint::None => return Err(self.tokens.syntax_error(self.tokens.tokens.len())),
            JoinConstraint::On(condition) => {
                format!(" ON {}", self.in_clause("on clause", |t| t.condition(condition))?)
            }
            JoinConstraint::Using(names) => {
                let mut columns = Vec::new();
                for name in names {
                    let name = name_parts(name)?.concat();
                    self.merge(&name, first, middle, word == "RIGHT JOIN", true)?;
                    columns.push(name);
                }
                self.using(&columns)
            }
            JoinConstraint::Natural => {
                let left: Vec<String> = self.column_names(first, middle);
                let right: Vec<String> = self.column_names(middle, usize::MAX);
                let common = left.into_iter().filter(|l| right.iter().any(|r| r.eq_ignore_ascii_case(l)));
                let common: Vec<String> = common.collect();
                for name in &common {
                    self.merge(name, first, middle, word == "RIGHT JOIN", false)?;
                }
                self.using(&common)
            }
        };
        Ok(format!("{left} {word} {right}{condition}"))
    }

    fn using(&mut self, columns: &[String]) -> String {
        if columns.is_empty() {
            return String::new();
        }
        let names: Vec<String> = columns.iter().map(|c| quote_name(c)).collect();
        format!(" USING ({})", names.join(", "))
    }

    fn column_names(&mut self, from: usize, to: usize) -> Vec<String> {
        let sources = &self.scope().sources;
        let sources = &sources[from..to.min(sources.len())];
        sources
            .iter()
            .flat_map(|s| s.columns.iter().filter(|c| !c.merged && !c.invisible))
            .map(|c| c.name.clone())
            .collect()
    }

    /// Makes one column of two: the left one stands for both, except in a RIGHT JOIN.
    fn merge(&mut self, name: &str, first: usize, middle: usize, keep_right: bool, listed: bool) -> Result<(), Error> {
        let clause = if listed { "from clause" } else { "natural join" };
        let sources = &mut self.scope().sources;
        let (left, right) = sources.split_at_mut(middle);
        let hide = |sources: &mut [Source], hidden: bool| {
            let columns = sources.iter_mut().flat_map(|s| &mut s.columns);
            let mut found = columns.filter(|c| c.name.eq_ignore_ascii_case(name) && !c.merged);
            match (found.next(), found.next()) {
                (None, _) => Err(Error::unknown_column(name, clause)),
                (Some(column), None) => {
                    column.merged = hidden;
                    Ok(())
                }
                _ => Err(Error::ambiguous_column(name, clause)),
            }
        };
        hide(&mut left[first..], keep_right)?;
        hide(right, !keep_right)?;
        let common = &mut self.scope().common;
        if !common.iter().any(|c| c.eq_ignore_ascii_case(name)) {
            common.push(name.to_string());
        }
        Ok(())
    }

    /// One table, derived table or join in parentheses.
    fn factor(&mut self, factor: &TableFactor) -> Result<String, Error> {
        match factor {
            TableFactor::Table { name, alias, args: None, partitions, sample: None, version: None, .. } => {
                if !partitions.is_empty() {
                    return Err(Error::unsupported("PARTITION clause"));
                }
                self.table(name, alias.as_ref())
            }
            TableFactor::Derived { lateral: true, .. } => Err(Error::unsupported("LATERAL derived tables")),
            TableFactor::Derived { subquery, alias, .. } => {
                let Some(alias) = alias else { return Err(Error::derived_without_alias()) };
                // A derived table does not see its siblings.
                let siblings = std::mem::take(&mut self.scope().sources);
                let block = self.query_block(subquery);
                self.scope().sources = siblings;
                let mut block = block?;
                let renamed = rename(&mut block.columns, alias)?;
                block.check_names()?;
                let sql = if renamed { block.renamed_sql() } else { block.sql.clone() };
                let alias = self.add(alias.name.value.clone(), None, block.columns, None)?;
                Ok(format!("({sql}) AS {alias}"))
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                Ok(format!("({})", self.joined(table_with_joins)?))
            }
            TableFactor::JsonTable { .. } => Err(Error::unsupported("JSON_TABLE")),
            _ => Err(Error::unsupported("this kind of table reference")),
        }
    }

    fn table(&mut self, name: &ObjectName, alias: Option<&TableAlias>) -> Result<String, Error> {
        let name = table_name(name)?;
        if name.database.is_none() && name.name.eq_ignore_ascii_case("DUAL") {
            return Ok(String::new());
        }
        let called = alias.map(|a| a.name.value.clone());
        let common = self.commons.iter().rev().find(|c| c.name.eq_ignore_ascii_case(&name.name)).cloned();
        if let (Some(common), None) = (common, &name.database) {
            let mut columns = common.columns.clone();
            if let Some(alias) = alias {
                rename(&mut columns, alias)?;
            }
            let alias = self.add(called.unwrap_or(name.name), None, columns, None)?;
            return Ok(format!("{} AS {alias}", quote_name(&common.name)));
        }
        if let Some((database, view)) = self.find_view(&name)? {
            let (database, view) = (database.clone(), view.clone());
            let siblings = std::mem::take(&mut self.scope().sources);
            let block = self.view_block(&database, &view);
            self.scope().sources = siblings;
            let block = block?;
            let sql = block.renamed_sql();
            let called = called.unwrap_or_else(|| view.name.clone());
            let alias = self.add(called, Some(database.name.clone()), block.columns, None)?;
            return Ok(format!("({sql}) AS {alias}"));
        }
        let (database, table) = self.find_table(&name)?;
        let source = table_source(&database.name, table, called.as_deref().unwrap_or(&table.name));
        let alias = self.add(source.alias, source.database, source.columns, source.table)?;
        Ok(format!("{}.{} AS {alias}", quote_name(&database.name), quote_name(&table.name)))
    }

    /// Adds a source to the scope; returns its quoted name in the SQLite text.
    pub fn add(
        &mut self,
        alias: String,
        database: Option<DatabaseName>,
        columns: Vec<SourceColumn>,
        table: Option<Arc<Table>>,
    ) -> Result<String, Error> {
        let taken: Vec<&Source> =
            self.scope().sources.iter().filter(|s| s.alias.eq_ignore_ascii_case(&alias)).collect();
        if taken.iter().any(|s| s.database == database) {
            return Err(Error::not_unique_table(alias));
        }
        let sql_alias = match (&database, taken.is_empty()) {
            (Some(database), false) => quote_name(&format!("{database}.{alias}")),
            _ => quote_name(&alias),
        };
        self.scope().sources.push(Source { alias, database, sql_alias: sql_alias.clone(), columns, table });
        Ok(sql_alias)
    }

    /// Every column of `*`, or of one source.
    pub fn wildcard(&mut self, source: Option<&Source>) -> Vec<(String, Typed)> {
        if let Some(source) = source {
            let visible = source.columns.iter().filter(|c| !c.invisible);
            return visible.map(|c| (c.name.clone(), source.reference(c))).collect();
        }
        let scope = self.scope();
        let mut all = Vec::new();
        let is_common = |name: &str| scope.common.iter().any(|c| c.eq_ignore_ascii_case(name));
        for name in &scope.common {
            for source in &scope.sources {
                let column = source.columns.iter().find(|c| c.name.eq_ignore_ascii_case(name) && !c.merged);
                if let Some(column) = column {
                    all.push((column.name.clone(), source.reference(column)));
                    break;
                }
            }
        }
        for source in &scope.sources {
            for column in source.columns.iter().filter(|c| !c.invisible && !c.merged && !is_common(&c.name)) {
                all.push((column.name.clone(), source.reference(column)));
            }
        }
        all
    }
}

/// Gives columns the names of `alias (a, b)`; false if there are none.
fn rename(columns: &mut [SourceColumn], alias: &TableAlias) -> Result<bool, Error> {
    if alias.columns.is_empty() {
        return Ok(false);
    }
    if alias.columns.len() != columns.len() {
        let message = "In definition of view, derived table or common table expression, SELECT list and column names list have different column counts";
        return Err(Error { code: 1353, state: "HY000", message: message.into() });
    }
    for (column, new) in columns.iter_mut().zip(&alias.columns) {
        column.name = new.name.value.clone();
    }
    Ok(true)
}
