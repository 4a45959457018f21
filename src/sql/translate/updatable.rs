//! Views that rows are changed through (manual, "Updatable and Insertable Views", "The View WITH CHECK OPTION Clause"): the
//! view's definition becomes part of the statement. Its names are those of the view, its texts those of the tables below,
//! which are called by names that no statement can give them.

use super::from::{has_outer_join, table_source};
use super::on_duplicate::NewValues;
use super::scope::{Scope, Source, SourceColumn};
use super::translator::{Translator, quote_name, quote_text};
use super::typed::Typed;
use crate::sql::catalog::{Column, Database, Table, View};
use crate::sql::error::Error;
use crate::sql::parse::TableName;
use sqlparser::ast::{Distinct, Expr, GroupByExpr, ObjectName, Query, Select, SelectItem, SetExpr};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Which views of a FROM clause are put together with the tables below them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Merging {
    /// None: each is a derived table.
    #[default]
    Never,
    /// Those without conditions: there is an outer join, in which a condition would belong to the join.
    Unconditional,
    Always,
}

impl Merging {
    /// What a FROM clause allows.
    pub fn of(tables: &[sqlparser::ast::TableWithJoins]) -> Merging {
        if has_outer_join(tables) { Merging::Unconditional } else { Merging::Always }
    }
}

/// A view as the tables below it.
#[derive(Clone, Debug)]
pub struct MergedView {
    /// `database.view`.
    pub name: String,
    /// The FROM clause of the tables below.
    pub from: String,
    pub bases: Vec<Source>,
    pub columns: Vec<MergedColumn>,
    /// What `from` has that is no table: rows cannot be deleted then, nor can they if there are several tables.
    others: bool,
    condition: Option<String>,
    nested: Vec<Arc<MergedView>>,
    check_option: String,
}

/// A column of a view.
#[derive(Clone, Debug)]
pub struct MergedColumn {
    pub offered: SourceColumn,
    text: String,
    /// The table, by its place among the bases, and its column; `None` for an expression.
    pub base: Option<(usize, String)>,
}

impl MergedView {
    /// The one table below; `None` if there are several.
    pub fn only_base(&self) -> Option<&Source> {
        match self.bases.as_slice() {
            [base] if !self.others => Some(base),
            _ => None,
        }
    }

    /// The view as a source of the statement, called `alias`.
    pub fn source(self: &Arc<MergedView>, alias: &str, database: &Database) -> Source {
        Source {
            alias: alias.to_string(),
            database: Some(database.name.clone()),
            sql_alias: self.bases.first().map_or(String::new(), |b| b.sql_alias.clone()),
            texts: self.columns.iter().map(|c| c.text.clone()).collect(),
            columns: self.columns.iter().map(|c| c.offered.clone()).collect(),
            table: None,
            view: Some(self.clone()),
        }
    }

    /// What rows must satisfy to be seen: this view's condition and those of the views below.
    pub fn conditions(&self) -> Vec<String> {
        self.condition.iter().cloned().chain(self.nested.iter().flat_map(|n| n.conditions())).collect()
    }

    /// What new rows must satisfy.
    pub fn checks(&self) -> Vec<String> {
        self.checks_within(false)
    }

    fn checks_within(&self, cascaded: bool) -> Vec<String> {
        let cascaded = cascaded || self.check_option == "CASCADED";
        let own = self.condition.iter().filter(|_| cascaded || self.check_option != "NONE");
        own.cloned().chain(self.nested.iter().flat_map(|n| n.checks_within(cascaded))).collect()
    }

    /// The table and column behind a column of the view.
    ///
    /// # Errors
    /// 1054, 1348 for an expression.
    pub fn base_of(&self, column: &str, clause: &str) -> Result<(usize, &str), Error> {
        let found = self.columns.iter().find(|c| c.offered.name.eq_ignore_ascii_case(column));
        let found = found.ok_or_else(|| Error::unknown_column(column, clause))?;
        let (base, name) = found.base.as_ref().ok_or_else(|| Error::column_not_updatable(column))?;
        Ok((*base, name))
    }

