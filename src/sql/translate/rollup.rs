//! `GROUP BY a, b WITH ROLLUP` (manual, "GROUP BY Modifiers"): SQLite has no such thing, so that the query becomes the
//! union of itself grouped by (a, b), by (a), and by nothing, where the expressions that are not grouped by are NULL.
//!
//! Each member of the union is translated on its own. Beside the select list it yields, for sorting, one column for each
//! grouping expression's super-aggregate flag and value, and one for each item of ORDER BY.

use super::order::direction;
use super::scope::{AliasUse, SourceColumn};
use super::select::{Block, Tail};
use super::translator::{Translator, quote_name};
use super::typed::{Kind, Typed, unify};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::Literal;
use crate::sql::plan::ResultType;
use sqlparser::ast::{Distinct, Expr, GroupByExpr, GroupByWithModifier, Select, SelectItem};

/// One member of the union: which expressions are grouped by, and which of them this member has rolled up.
#[derive(Clone, Debug, Default)]
pub struct Rollup {
    /// The grouping expressions as they are written, and as SQLite text where they are plain columns.
    keys: Vec<(String, Option<String>)>,
    /// The first so many are still grouped by.
    kept: usize,
}

impl Rollup {
    /// The grouping expression that `expression` is.
    fn position(&self, expression: &Expr, value: &Typed) -> Option<usize> {
        let written = expression.to_string();
        let same = |(text, column): &(String, Option<String>)| {
            *text == written || (value.column && column.as_ref() == Some(&value.sql))
        };
        self.keys.iter().position(same)
    }
}

/// Whether a query has WITH ROLLUP.
///
/// # Errors
/// 1235 for other modifiers.
pub fn is_rollup(group_by: &GroupByExpr) -> Result<bool, Error> {
    let GroupByExpr::Expressions(_, modifiers) = group_by else { return Ok(false) };
    match modifiers.as_slice() {
        [] => Ok(false),
        [GroupByWithModifier::Rollup] => Ok(true),
        _ => Err(Error::unsupported("this modifier of GROUP BY")),
    }
}

