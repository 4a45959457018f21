//! FROM: tables, joins, derived tables.

use super::lateral::{is_lateral, lateral_name};
use super::scope::{Scope, Source, SourceColumn};
use super::translator::{Translator, quote_name};
use super::typed::Typed;
use super::updatable::{MergedView, Merging};
use crate::sql::account::Privileges;
use crate::sql::catalog::{ColumnDefault, Database, IndexKind, Table, View};
use crate::sql::error::Error;
use crate::sql::parse::TableName;
use crate::sql::plan::{Origin, ResultType};
use crate::sql::tokens::token_number;
use crate::types::DatabaseName;
use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableAlias, TableFactor,
    TableWithJoins,
};
use sqlparser::tokenizer::Token;
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
    let columns = table.shown_columns().map(|column| {
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
        texts: Vec::new(),
        view: None,
        columns: columns.collect(),
        table: Some(table.clone()),
    }
}

/// The columns that `*` means after a join, each by its source and its place there: those joined by USING or NATURAL
/// first and once (manual, "JOIN Clause").
type Joined = Vec<(usize, usize)>;

impl Translator<'_> {
    /// The whole clause, without the word FROM. Its sources join the current scope.
    pub fn source_list(&mut self, tables: &[TableWithJoins]) -> Result<String, Error> {
        let mut parts = Vec::new();
        for table in tables {
            let (part, columns) = self.joined(table)?;
            self.scope().star.extend(columns);
            // The comma binds less than JOIN in MySQL, but not in SQLite.
            let outer = table
                .joins
                .iter()
                .any(|j| matches!(j.join_operator, JoinOperator::Right(_) | JoinOperator::RightOuter(_)));
            parts.push(if outer && tables.len() > 1 { format!("({part})") } else { part });
        }
        parts.retain(|p| !p.is_empty());
        Ok(parts.join(", "))
    }

    fn joined(&mut self, table: &TableWithJoins) -> Result<(String, Joined), Error> {
        let first = self.scope().sources.len();
        let mut left = self.factor(&table.relation)?;
        for join in &table.joins {
            left = self.join_to(left, join, first)?;
        }
        Ok(left)
    }

    /// `first` is where the sources of the left side begin.
    fn join_to(&mut self, left: (String, Joined), join: &Join, first: usize) -> Result<(String, Joined), Error> {
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
        let explicit = !matches!(join.join_operator, J::StraightJoin(_));
        if let (TableFactor::NestedJoin { table_with_joins, alias: None }, true) = (&join.relation, explicit)
            && *constraint == JoinConstraint::None
            && word == "JOIN"
            && !self.is_in_parentheses(&table_with_joins.relation)
        {
            // `a JOIN b LEFT JOIN c ON ..` was read as if the second join came first; they go from left to right.
            let inner = Join { relation: table_with_joins.relation.clone(), ..join.clone() };
            let mut left = self.join_to(left, &inner, first)?;
            for join in &table_with_joins.joins {
                left = self.join_to(left, join, first)?;
            }
            return Ok(left);
        }
        let middle = self.scope().sources.len();
        let (left, left_columns) = left;
        let (right, right_columns) = match word {
            "RIGHT JOIN" if is_lateral(&join.relation) => self.factor_alone(&join.relation)?,
            _ => self.factor(&join.relation)?,
        };
        let sides = match word {
            "LEFT JOIN" => middle..self.scope().sources.len(),
            "RIGHT JOIN" => first..middle,
            _ => 0..0,
        };
        for source in &mut self.scope().sources[sides] {
            source.columns.iter_mut().for_each(|c| c.nullable = true);
        }
        let sides = Sides { left: left_columns, right: right_columns, keeps_right: word == "RIGHT JOIN" };
        let (condition, columns) = match constraint {
            JoinConstraint::None if word == "JOIN" => (String::new(), sides.both()),
            JoinConstraint::None => return Err(self.tokens.syntax_error(self.tokens.tokens.len())),
            JoinConstraint::On(condition) => {
                let condition = self.join_condition(condition, first)?;
                (format!(" ON {condition}"), sides.both())
            }
            JoinConstraint::Using(names) => {
                let names: Result<Vec<String>, Error> =
                    names.iter().map(|n| name_parts(n).map(|p| p.concat())).collect();
                self.merge(&names?, &sides, "from clause")?
            }
            JoinConstraint::Natural => {
                let right = self.names_of(&sides.right);
                let mut common = self.names_of(&sides.left);
                common.retain(|l| right.iter().any(|r| r.eq_ignore_ascii_case(l)));
                self.merge(&common, &sides, "natural join")?
            }
        };
        Ok((format!("{left} {word} {right}{condition}"), columns))
    }

    /// The condition of a join whose operands begin at source `first`: it sees no others of this FROM clause.
    fn join_condition(&mut self, condition: &Expr, first: usize) -> Result<String, Error> {
        let operands = self.scope().sources.split_off(first);
        let before = std::mem::replace(&mut self.scope().sources, operands);
        let condition = self.in_clause("on clause", |t| t.condition(condition));
        let operands = std::mem::replace(&mut self.scope().sources, before);
        self.scope().sources.extend(operands);
        condition
    }

    /// Whether the table reference stands right after a parenthesis that was opened for it.
    fn is_in_parentheses(&self, factor: &TableFactor) -> bool {
        let TableFactor::Table { name, .. } = factor else { return true };
        let number = match name.0.first() {
            Some(ObjectNamePart::Identifier(first)) => token_number(first.span),
            _ => None,
        };
        let before = number.and_then(|n| n.checked_sub(1)).and_then(|n| self.tokens.tokens.get(n));
        before.is_none_or(|t| t.token == Token::LParen)
    }

    fn names_of(&mut self, columns: &Joined) -> Vec<String> {
        let sources = &self.scope().sources;
        columns.iter().map(|(s, c)| sources[*s].columns[*c].name.clone()).collect()
    }

    /// Makes one column of every two of these names: the left one stands for both, except in a RIGHT JOIN, which is a
    /// LEFT JOIN the other way round.
    fn merge(&mut self, names: &[String], sides: &Sides, clause: &'static str) -> Result<(String, Joined), Error> {
        let (mut conditions, mut kept, mut hidden) = (Vec::new(), Vec::new(), Vec::new());
        for name in names {
            let left = self.one_of(name, &sides.left, clause)?;
            let right = self.one_of(name, &sides.right, clause)?;
            let reference = |(source, column): (usize, usize), t: &mut Self| {
                let source = t.scope().sources[source].clone();
                source.reference(&source.columns[column])
            };
            let (mut l, mut r) = (reference(left, self), reference(right, self));
            let (l, r) = self.comparable(&mut l, &mut r);
            conditions.push(format!("{l} = {r}"));
            let (keep, hide) = if sides.keeps_right { (right, left) } else { (left, right) };
            kept.push(keep);
            hidden.push(hide);
        }
        for (source, column) in &hidden {
            self.scope().sources[*source].columns[*column].merged = true;
        }
        let (main, other) = if sides.keeps_right { (&sides.right, &sides.left) } else { (&sides.left, &sides.right) };
        let mut columns: Joined = main.iter().filter(|c| kept.contains(c)).copied().collect();
        let rest = main.iter().chain(other).filter(|c| !kept.contains(c) && !hidden.contains(c));
        columns.extend(rest.copied().collect::<Joined>());
        let condition = match conditions.is_empty() {
            true if sides.keeps_right || clause == "natural join" => " ON 1".to_string(),
            true => String::new(),
            false => format!(" ON {}", conditions.join(" AND ")),
        };
        Ok((condition, columns))
    }

    /// The one column of a side that has this name.
    fn one_of(&mut self, name: &str, side: &Joined, clause: &'static str) -> Result<(usize, usize), Error> {
        let sources = &self.scope().sources;
        let mut found = side.iter().filter(|(s, c)| sources[*s].columns[*c].name.eq_ignore_ascii_case(name));
        match (found.next(), found.next()) {
            (Some(place), None) => Ok(*place),
            (None, _) => Err(Error::unknown_column(name, clause)),
            _ => Err(Error::ambiguous_column(name, clause)),
        }
    }

    /// The columns that `*` means of the source added last.
    fn columns_of_last(&mut self) -> Joined {
        let sources = &self.scope().sources;
        let Some(last) = sources.len().checked_sub(1) else { return vec![] };
        let visible = sources[last].columns.iter().enumerate().filter(|(_, c)| !c.invisible);
        visible.map(|(i, _)| (last, i)).collect()
    }

    /// One table, derived table or join in parentheses.
    fn factor(&mut self, factor: &TableFactor) -> Result<(String, Joined), Error> {
        let sql = match factor {
            TableFactor::Table { name, alias, args: None, partitions, sample: None, version: None, .. } => {
                if !partitions.is_empty() {
                    return Err(Error::unsupported("PARTITION clause"));
                }
                let before = self.scope().sources.len();
                let sql = self.table(name, alias.as_ref())?;
                if self.scope().sources.len() == before {
                    // DUAL.
                    return Ok((sql, vec![]));
                }
                sql
            }
            TableFactor::Derived { lateral: true, subquery, alias, .. } => {
                let Some(alias) = alias else { return Err(Error::derived_without_alias()) };
                self.lateral(subquery, alias)?
            }
            TableFactor::Derived { subquery, alias, .. } => {
                let Some(alias) = alias else { return Err(Error::derived_without_alias()) };
                // A derived table does not see its siblings.
                let siblings = std::mem::take(&mut self.scope().sources);
                let block = self.query_block(subquery);
                self.scope().sources = siblings;
                let mut block = block?;
                if block.single_row && block.sql.contains("marmot_assign(") && !block.sql.contains(" FROM ") {
                    // SQLite does not compute a column that nobody reads, unless rows are compared by it.
                    block.sql = block.sql.replacen("SELECT ", "SELECT DISTINCT ", 1);
                }
                let renamed = rename(&mut block.columns, alias)?;
                block.check_names()?;
                let sql = if renamed { block.renamed_sql() } else { block.sql.clone() };
                let alias = self.add(alias.name.value.clone(), None, block.columns, None)?;
                format!("({sql}) AS {alias}")
            }
            TableFactor::NestedJoin { table_with_joins, alias: None } => {
                let (sql, columns) = self.joined(table_with_joins)?;
                return Ok((format!("({sql})"), columns));
            }
            TableFactor::JsonTable { json_expr, json_path, columns, alias } => {
                self.json_table(json_expr, json_path, columns, alias.as_ref())?
            }
            _ => return Err(Error::unsupported("this kind of table reference")),
        };
        Ok((sql, self.columns_of_last()))
    }

    /// A table reference that does not see its siblings, though it may by its kind.
    ///
    /// # Errors
    /// 3668 where it names one.
    fn factor_alone(&mut self, factor: &TableFactor) -> Result<(String, Joined), Error> {
        let mut siblings = std::mem::take(&mut self.scope().sources);
        let outcome = self.factor(factor);
        let own = std::mem::take(&mut self.scope().sources);
        let before = siblings.len();
        siblings.extend(own);
        self.scope().sources = siblings;
        match outcome {
            Ok((sql, columns)) => Ok((sql, columns.into_iter().map(|(s, c)| (s + before, c)).collect())),
            Err(error) if error.code == 1054 => Err(Error::lateral_join_type(lateral_name(factor))),
            Err(error) => Err(error),
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
        self.need_table(&name, Privileges::SELECT);
        if let Some((database, view)) = self.find_view(&name)? {
            let (database, view) = (database.clone(), view.clone());
            let called = called.unwrap_or_else(|| view.name.clone());
            if let Some(sql) = self.merged_table(&database, &view, &called)? {
                return Ok(sql);
            }
            let siblings = std::mem::take(&mut self.scope().sources);
            let block = self.view_block(&database, &view);
            self.scope().sources = siblings;
            let block = block?;
            let sql = block.renamed_sql();
            let alias = self.add(called, Some(database.name.clone()), block.columns, None)?;
            return Ok(format!("({sql}) AS {alias}"));
        }
        let (database, table) = self.find_table(&name)?;
        let source = table_source(&database.name, table, called.as_deref().unwrap_or(&table.name));
        let alias = self.add(source.alias, source.database, source.columns, source.table)?;
        Ok(format!("{}.{} AS {alias}", quote_name(&database.name), quote_name(&table.name)))
    }

    /// A view in place of which its tables stand, where the statement may change their rows; `None`: it is to be a
    /// derived table.
    fn merged_table(&mut self, database: &Database, view: &View, called: &str) -> Result<Option<String>, Error> {
        if self.merging == Merging::Never || self.scopes.len() > 1 {
            return Ok(None);
        }
        let mark = self.parameters.len();
        let merged = self.merged_view(database, view, called)?;
        let allowed = |m: &MergedView| self.merging == Merging::Always || m.conditions().is_empty();
        let Some(merged) = merged.filter(allowed) else {
            self.parameters.truncate(mark);
            return Ok(None);
        };
        let merged = Arc::new(merged);
        let source = merged.source(called, database);
        let same = |s: &Source| s.alias.eq_ignore_ascii_case(&source.alias) && s.database == source.database;
        if self.scope().sources.iter().any(same) {
            return Err(Error::not_unique_table(called));
        }
        self.scope().sources.push(source);
        let parentheses = merged.only_base().is_none();
        Ok(Some(if parentheses { format!("({})", merged.from) } else { merged.from.clone() }))
    }

    /// Adds a source to the scope; returns its quoted name in the SQLite text.
    pub fn add(
        &mut self,
        alias: String,
        database: Option<DatabaseName>,
        columns: Vec<SourceColumn>,
        table: Option<Arc<Table>>,
    ) -> Result<String, Error> {
        let level = self.scopes.len().max(1);
        let prefix = if level == 1 { self.alias_prefix.clone() } else { String::new() };
        let taken: Vec<&Source> =
            self.scope().sources.iter().filter(|s| s.alias.eq_ignore_ascii_case(&alias)).collect();
        if taken.iter().any(|s| s.database == database) {
            return Err(Error::not_unique_table(alias));
        }
        let mut sql_alias = match (&database, taken.is_empty()) {
            (Some(database), false) => quote_name(&format!("{prefix}{database}.{alias}")),
            _ => quote_name(&format!("{prefix}{alias}")),
        };
        // Expressions of a query around this one may come to stand in here: its tables must not be hidden.
        let hides = |s: &Scope| s.sources.iter().any(|s| s.sql_alias.eq_ignore_ascii_case(&sql_alias));
        if self.scopes[..level - 1].iter().any(hides) {
            sql_alias = quote_name(&format!("{alias}#{level}"));
        }
        self.scope().sources.push(Source {
            alias,
            database,
            sql_alias: sql_alias.clone(),
            texts: Vec::new(),
            view: None,
            columns,
            table,
        });
        Ok(sql_alias)
    }

    /// Every column of `*`, or of one source.
    pub fn wildcard(&mut self, source: Option<&Source>) -> Vec<(String, Typed)> {
        if let Some(source) = source {
            let visible = source.columns.iter().filter(|c| !c.invisible);
            return visible.map(|c| (c.name.clone(), source.reference(c))).collect();
        }
        let scope = self.scope();
        let column = |(source, column): &(usize, usize)| {
            let source = &scope.sources[*source];
            let column = &source.columns[*column];
            (column.name.clone(), source.reference(column))
        };
        scope.star.iter().map(column).collect()
    }
}

/// Whether a FROM clause has an outer join.
pub(super) fn has_outer_join(tables: &[TableWithJoins]) -> bool {
    use JoinOperator as J;
    tables.iter().any(|table| {
        let nested = |factor: &TableFactor| match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => has_outer_join(std::slice::from_ref(table_with_joins)),
            _ => false,
        };
        let outer = |j: &Join| matches!(j.join_operator, J::Left(_) | J::LeftOuter(_) | J::Right(_) | J::RightOuter(_));
        nested(&table.relation) || table.joins.iter().any(|j| outer(j) || nested(&j.relation))
    })
}

/// The two sides of a join.
struct Sides {
    left: Joined,
    right: Joined,
    keeps_right: bool,
}

impl Sides {
    fn both(&self) -> Joined {
        self.left.iter().chain(&self.right).copied().collect()
    }
}

/// Gives columns the names of `alias (a, b)`; false if there are none.
pub(super) fn rename(columns: &mut [SourceColumn], alias: &TableAlias) -> Result<bool, Error> {
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
