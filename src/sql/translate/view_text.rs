//! The query of a view as SHOW CREATE VIEW and information_schema print it: one SELECT in its canonical form, every column
//! with its table, every item with its name.

use super::order::direction;
use super::show_create::backquoted;
use crate::sql::catalog::{Catalog, View};
use crate::sql::modes::Modes;
use crate::sql::parse::{Body, parse_one};
use crate::sql::spelling::Speller;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, LimitClause, OrderByKind, Query, Select,
    SelectItem, SetExpr, TableFactor, TableWithJoins,
};

/// A table or view that the query reads.
struct Named {
    /// What its columns are called by.
    qualifier: String,
    alias: String,
    columns: Vec<String>,
}

/// The query of `view` in canonical form, where a session sees it whose database is `current`, which names in it go
/// without. `None` where it holds what this cannot print, or a table that is not there: it is then shown as written.
pub fn canonical_query(view: &View, catalog: &Catalog, current: Option<&str>) -> Option<String> {
    let text = print(&view.query, Modes::from_bits(view.modes), view, catalog, current)?;
    // Only what reads back as itself is trusted.
    let again = print(&text, Modes::NONE, view, catalog, current);
    (again.as_ref() == Some(&text)).then_some(text)
}

fn print(text: &str, modes: Modes, view: &View, catalog: &Catalog, current: Option<&str>) -> Option<String> {
    let (statement, _) = parse_one(text, modes).ok()?;
    let statement = statement?;
    let Body::Query { query, .. } = &statement.body else { return None };
    let Query { with: None, body, order_by, limit_clause, fetch: None, locks, for_clause: None, .. } = &**query else {
        return None;
    };
    let SetExpr::Select(select) = &**body else { return None };
    if !locks.is_empty() || !is_plain(select) {
        return None;
    }
    let printer = Printer { view, catalog, current };
    let mut tables = Vec::new();
    let from = printer.from(&select.from, &mut tables)?;
    let names = |path: &[Ident]| column_name(path, &tables, view);
    let speller = Speller::new(&names);
    let from = from(&speller)?;
    let mut out = String::from("select ");
    if matches!(select.distinct, Some(Distinct::Distinct)) {
        out.push_str("distinct ");
    }
    if select.projection.len() != view.columns.len() {
        return None;
    }
    let mut items = Vec::new();
    for (item, column) in select.projection.iter().zip(&view.columns) {
        let (SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. }) = item else {
            return None;
        };
        items.push((speller.spell(expression)?, &column.name));
    }
    let list: Vec<String> = items.iter().map(|(text, name)| format!("{text} AS {}", backquoted(name))).collect();
    out.push_str(&list.join(","));
    out.push_str(&from);
    if let Some(condition) = &select.selection {
        out.push_str(&format!(" where {}", speller.spell(condition)?));
    }
    let GroupByExpr::Expressions(groups, modifiers) = &select.group_by else { return None };
    if !modifiers.is_empty() {
        return None;
    }
    if !groups.is_empty() {
        let groups: Vec<String> = groups.iter().map(|e| speller.spell(e)).collect::<Option<_>>()?;
        out.push_str(&format!(" group by {}", groups.join(",")));
    }
    if let Some(condition) = &select.having {
        out.push_str(&format!(" having {}", speller.spell(condition)?));
    }
    if let Some(order_by) = order_by {
        let OrderByKind::Expressions(keys) = &order_by.kind else { return None };
        let mut parts = Vec::new();
        for key in keys {
            let descending = if direction(key).is_empty() { "" } else { " desc" };
            // The name of an item is the item.
            let item = match &key.expr {
                Expr::Identifier(name) => items.iter().find(|(_, item)| item.eq_ignore_ascii_case(&name.value)),
                _ => None,
            };
            let text = match item {
                Some((text, _)) => text.clone(),
                None => speller.spell(&key.expr)?,
            };
            parts.push(format!("{text}{descending}"));
        }
        out.push_str(&format!(" order by {}", parts.join(",")));
    }
    match limit_clause {
        None => {}
        Some(LimitClause::LimitOffset { limit: Some(limit), offset: None, limit_by }) if limit_by.is_empty() => {
            out.push_str(&format!(" limit {}", speller.spell(limit)?));
        }
        Some(_) => return None,
    }
    Some(out)
}

/// Whether a SELECT has no part that is not printed.
fn is_plain(select: &Select) -> bool {
    let distinct = matches!(select.distinct, None | Some(Distinct::Distinct));
    distinct
        && select.top.is_none()
        && select.into.is_none()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && select.lateral_views.is_empty()
        && select.select_modifiers.is_none()
}