    /// What the view calls a column of one of its tables.
    pub fn names_of(&self, base: usize, column: &str) -> Vec<String> {
        let is = |c: &&MergedColumn| c.base.as_ref().is_some_and(|(b, n)| *b == base && n.eq_ignore_ascii_case(column));
        self.columns.iter().filter(is).map(|c| c.offered.name.clone()).collect()
    }

    /// Whether rows can be inserted: every column is one of a table, and none is there twice.
    pub fn is_insertable(&self) -> bool {
        let mut bases: Vec<_> = self.columns.iter().map(|c| c.base.as_ref()).collect();
        let all = bases.len();
        bases.sort();
        bases.dedup();
        !bases.contains(&None) && bases.len() == all && !self.others
    }
}

/// Whether rows can be changed through a view, as `information_schema.VIEWS` has it.
pub fn is_updatable(view: &View, database: &Database, catalog: &crate::sql::catalog::Catalog) -> bool {
    let context = super::Context::new(catalog, Some(&database.name), crate::sql::modes::Modes::NONE);
    let tokens = crate::sql::tokens::Tokens::default();
    let merged = Translator::new(&context, &tokens).merged_view(database, view, &view.name);
    // What it needs may be gone.
    merged.is_ok_and(|merged| merged.is_some_and(|m| m.columns.iter().any(|c| c.base.is_some())))
}

