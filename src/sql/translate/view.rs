//! Views: their definitions, and their queries in place of their names.

use super::select::Block;
use super::show_create::{backquoted, quoted_definer};
use super::translator::Translator;
use super::typed::{Typed, text_type};
use super::view_text::canonical_query;
use super::{Context, scope::SourceColumn};
use crate::sql::catalog::{Catalog, Column, Database, Table, TableOptions, View};
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::parse::{CreateView, parse_one};
use crate::sql::plan::{Plan, ResultType};
use crate::sql::schema_change::SchemaChange;
use crate::types::{ColumnId, TableId};
use sqlparser::ast::Query;
use sqlparser::tokenizer::Token;

/// A `*` of a view's query: the number of its SELECT token, its place among the items, and what it stands for.
#[derive(Clone, Debug)]
pub struct Expansion {
    pub select: usize,
    pub item: usize,
    pub columns: Vec<String>,
}

/// The columns of a query as a table would have them.
pub fn columns_of(columns: &[SourceColumn]) -> Vec<Column> {
    let column = |(i, c): (usize, &SourceColumn)| Column {
        id: ColumnId(u32::try_from(i + 1).unwrap_or(u32::MAX)),
        name: c.name.clone(),
        ty: match &c.ty {
            ResultType::Known(ty) => ty.clone(),
            ResultType::Dynamic | ResultType::Null => text_type(),
        },
        nullable: c.nullable,
        default: None,
        on_update: None,
        auto_increment: false,
        comment: String::new(),
        invisible: false,
    };
    columns.iter().enumerate().map(column).collect()
}

/// A view as DESCRIBE and the like see it: a table without keys.
pub fn as_table(view: &View) -> Table {
    Table {
        id: TableId::default(),
        name: view.name.clone(),
        columns: view.columns.clone(),
        primary: None,
        indexes: vec![],
        foreign_keys: vec![],
        checks: vec![],
        options: TableOptions {
            engine: String::new(),
            collation: Default::default(),
            comment: "VIEW".to_string(),
            auto_increment: None,
            others: vec![],
            created: String::new(),
        },
        collations: Default::default(),
        next_column: 1,
        next_index: 1,
    }
}

/// The statement that makes `view` of `database` again, for a session whose database is `current`.
pub fn show_create_view(database: &Database, view: &View, catalog: &Catalog, current: Option<&str>) -> String {
    // The canonical query names its columns.
    let (columns, query) = match canonical_query(view, catalog, current) {
        Some(query) => (String::new(), query),
        None => {
            let names: Vec<String> = view.columns.iter().map(|c| backquoted(&c.name)).collect();
            (format!(" ({})", names.join(",")), view.query.clone())
        }
    };
    let check = match view.check_option.as_str() {
        "NONE" => String::new(),
        kind => format!(" WITH {kind} CHECK OPTION"),
    };
    format!(
        "CREATE ALGORITHM={} DEFINER={} SQL SECURITY {} VIEW {}{columns} AS {query}{check}",
        view.algorithm,
        quoted_definer(database.definer(&view.name)),
        if view.invoker { "INVOKER" } else { "DEFINER" },
        backquoted(&view.name),
    )
}