/// The text of a column's name: with its table's, or an alias of the select list as it is.
fn column_name(path: &[Ident], tables: &[Named], view: &View) -> Option<String> {
    let (column, qualifier) = path.split_last()?;
    let same = |a: &str| a.eq_ignore_ascii_case(&column.value);
    let holds = |t: &&Named| {
        let called = qualifier.last().is_none_or(|q| t.alias.eq_ignore_ascii_case(&q.value));
        called && t.columns.iter().any(|c| same(c))
    };
    let mut holders = tables.iter().filter(holds);
    match (holders.next(), holders.next()) {
        (Some(table), None) => {
            let name = table.columns.iter().find(|c| same(c))?;
            Some(format!("{}.{}", table.qualifier, backquoted(name)))
        }
        (None, _) if qualifier.is_empty() => view.columns.iter().find(|c| same(&c.name)).map(|c| backquoted(&c.name)),
        _ => None,
    }
}

struct Printer<'a> {
    view: &'a View,
    catalog: &'a Catalog,
    current: Option<&'a str>,
}

/// How a table is joined to what is left of it, its text, and on which condition.
type Step<'q> = (&'static str, String, Option<&'q Expr>);

/// FROM with its conditions still to be printed, for they may name any of its tables.
type From<'a> = Box<dyn Fn(&Speller<'_>) -> Option<String> + 'a>;

impl Printer<'_> {
    fn from<'q>(&self, from: &'q [TableWithJoins], tables: &mut Vec<Named>) -> Option<From<'q>> {
        let mut steps = Vec::new();
        for group in from {
            self.group(group, tables, &mut steps)?;
        }
        // A comma binds less than JOIN: a group that is not the first would need parentheses of its own.
        if from.iter().skip(1).any(|group| !group.joins.is_empty()) {
            return None;
        }
        Some(Box::new(move |speller| {
            let Some(((_, first, _), rest)) = steps.split_first() else { return Some(String::new()) };
            let mut text = first.clone();
            for (word, table, condition) in rest {
                text = format!("({text}{word}{table}");
                if let Some(condition) = condition {
                    text.push_str(&format!(" on({})", speller.spell(condition)?));
                }
                text.push(')');
            }
            Some(format!(" from {text}"))
        }))
    }

    /// One table and what is joined to it, from the left; the innermost parentheses come first.
    fn group<'q>(&self, group: &'q TableWithJoins, tables: &mut Vec<Named>, steps: &mut Vec<Step<'q>>) -> Option<()> {
        match &group.relation {
            TableFactor::NestedJoin { table_with_joins, alias: None } if steps.is_empty() => {
                self.group(table_with_joins, tables, steps)?;
            }
            table => steps.push((" join ", self.table(table, tables)?, None)),
        }
        for join in &group.joins {
            let (word, constraint) = match &join.join_operator {
                JoinOperator::Join(c) | JoinOperator::Inner(c) | JoinOperator::CrossJoin(c) => (" join ", c),
                JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (" left join ", c),
                _ => return None,
            };
            let condition = match constraint {
                JoinConstraint::On(condition) => Some(condition),
                JoinConstraint::None => None,
                _ => return None,
            };
            steps.push((word, self.table(&join.relation, tables)?, condition));
        }
        Some(())
    }

    fn table(&self, factor: &TableFactor, tables: &mut Vec<Named>) -> Option<String> {
        let TableFactor::Table { name, alias, args: None, with_hints, partitions, index_hints, .. } = factor else {
            return None;
        };
        if !with_hints.is_empty() || !partitions.is_empty() || !index_hints.is_empty() {
            return None;
        }
        let parts: Vec<&str> = name.0.iter().map(|p| p.as_ident().map(|i| i.value.as_str())).collect::<Option<_>>()?;
        let (database, table) = match parts.as_slice() {
            [table] => (&*self.view.database, *table),
            [database, table] => (*database, *table),
            _ => return None,
        };
        let found = self.catalog.database(database)?;
        let (columns, is_system) = match (found.tables.get(table), found.views.get(table)) {
            (Some(table), _) => (table.columns.iter().map(|c| c.name.clone()).collect(), found.system),
            (None, Some(view)) => (view.columns.iter().map(|c| c.name.clone()).collect(), false),
            (None, None) => return None,
        };
        if is_system {
            return None;
        }
        let own = match self.current.is_some_and(|current| current == database) {
            true => backquoted(table),
            false => format!("{}.{}", backquoted(database), backquoted(table)),
        };
        let (qualifier, text, alias) = match alias {
            None => (own.clone(), own, table.to_string()),
            Some(alias) if alias.columns.is_empty() => {
                let quoted = backquoted(&alias.name.value);
                (quoted.clone(), format!("{own} {quoted}"), alias.name.value.clone())
            }
            Some(_) => return None,
        };
        tables.push(Named { qualifier, alias, columns });
        Some(text)
    }
}