impl Translator<'_> {
    /// The view that a statement is to change rows through, `None` if the name is a table's.
    ///
    /// # Errors
    /// 1288 (1471 for INSERT) if it is not updatable.
    pub fn target_view(&mut self, name: &TableName, verb: &str) -> Result<Option<Arc<MergedView>>, Error> {
        let Some((database, view)) = self.find_view(name)? else { return Ok(None) };
        let (database, view) = (database.clone(), view.clone());
        let merged = self.merged_view(&database, &view, &view.name)?;
        let refused = || match verb {
            "INSERT" => Error::not_insertable(&view.name),
            verb => Error::not_updatable(&view.name, verb),
        };
        Ok(Some(Arc::new(merged.ok_or_else(refused)?)))
    }

    /// A view as the tables below it; `None` where its rows are not rows of tables.
    pub fn merged_view(&mut self, database: &Database, view: &View, called: &str) -> Result<Option<MergedView>, Error> {
        if view.algorithm == "TEMPTABLE" {
            return Ok(None);
        }
        let prefix = format!("{}{called}/", self.alias_prefix);
        self.within_view(database, view, |inner, query| inner.merged(database, view, query, prefix))
    }

    /// Inside the view's own text.
    fn merged(
        &mut self,
        database: &Database,
        view: &View,
        query: &Query,
        prefix: String,
    ) -> Result<Option<MergedView>, Error> {
        let Some(select) = mergeable(query) else { return Ok(None) };
        self.alias_prefix = prefix;
        self.merging = Merging::of(&select.from);
        self.scopes.push(Scope::default());
        let from = self.source_list(&select.from)?;
        let sources = self.scope().sources.clone();
        let (mut bases, mut offsets, mut nested, mut others) = (Vec::new(), Vec::new(), Vec::new(), false);
        for source in &sources {
            offsets.push(bases.len());
            match (&source.view, &source.table) {
                (Some(view), _) => {
                    bases.extend(view.bases.iter().cloned());
                    nested.push(view.clone());
                    others |= view.others;
                }
                (None, Some(_)) => bases.push(source.clone()),
                (None, None) => others = true,
            }
        }
        if bases.is_empty() || reads_any(select) {
            return Ok(None);
        }
        let condition = match &select.selection {
            Some(condition) => Some(self.in_clause("where clause", |t| t.condition(condition))?),
            None => None,
        };
        let mut columns = Vec::new();
        for (item, column) in select.projection.iter().zip(&view.columns) {
            let (SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }) = item
            else {
                return Ok(None);
            };
            if self.is_dependent(expression) {
                return Ok(None);
            }
            let value = self.expression(expression)?;
            let base = place_of(expression, &sources).and_then(|(source, name)| match &sources[source].view {
                Some(view) => view.base_of(&name, "").ok().map(|(b, n)| (offsets[source] + b, n.to_string())),
                None => sources[source].table.is_some().then_some((offsets[source], name)),
            });
            let offered = SourceColumn {
                name: column.name.clone(),
                ty: value.ty,
                nullable: value.nullable,
                origin: value.origin,
                merged: false,
                invisible: false,
            };
            columns.push(MergedColumn { offered, text: value.sql, base });
        }
        self.scopes.pop();
        if columns.len() != view.columns.len() {
            return Ok(None);
        }
        Ok(Some(MergedView {
            name: format!("{}.{}", database.name, view.name),
            from,
            bases,
            columns,
            others,
            condition,
            nested,
            check_option: view.check_option.clone(),
        }))
    }

    /// Whether a select item holds a query that names the tables around it.
    fn is_dependent(&mut self, expression: &Expr) -> bool {
        if !super::translator::needs_rows(expression) {
            return false;
        }
        let sources = std::mem::take(&mut self.scope().sources);
        let (mark, tables) = (self.parameters.len(), self.tables.len());
        let alone = self.expression(expression);
        self.parameters.truncate(mark);
        self.tables.truncate(tables);
        self.scope().sources = sources;
        alone.is_err()
    }

    /// The condition that a new row of `table`, called `alias`, satisfies the view's check; `None` if it has none.
    /// `cell` is the text of a column of the new row.
    ///
    /// # Errors
    /// 1235 for a check that needs a generated column.
    pub fn view_check(
        &self,
        view: &MergedView,
        base: &Source,
        cell: impl Fn(&Column) -> String,
    ) -> Result<Option<ViewCheck>, Error> {
        let checks = view.checks();
        let (Some(table), false) = (&base.table, checks.is_empty()) else { return Ok(None) };
        let condition = super::expression::balanced(&checks, " AND ");
        let mut columns = Vec::new();
        for column in &table.columns {
            let name = quote_name(&column.name);
            if column.generated().is_some() {
                if condition.contains(&format!("{}.{name}", base.sql_alias)) {
                    return Err(Error::unsupported("WITH CHECK OPTION over a generated column"));
                }
                continue;
            }
            let value = Typed::new(cell(column), column.ty.clone());
            columns.push(format!("{} AS {name}", value.collated(table.collations)));
        }
        let row = format!("SELECT {}", columns.join(", "));
        Ok(Some(ViewCheck { condition, row, alias: base.sql_alias.clone(), view: view.name.clone() }))
    }

    /// The rows of an INSERT through a view, with its check; `names` are the columns they are for.
    pub fn checked_insert(
        &mut self,
        view: &MergedView,
        base: usize,
        names: &mut Vec<String>,
        rows: String,
    ) -> Result<String, Error> {
        let source = &view.bases[base];
        let given = names.clone();
        let cell = |column: &Column| match given.contains(&quote_name(&column.name)) {
            true => format!("\"marmot_new\".{}", quote_name(&column.name)),
            false => "NULL".to_string(),
        };
        let Some(check) = self.view_check(view, source, cell)? else { return Ok(rows) };
        if view.only_base().is_none() {
            return Err(Error::unsupported("INSERT into a join view WITH CHECK OPTION"));
        }
        let mut rows = rows;
        if let (true, Some(table)) = (names.is_empty(), &source.table) {
            // All columns are left out: the first as well as any.
            names.extend(table.columns.first().map(|c| quote_name(&c.name)));
            rows = "VALUES (NULL)".to_string();
        }
        Ok(checked_rows(names, &rows, &check))
    }

    /// The assignments of ON DUPLICATE KEY UPDATE through a view, with its check.
    pub fn checked_assignments(
        &mut self,
        table: &Arc<Table>,
        assignments: &[(Vec<String>, Expr)],
        (view, base): (&MergedView, usize),
        ignore: bool,
    ) -> Result<NewValues, Error> {
        let list = self.assigned_columns(table, &super::on_duplicate::assigned_pairs(assignments), false)?;
        let mut set = self.with_touched(table, &list)?;
        let source = &view.bases[base];
        match (self.view_check(view, source, new_cells(&list, &source.sql_alias))?, list.is_empty()) {
            // A row that fails is left as it is.
            (Some(check), _) if ignore => Ok(NewValues { set, only_if: Some(check.as_condition()) }),
            (Some(check), false) => {
                check.around_first(&mut set);
                Ok(NewValues { set, only_if: None })
            }
            _ => Ok(NewValues { set, only_if: None }),
        }
    }

    /// INSERT into a view as one into the table below it.
    ///
    /// # Errors
    /// 1394 without a list of columns where there are several tables, 1393 for columns of several, 1471, 1235.
    pub fn insert_of_view(
        &mut self,
        insert: &crate::sql::parse::Insert,
        view: &MergedView,
    ) -> Result<(crate::sql::parse::Insert, usize), Error> {
        use crate::sql::parse::InsertSource;
        let short = view.name.rsplit_once('.').map_or(view.name.as_str(), |(_, name)| name);
        let mut columns = Vec::new();
        match &insert.columns {
            None if view.only_base().is_none() => return Err(Error::join_view_without_columns(&view.name)),
            None => {}
            Some(names) => {
                for name in names {
                    columns.push(view.base_of(name, "field list")?);
                }
            }
        }
        if !view.is_insertable() {
            return Err(Error::not_insertable(short));
        }
        let no_values = matches!(&insert.source, InsertSource::Rows(rows) if rows.iter().all(Vec::is_empty));
        if insert.columns.is_none() && !no_values {
            columns = view.columns.iter().filter_map(|c| c.base.as_ref().map(|(b, n)| (*b, n.as_str()))).collect();
        }
        let base = columns.first().map_or(0, |(base, _)| *base);
        if columns.iter().any(|(b, _)| *b != base) {
            return Err(Error::join_view_several_tables(&view.name));
        }
        if insert.returning.is_some() {
            return Err(Error::unsupported("RETURNING of a view"));
        }
        if insert.alias.as_ref().is_some_and(|(_, columns)| !columns.is_empty()) {
            return Err(Error::unsupported("column aliases in an INSERT into a view"));
        }
        let names_columns = |rows: &[Vec<Option<Expr>>]| rows.iter().flatten().flatten().any(names_columns);
        if matches!(&insert.source, InsertSource::Rows(rows) if names_columns(rows)) {
            return Err(Error::unsupported("INSERT into a view of values that name columns"));
        }
        let mut on_duplicate = Vec::new();
        for (path, value) in &insert.on_duplicate {
            let name = path.last().map_or("", String::as_str);
            let (of, column) = view.base_of(name, "field list")?;
            if of != base {
                return Err(Error::join_view_several_tables(&view.name));
            }
            on_duplicate.push((vec![column.to_string()], value.clone()));
        }
        let columns = (insert.columns.is_some() || !no_values)
            .then(|| columns.into_iter().map(|(_, name)| name.to_string()).collect());
        Ok((crate::sql::parse::Insert { columns, on_duplicate, ..insert.clone() }, base))
    }
}