impl Translator<'_> {
    /// CREATE VIEW, ALTER VIEW.
    ///
    /// # Errors
    /// Those of the query; 1351 for a variable or marker, 1352 for a temporary table in it, 1353, 1060.
    pub fn create_view(&mut self, create: &CreateView) -> Result<Plan, Error> {
        let database = self.ddl_database(&create.name)?;
        let (first, end) = create.place;
        let variable = |t: &Token| matches!(t, Token::Placeholder(p) if p.starts_with('@') || p.starts_with('?'));
        if self.tokens.tokens[first..end].iter().any(|t| variable(&t.token)) {
            let message = "View's SELECT contains a variable or parameter".to_string();
            return Err(Error { code: 1351, state: "HY000", message });
        }
        self.expansions = Some(vec![]);
        let block = self.query(&create.query, true)?;
        let expansions = self.expansions.take().unwrap_or_default();
        if let Some((_, table)) = self.tables.iter().find(|(d, _)| crate::sql::catalog::is_temporary(d)) {
            let message = format!("View's SELECT refers to a temporary table '{table}'");
            return Err(Error { code: 1352, state: "HY000", message });
        }
        let block = match create.columns.is_empty() {
            true => unique_names(block, &create.query)?,
            false => named(block, &create.columns)?,
        };
        let view = View {
            name: create.name.name.clone(),
            columns: columns_of(&block.columns),
            query: self.spelled_out(first, end, &expansions),
            database: self.context.database.unwrap_or_default().into(),
            modes: self.context.modes.bits(),
            check_option: create.check_option.to_string(),
            algorithm: create.algorithm.to_string(),
            invoker: create.invoker,
        };
        let place = self.find_database(&database)?.clone();
        if create.check_option != "NONE" && self.merged_view(&place, &view, &view.name)?.is_none() {
            return Err(Error::check_on_non_updatable_view(format!("{database}.{}", view.name)));
        }
        Ok(Plan::Schema(SchemaChange::CreateView {
            database,
            verb: create.verb,
            if_not_exists: create.if_not_exists,
            view: Box::new(view),
            definer: create.definer.clone(),
        }))
    }

    /// The text of a query with every outermost `*` replaced, so that it means the same when tables get more columns.
    fn spelled_out(&self, first: usize, end: usize, expansions: &[Expansion]) -> String {
        let start_of = |token: usize| self.tokens.ranges.get(token).map_or(0, |r| r.0);
        let end_of = |token: usize| self.tokens.ranges.get(token).map_or(self.tokens.text.len(), |r| r.1);
        let mut replaced: Vec<(usize, usize, String)> = expansions
            .iter()
            .filter_map(|e| {
                let (from, to) = self.tokens.item_tokens(e.select, e.item)?;
                Some((start_of(from), end_of(to), e.columns.join(", ")))
            })
            .collect();
        replaced.sort();
        let mut text = String::new();
        let mut at = start_of(first);
        for (from, to, columns) in replaced {
            text.push_str(&self.tokens.text[at..from]);
            text.push_str(&columns);
            at = to;
        }
        text.push_str(&self.tokens.text[at..end_of(end.saturating_sub(1))]);
        text
    }

    /// Remembers what a `*` stands for, while a view is created.
    pub fn note_expansion(&mut self, select: Option<usize>, item: usize, values: &[(String, Typed)]) {
        let (Some(select), 0, true) = (select, self.depth, self.expansions.is_some()) else { return };
        let sources = self.scope().sources.clone();
        let column = |(name, value): &(String, Typed)| {
            let of = sources.iter().find(|s| value.sql.starts_with(&format!("{}.", s.sql_alias)));
            let table = of.map_or(String::new(), |s| format!("{}.", backquoted(&s.alias)));
            format!("{table}{}", backquoted(name))
        };
        let columns = values.iter().map(column).collect();
        self.expansions.get_or_insert_default().push(Expansion { select, item, columns });
    }

    /// The query of a view, in place of its name.
    ///
    /// # Errors
    /// 1356 if what it needs is not there any more, 1462 if it contains itself.
    pub fn view_block(&mut self, database: &Database, view: &View) -> Result<Block, Error> {
        let invalid = || Error::invalid_view(&database.name, &view.name);
        let block = self.within_view(database, view, |inner, query| inner.query(query, true))?;
        if block.columns.len() != view.columns.len() {
            return Err(invalid());
        }
        let names: Vec<String> = view.columns.iter().map(|c| c.name.clone()).collect();
        named(block, &names)
    }

    /// Runs `read` on the query of a view, in which names mean what they meant when it was created.
    ///
    /// # Errors
    /// As [`Self::view_block`].
    pub(super) fn within_view<T>(
        &mut self,
        database: &Database,
        view: &View,
        read: impl FnOnce(&mut Translator<'_>, &Query) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let own = (database.name.clone(), view.name.clone());
        if self.views.contains(&own) {
            return Err(Error::view_recursion(&database.name, &view.name));
        }
        let modes = Modes::from_bits(view.modes);
        let current = Some(&*view.database).filter(|d| !d.is_empty());
        let context = Context { catalog: self.context.catalog, database: current, modes, names: None, ..*self.context };
        let invalid = || Error::invalid_view(&database.name, &view.name);
        let (statement, _) = parse_one(&view.query, modes)?;
        let statement = statement.ok_or_else(invalid)?;
        let crate::sql::parse::Body::Query { query, .. } = &statement.body else { return Err(invalid()) };
        let actor = self.actor_of(database, view);
        let outcome = self.within_stored(&context, &statement.tokens, own, actor, |inner| read(inner, query));
        if !self.databases.contains(&database.name) {
            self.databases.push(database.name.clone());
        }
        outcome.map_err(|e| if matches!(e.code, 1049 | 1054 | 1146 | 1305) { invalid() } else { e })
    }
}

/// A query's columns under their own names; an expression that nobody named has another if its own is taken.
fn unique_names(mut block: Block, query: &Query) -> Result<Block, Error> {
    if let sqlparser::ast::SetExpr::Select(select) = &*query.body
        && select.projection.len() == block.columns.len()
    {
        use sqlparser::ast::{Expr, SelectItem};
        let column = |e: &Expr| matches!(e, Expr::Identifier(_) | Expr::CompoundIdentifier(_));
        let unnamed = |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(e) if !column(e));
        for (i, item) in select.projection.iter().enumerate() {
            let name = block.columns[i].name.clone();
            let taken = |name: &str, columns: &[SourceColumn]| {
                let others = columns.iter().enumerate().filter(|(n, _)| *n != i);
                let fixed = others.filter(|(n, _)| *n < i || !unnamed(&select.projection[*n]));
                fixed.map(|(_, c)| &c.name).any(|other| other.eq_ignore_ascii_case(name))
            };
            if !unnamed(item) || !taken(&name, &block.columns) {
                continue;
            }
            let numbered = (1..).map(|n| format!("My_exp_{n}_{name}"));
            let mut names = std::iter::once(format!("My_exp_{name}")).chain(numbered);
            if let Some(free) = names.find(|n| !taken(n, &block.columns)) {
                block.columns[i].name = free;
            }
        }
    }
    block.check_names()?;
    Ok(block)
}

/// A query's columns under the names given, if any are.
fn named(mut block: Block, names: &[String]) -> Result<Block, Error> {
    if !names.is_empty() && names.len() != block.columns.len() {
        let message = "In definition of view, derived table or common table expression, SELECT list and column names list have different column counts";
        return Err(Error { code: 1353, state: "HY000", message: message.into() });
    }
    for (column, name) in block.columns.iter_mut().zip(names) {
        column.name.clone_from(name);
    }
    block.check_names()?;
    Ok(block)
}