impl Translator<'_> {
    /// What an expression is in a member of the union: NULL where it is rolled up.
    pub(super) fn rolled(&self, expression: &Expr, value: Typed) -> Typed {
        let Some(rollup) = self.scopes.last().and_then(|s| s.rollup.as_ref()) else { return value };
        match rollup.position(expression, &value) {
            Some(at) if at >= rollup.kept => Typed { nullable: true, ..value.with_sql("NULL") },
            Some(_) => Typed { nullable: true, ..value },
            None => value,
        }
    }

    /// GROUPING(a, b): a bit for each argument, set where it is rolled up.
    pub(super) fn grouping(&mut self, arguments: &[&Expr]) -> Result<Typed, Error> {
        let Some(rollup) = self.scope().rollup.take() else { return Err(Error::invalid_group_function()) };
        let mut bits = 0i64;
        let mut found = Ok(());
        for argument in arguments {
            let mark = self.parameters.len();
            let position = self.expression(argument).map(|value| rollup.position(argument, &value));
            self.parameters.truncate(mark);
            match position {
                Ok(Some(at)) => bits = bits << 1 | i64::from(at >= rollup.kept),
                Ok(None) => found = Err(Error::grouping_argument()),
                Err(error) => found = Err(error),
            }
        }
        self.scope().rollup = Some(rollup);
        found.map(|()| Typed { nullable: false, ..Typed::new(bits.to_string(), ColumnType::bigint()) })
    }

    /// The grouping expressions, with positions and aliases replaced by what they stand for.
    pub(super) fn rollup_keys<'s>(
        &mut self,
        select: &'s Select,
        expressions: &'s [Expr],
    ) -> Result<Vec<&'s Expr>, Error> {
        let item = |i: usize| match select.projection.get(i) {
            Some(SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. }) => Some(e),
            _ => None,
        };
        let mut keys = Vec::new();
        for expression in expressions {
            if let Some(Literal::Int(n)) = self.constant(expression) {
                let at = usize::try_from(n).ok().and_then(|n| n.checked_sub(1)).and_then(item);
                keys.push(at.ok_or_else(|| Error::unknown_column(n, "group statement"))?);
                continue;
            }
            let named = match expression {
                Expr::Identifier(name) => select.projection.iter().find_map(|i| match i {
                    SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&name.value) => {
                        Some(expr)
                    }
                    _ => None,
                }),
                _ => None,
            };
            let mark = self.parameters.len();
            let is_column = self.expression(expression).is_ok();
            self.parameters.truncate(mark);
            keys.push(if is_column { expression } else { named.unwrap_or(expression) });
        }
        Ok(keys)
    }

    /// A SELECT with ROLLUP, in its own scope, whose sources are there already. `from` and `conditions` are its text.
    pub(super) fn rollup(
        &mut self,
        select: &Select,
        tail: Tail<'_>,
        from: &str,
        conditions: &[String],
        in_compound: bool,
    ) -> Result<Block, Error> {
        let GroupByExpr::Expressions(expressions, _) = &select.group_by else {
            return Err(Error::unsupported("GROUP BY ALL WITH ROLLUP"));
        };
        let whole = conditions.to_vec();
        let source = match whole.is_empty() {
            true => format!(" FROM {from}"),
            false => format!(" FROM {from} WHERE {}", super::expression::balanced(&whole, " AND ")),
        };
        let keys = self.in_clause("group statement", |t| t.rollup_keys(select, expressions))?;
        let mut members = Vec::new();
        let mut columns: Vec<SourceColumn> = Vec::new();
        let mut order = Vec::new();
        for kept in (0..=keys.len()).rev() {
            let (sql, items, sort) = self.rollup_member(select, &tail, &keys, kept, &source)?;
            members.push(sql);
            order = sort;
            let made = items.into_iter().map(|(name, value)| SourceColumn {
                name,
                ty: value.ty,
                nullable: true,
                origin: value.origin,
                merged: false,
                invisible: false,
            });
            columns = match columns.is_empty() {
                true => made.collect(),
                // The type that the full grouping has, where another member only has NULL.
                false => columns.into_iter().zip(made).map(|(a, b)| merged(a, &b.ty)).collect(),
            };
        }
        let list: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(i, c)| format!("\"marmot_c{}\" AS {}", i + 1, quote_name(&c.name)))
            .collect();
        let distinct = match select.distinct {
            Some(Distinct::Distinct) => "DISTINCT ",
            _ => "",
        };
        let mut sql = format!("SELECT {distinct}{} FROM ({})", list.join(", "), members.join(" UNION ALL "));
        if !in_compound {
            sql.push_str(&format!(" ORDER BY {}", order.join(", ")));
        }
        let (limit, limited) = self.limit(tail.limit)?;
        sql.push_str(&limit);
        Ok(Block { sql, columns, single_row: limited })
    }

    /// One member: its text, its select list, and the sort keys of the whole.
    #[allow(clippy::type_complexity)]
    fn rollup_member(
        &mut self,
        select: &Select,
        tail: &Tail<'_>,
        keys: &[&Expr],
        kept: usize,
        source: &str,
    ) -> Result<(String, Vec<(String, Typed)>, Vec<String>), Error> {
        self.scope().aggregates = false;
        self.scope().alias_use = AliasUse::Never;
        self.scope().rollup = None;
        let mut values = Vec::new();
        for key in keys {
            values.push(self.in_clause("group statement", |t| t.expression(key))?);
        }
        let column = |v: &Typed| v.column.then(|| v.sql.clone());
        let known = keys.iter().zip(&values).map(|(k, v)| (k.to_string(), column(v))).collect();
        self.scope().rollup = Some(Rollup { keys: known, kept });
        self.scope().aggregates = true;
        self.scope().aggregated = true;
        let items = self.items(select)?;
        let aliases = items.iter().enumerate().map(|(i, (name, value))| (name.clone(), value.clone(), i + 1));
        self.scope().aliases = aliases.collect();
        self.scope().alias_use = AliasUse::AfterColumns;
        let having = match &select.having {
            Some(condition) => {
                format!(" HAVING {}", self.in_clause("having clause", |t| t.condition(condition))?)
            }
            None => String::new(),
        };
        self.scope().alias_use = AliasUse::BeforeColumns;
        let (mut extra, mut order) = (Vec::new(), Vec::new());
        for (i, item) in tail.order_by.iter().enumerate() {
            let list = std::slice::from_ref(item);
            let key = match self.listed(&item.expr, Some(&items))? {
                Some((_, value)) => Some(self.sort_key(&value)),
                None if self.constant(&item.expr).is_some() => None,
                None => {
                    let value = self.in_clause("order clause", |t| t.expression(&list[0].expr))?;
                    Some(self.sort_key(&value))
                }
            };
            if let Some(key) = key {
                extra.push(format!("{key} AS \"marmot_o{i}\""));
                order.push(format!("\"marmot_o{i}\"{}", direction(item)));
            }
        }
        for (i, value) in values.iter().enumerate() {
            let cell = if i < kept { value.collated(self.rules()) } else { "NULL".to_string() };
            extra.push(format!("{} AS \"marmot_r{i}\", {cell} AS \"marmot_g{i}\"", u8::from(i >= kept)));
            order.push(format!("\"marmot_r{i}\", \"marmot_g{i}\""));
        }
        self.scope().alias_use = AliasUse::Never;
        let list = items
            .iter()
            .enumerate()
            .map(|(i, (_, v))| format!("{} AS \"marmot_c{}\"", v.collated(self.rules()), i + 1));
        let list: Vec<String> = list.chain(extra).collect();
        // The grand total of no rows is no row: a constant to group by makes it so.
        let groups: Vec<String> = values.iter().take(kept).map(|v| v.collated(self.rules())).collect();
        let groups = if groups.is_empty() { "'all'".to_string() } else { groups.join(", ") };
        let sql = format!("SELECT {}{source} GROUP BY {groups}{having}", list.join(", "));
        Ok((sql, items, order))
    }
}

fn merged(column: SourceColumn, other: &ResultType) -> SourceColumn {
    let value = Typed { ty: other.clone(), ..Typed::dynamic("") };
    // A rolled-up value keeps its type, so that the two only differ where functions look at NULLs.
    let ty = if value.kind() == Kind::Open { column.ty.clone() } else { unify(&column.ty, other) };
    SourceColumn { ty, ..column }
}