/// What WITH CHECK OPTION asks of a new row.
pub struct ViewCheck {
    condition: String,
    row: String,
    alias: String,
    view: String,
}

impl ViewCheck {
    /// Whether it holds, as a query of one row.
    fn holds(&self) -> String {
        format!("(SELECT ({}) IS TRUE FROM ({}) AS {})", self.condition, self.row, self.alias)
    }

    /// `value`, unless the new row fails the check (1369).
    pub fn around(&self, value: &str) -> String {
        format!("marmot_view_checked({value}, {}, {})", self.holds(), quote_text(&self.view))
    }

    /// Puts the check around the first value assigned.
    pub fn around_first(&self, set: &mut [(String, String)]) {
        if let Some((_, value)) = set.first_mut() {
            *value = self.around(value);
        }
    }

    /// A condition that fails with 1369 for a row that fails the check, or, under IGNORE, leaves the row out.
    pub fn as_condition(&self) -> String {
        format!("marmot_view_allows({}, {})", self.holds(), quote_text(&self.view))
    }
}

/// The rows of an INSERT, those left out or refused that fail the check: `names` are its columns, `rows` its text.
pub fn checked_rows(names: &[String], rows: &str, check: &ViewCheck) -> String {
    let names = names.join(", ");
    let condition = check.as_condition();
    // Each row is made once, for it may take an id.
    format!(
        "WITH \"marmot_new\"({names}) AS MATERIALIZED ({rows}) SELECT {names} FROM \"marmot_new\" WHERE {condition}"
    )
}

/// The columns that an INSERT through a view sees of the rows: those of the table below, called `alias`, under the view's
/// names.
pub fn insert_source(view: &MergedView, base: usize, database: &Database, table: &Arc<Table>, alias: &str) -> Source {
    let own = table_source(&database.name, table, &table.name);
    let mut source = Source { sql_alias: alias.to_string(), columns: vec![], ..own };
    let short = view.name.rsplit_once('.').map_or(view.name.as_str(), |(_, name)| name);
    source.alias = short.to_string();
    for column in &view.columns {
        if let Some((of, name)) = &column.base
            && *of == base
        {
            source.columns.push(column.offered.clone());
            source.texts.push(format!("{alias}.{}", quote_name(name)));
        }
    }
    source
}

/// The SELECT of a view that may be put together with its tables.
fn mergeable(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let plain = query.with.is_none() && query.limit_clause.is_none() && query.fetch.is_none();
    let grouped =
        !matches!(&select.group_by, GroupByExpr::Expressions(e, _) if e.is_empty()) || select.having.is_some();
    let distinct = !matches!(select.distinct, None | Some(Distinct::All));
    let gathers = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => gathers_rows(e),
        _ => true,
    };
    (plain && !grouped && !distinct && !select.projection.iter().any(gathers)).then_some(select)
}

/// Whether an expression has an aggregate or window function of its own query.
fn gathers_rows(expression: &Expr) -> bool {
    let gathers = |e: &Expr| match e {
        Expr::Function(f) => f.over.is_some() || super::aggregate::is_aggregate(&f.name.to_string()),
        _ => false,
    };
    sqlparser::ast::Visit::visit(expression, &mut Outermost { depth: 0, wanted: &gathers }).is_break()
}

/// Whether an expression names a column, outside of any query in it.
pub(super) fn names_columns(expression: &Expr) -> bool {
    let names = |e: &Expr| matches!(e, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
    sqlparser::ast::Visit::visit(expression, &mut Outermost { depth: 0, wanted: &names }).is_break()
}

/// Finds an expression outside of the queries in another.
struct Outermost<'w> {
    /// How many queries are around.
    depth: usize,
    wanted: &'w dyn Fn(&Expr) -> bool,
}

impl sqlparser::ast::Visitor for Outermost<'_> {
    type Break = ();
    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }
    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        match self.depth == 0 && (self.wanted)(expression) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// Whether the condition of a view reads a table of its FROM clause once more.
fn reads_any(select: &Select) -> bool {
    let Some(condition) = &select.selection else { return false };
    let name_of = |name: &ObjectName| super::from::table_name(name).map(|n| n.name).unwrap_or_default();
    let mut own = Vec::new();
    for table in &select.from {
        let _ = sqlparser::ast::visit_relations(table, |name| {
            own.push(name_of(name));
            ControlFlow::<()>::Continue(())
        });
    }
    let found = sqlparser::ast::visit_relations(condition, |name| match own.contains(&name_of(name)) {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// The source and column that an expression is, if it is nothing but a column's name.
fn place_of(expression: &Expr, sources: &[Source]) -> Option<(usize, String)> {
    let (table, name) = match expression {
        Expr::Nested(inner) => return place_of(inner, sources),
        Expr::Identifier(name) => (None, name),
        Expr::CompoundIdentifier(path) => match path.as_slice() {
            [table, name] | [_, table, name] => (Some(table.value.as_str()), name),
            _ => return None,
        },
        _ => return None,
    };
    let has = |s: &Source| {
        let column = s.column(&name.value).filter(|c| table.is_some() || !c.merged);
        table.is_none_or(|t| s.alias.eq_ignore_ascii_case(t)).then_some(()).and(column).map(|c| c.name.clone())
    };
    let mut found = sources.iter().enumerate().filter_map(|(i, s)| has(s).map(|name| (i, name)));
    found.next()
}

/// The new values of a row, by column: what an UPDATE sets.
pub fn new_cells(list: &[(Column, String)], alias: &str) -> impl Fn(&Column) -> String {
    let new: BTreeMap<String, String> = list.iter().map(|(c, sql)| (c.name.clone(), sql.clone())).collect();
    let alias = alias.to_string();
    move |column| new.get(&column.name).cloned().unwrap_or_else(|| format!("{alias}.{}", quote_name(&column.name)))
}
