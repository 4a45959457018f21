//! Queries: SELECT, set operations, common table expressions.

use super::order::direction;
use super::scope::{AliasUse, Scope, Source, SourceColumn};
use super::translator::{CommonTable, Translator, quote_name};
use super::typed::{Kind, Typed, unify};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::Literal;
use crate::sql::plan::ResultType;
use crate::sql::tokens::token_number;
use sqlparser::ast::{
    Distinct, Expr, GroupByExpr, Ident, LimitClause, NamedWindowExpr, OrderBy, OrderByExpr, OrderByKind, Query, Select,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, Values, With,
};

/// A translated query.
#[derive(Clone, Debug)]
pub struct Block {
    pub sql: String,
    pub columns: Vec<SourceColumn>,
    /// It cannot return more than one row.
    pub single_row: bool,
}

/// What follows the body of a query.
#[derive(Clone, Copy, Default)]
pub(super) struct Tail<'q> {
    pub order_by: &'q [OrderByExpr],
    pub limit: Option<&'q LimitClause>,
}

impl Block {
    /// The query with its columns under their present names, by position.
    pub fn renamed_sql(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|c| quote_name(&c.name)).collect();
        format!("WITH \"marmot_renamed\"({}) AS ({}) SELECT * FROM \"marmot_renamed\"", names.join(", "), self.sql)
    }

    /// # Errors
    /// 1060 if two columns have one name, which a derived table's may not.
    pub fn check_names(&self) -> Result<(), Error> {
        for (i, column) in self.columns.iter().enumerate() {
            if self.columns[..i].iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
                return Err(Error::duplicate_column(&column.name));
            }
        }
        Ok(())
    }
}

fn order_expressions(order_by: Option<&OrderBy>) -> Result<&[OrderByExpr], Error> {
    match order_by {
        None => Ok(&[]),
        Some(OrderBy { kind: OrderByKind::Expressions(all), interpolate: None }) => Ok(all),
        Some(_) => Err(Error::unsupported("ORDER BY ALL")),
    }
}

impl Translator<'_> {
    /// A query inside of another: a derived table, subquery or common table expression.
    pub fn query_block(&mut self, query: &Query) -> Result<Block, Error> {
        self.depth += 1;
        let block = stacker::maybe_grow(256 << 10, 2 << 20, || self.query(query, true));
        self.depth -= 1;
        block
    }

    /// A query. `limited`: with its LIMIT.
    pub fn query(&mut self, query: &Query, limited: bool) -> Result<Block, Error> {
        let odd = query.fetch.is_some() || query.for_clause.is_some() || query.settings.is_some();
        if odd || query.format_clause.is_some() || !query.pipe_operators.is_empty() {
            return Err(Error::unsupported("this query clause"));
        }
        let commons = self.commons.len();
        let clause = std::mem::replace(&mut self.clause, "field list");
        let result = self.query_body(query, limited);
        self.clause = clause;
        self.commons.truncate(commons);
        result
    }

    fn query_body(&mut self, query: &Query, limited: bool) -> Result<Block, Error> {
        let with = match &query.with {
            Some(with) => self.with(with)?,
            None => String::new(),
        };
        let limit = if limited { query.limit_clause.as_ref() } else { None };
        let tail = Tail { order_by: order_expressions(query.order_by.as_ref())?, limit };
        let mut block = match &*query.body {
            SetExpr::Select(select) => self.select(select, tail, false)?,
            body => self.compound(body, tail)?,
        };
        block.sql.insert_str(0, &with);
        Ok(block)
    }

    /// `WITH a AS (...), ...`; the tables come into sight.
    fn with(&mut self, with: &With) -> Result<String, Error> {
        let mut parts = Vec::new();
        for table in &with.cte_tables {
            let name = table.alias.name.value.clone();
            let names: Vec<String> = table.alias.columns.iter().map(|c| c.name.value.clone()).collect();
            if with.recursive
                && let SetExpr::SetOperation { left, .. } = &*table.query.body
            {
                // The first member gives the types; it is translated again as part of the whole.
                let mark = (self.parameters.len(), self.databases.len(), self.tables.len());
                let first = self.member(left, false)?;
                self.parameters.truncate(mark.0);
                self.commons.push(common_table(&name, &names, first)?);
            }
            let outer = std::mem::replace(&mut self.in_recursive, with.recursive);
            let block = self.query_block(&table.query);
            self.in_recursive = outer;
            let block = block?;
            if with.recursive && matches!(&*table.query.body, SetExpr::SetOperation { .. }) {
                self.commons.pop();
            }
            let sql = block.sql.clone();
            let common = common_table(&name, &names, block)?;
            let columns: Vec<String> = common.columns.iter().map(|c| quote_name(&c.name)).collect();
            parts.push(format!("{}({}) AS ({sql})", quote_name(&name), columns.join(", ")));
            self.commons.push(common);
        }
        let recursive = if with.recursive { "RECURSIVE " } else { "" };
        Ok(format!("WITH {recursive}{} ", parts.join(", ")))
    }

    /// Set operations, VALUES, TABLE, queries in parentheses.
    fn compound(&mut self, body: &SetExpr, tail: Tail<'_>) -> Result<Block, Error> {
        if let SetExpr::Query(inner) = body
            && tail.order_by.is_empty()
            && tail.limit.is_none()
        {
            return self.query_block(inner);
        }
        let mut block = self.member(body, false)?;
        let mut order = Vec::new();
        let mut by_expression = false;
        for item in tail.order_by {
            match self.output_position(&item.expr, &block.columns)? {
                Some(position) => order.push(format!("{position}{}", direction(item))),
                None => by_expression = true,
            }
        }
        if by_expression {
            let source = Source {
                alias: String::new(),
                database: None,
                sql_alias: "\"marmot_union\"".to_string(),
                texts: Vec::new(),
                view: None,
                columns: block.columns.clone(),
                table: None,
            };
            self.scopes.push(Scope { sources: vec![source], ..Scope::default() });
            let list = self.in_clause("order clause", |t| t.order_list(tail.order_by, None));
            self.scopes.pop();
            block.sql = format!("SELECT * FROM ({}) AS \"marmot_union\" ORDER BY {}", block.sql, list?);
        } else if !order.is_empty() {
            block.sql = format!("{} ORDER BY {}", block.sql, order.join(", "));
        }
        let (limit, single) = self.limit(tail.limit)?;
        block.sql.push_str(&limit);
        block.single_row |= single;
        Ok(block)
    }

    /// An output column by position or name.
    fn output_position(&mut self, expression: &Expr, columns: &[SourceColumn]) -> Result<Option<usize>, Error> {
        match expression {
            Expr::Identifier(name) => {
                Ok(columns.iter().position(|c| c.name.eq_ignore_ascii_case(&name.value)).map(|i| i + 1))
            }
            Expr::Value(_) => match self.constant(expression) {
                Some(Literal::Int(n)) => match usize::try_from(n) {
                    Ok(n) if (1..=columns.len()).contains(&n) => Ok(Some(n)),
                    _ => Err(Error::unknown_column(n, "order clause")),
                },
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// One side of a set operation, as SQLite can chain it: no ORDER BY, LIMIT or parentheses of its own.
    fn member(&mut self, body: &SetExpr, wrap_compound: bool) -> Result<Block, Error> {
        match body {
            SetExpr::Select(select) => self.select(select, Tail::default(), true),
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                let word = match (op, set_quantifier) {
                    (SetOperator::Union, SetQuantifier::All) => "UNION ALL",
                    (SetOperator::Union, SetQuantifier::None | SetQuantifier::Distinct) => "UNION",
                    (SetOperator::Intersect, SetQuantifier::None | SetQuantifier::Distinct) => "INTERSECT",
                    (SetOperator::Except, SetQuantifier::None | SetQuantifier::Distinct) => "EXCEPT",
                    _ => return Err(Error::unsupported(format!("{op} {set_quantifier}"))),
                };
                let l = stacker::maybe_grow(256 << 10, 2 << 20, || self.member(left, false))?;
                let r = self.member(right, true)?;
                if l.columns.len() != r.columns.len() {
                    return Err(Error::column_count_of_selects());
                }
                let types = |b: &Block| b.columns.iter().map(|c| c.ty.clone()).collect::<Vec<_>>();
                let own = (types(&l), types(&r));
                let merged = l.columns.into_iter().zip(r.columns).map(|(a, b)| {
                    let (ty, nullable) = (unify(&a.ty, &b.ty), a.nullable || b.nullable);
                    SourceColumn { ty, nullable, origin: None, ..a }
                });
                let columns: Vec<SourceColumn> = merged.collect();
                let (l_sql, r_sql) = (self.fitted(&l.sql, &own.0, &columns), self.fitted(&r.sql, &own.1, &columns));
                let by_collation = columns.iter().any(|c| ignores_case(&c.ty));
                let sql = match word {
                    // Of rows that are equal SQLite's UNION keeps the last, DISTINCT the first, as MySQL does.
                    "UNION" if by_collation && !self.in_recursive => {
                        format!("SELECT DISTINCT * FROM ({l_sql} UNION ALL {r_sql})")
                    }
                    word => format!("{l_sql} {word} {r_sql}"),
                };
                let block = Block { sql, columns, single_row: false };
                Ok(if wrap_compound { wrapped(block) } else { block })
            }
            SetExpr::Query(query) => {
                let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
                match &*query.body {
                    SetExpr::Select(select) if plain => self.select(select, Tail::default(), true),
                    _ => Ok(wrapped(self.query_block(query)?)),
                }
            }
            SetExpr::Values(values) => self.values(values),
            SetExpr::Table(table) => {
                let parts = [&table.schema_name, &table.table_name].into_iter().flatten();
                let names: Vec<String> = parts.map(|n| format!("`{}`", n.replace('`', "``"))).collect();
                Err(Error::unsupported(format!("TABLE {}", names.join("."))))
            }
            _ => Err(Error::unsupported("this query")),
        }
    }

    /// A member of a set operation with its cells in the form of the columns of the whole, so that equal ones are equal:
    /// numbers among strings are strings.
    fn fitted(&self, sql: &str, own: &[ResultType], whole: &[SourceColumn]) -> String {
        let cell = |(i, (own, column)): (usize, (&ResultType, &SourceColumn))| {
            let name = format!("\"c{i}\"");
            let value = Typed { ty: own.clone(), ..Typed::dynamic(name.as_str()) };
            let other = matches!(value.kind(), Kind::Number | Kind::Temporal);
            match &column.ty {
                ResultType::Known(ColumnType::Text { .. }) if other => {
                    format!("CAST({} AS TEXT)", value.text_operand())
                }
                ResultType::Known(ColumnType::Binary { .. }) if other => {
                    format!("CAST({} AS BLOB)", value.text_operand())
                }
                ty => value.as_part_of(ty),
            }
        };
        let cells: Vec<String> = own.iter().zip(whole).enumerate().map(cell).collect();
        let names: Vec<String> = (0..own.len()).map(|i| format!("\"c{i}\"")).collect();
        if cells == names {
            return sql.to_string();
        }
        let item = |(cell, column): (&String, &SourceColumn)| {
            let value = Typed { ty: column.ty.clone(), ..Typed::dynamic(cell.as_str()) };
            format!("{} AS {}", value.collated(self.rules()), quote_name(&column.name))
        };
        let list: Vec<String> = cells.iter().zip(whole).map(item).collect();
        let member = format!("WITH \"marmot_member\"({}) AS ({sql}) SELECT * FROM \"marmot_member\"", names.join(", "));
        format!("SELECT {} FROM ({member})", list.join(", "))
    }

    fn values(&mut self, values: &Values) -> Result<Block, Error> {
        let mut rows = Vec::new();
        let mut types: Vec<ResultType> = Vec::new();
        for row in &values.rows {
            let cells = self.expressions(row)?;
            if rows.is_empty() {
                types = cells.iter().map(|c| c.ty.clone()).collect();
            } else if cells.len() != types.len() {
                return Err(Error::value_count(rows.len() + 1));
            }
            types.iter_mut().zip(&cells).for_each(|(ty, c)| *ty = unify(ty, &c.ty));
            rows.push(format!("({})", super::function::join(&cells)));
        }
        let names: Vec<String> = (0..types.len()).map(|i| format!("column_{i}")).collect();
        let list: Vec<String> =
            names.iter().enumerate().map(|(i, n)| format!("column{} AS {}", i + 1, quote_name(n))).collect();
        let columns = names.into_iter().zip(types).map(|(name, ty)| SourceColumn {
            name,
            ty,
            nullable: true,
            origin: None,
            merged: false,
            invisible: false,
        });
        Ok(Block {
            sql: format!("SELECT {} FROM (VALUES {})", list.join(", "), rows.join(", ")),
            columns: columns.collect(),
            single_row: values.rows.len() == 1,
        })
    }

    fn select(&mut self, select: &Select, tail: Tail<'_>, in_compound: bool) -> Result<Block, Error> {
        let odd = select.top.is_some() || select.into.is_some() || !select.lateral_views.is_empty();
        let odd = odd || select.prewhere.is_some() || select.qualify.is_some() || !select.connect_by.is_empty();
        if odd || !select.cluster_by.is_empty() || !select.sort_by.is_empty() || select.exclude.is_some() {
            return Err(Error::unsupported("this clause of SELECT"));
        }
        self.scopes.push(Scope::default());
        let result = self.select_scoped(select, tail, in_compound);
        self.scopes.pop();
        result
    }

    fn select_scoped(&mut self, select: &Select, tail: Tail<'_>, in_compound: bool) -> Result<Block, Error> {
        let mut from = self.source_list(&select.from)?;
        let mut conditions = Vec::new();
        if let Some(condition) = &select.selection {
            conditions.push(self.in_clause("where clause", |t| t.condition(condition))?);
        }
        if super::rollup::is_rollup(&select.group_by)? {
            return self.rollup(select, tail, &from, &conditions, in_compound);
        }
        self.scope().aggregates = true;
        let items = self.items(select)?;
        let aliases = items.iter().enumerate().map(|(i, (name, value))| (name.clone(), value.clone(), i + 1));
        self.scope().aliases = aliases.collect();
        let group_by = self.group_by(&select.group_by, &items)?;
        let mut having = String::new();
        if let Some(condition) = &select.having {
            self.scope().grouped = names_of(&select.group_by);
            self.scope().alias_use = AliasUse::Having;
            let condition = self.in_clause("having clause", |t| t.condition(condition))?;
            // Without groups HAVING filters rows, which SQLite does not allow.
            if group_by.is_empty() && !self.scope().aggregated {
                conditions.push(condition);
            } else {
                having = format!(" HAVING {condition}");
            }
        }
        self.scope().alias_use = AliasUse::BeforeColumns;
        let mark = self.parameters.len();
        let mut order_by = self.in_clause("order clause", |t| t.order_list(tail.order_by, Some(&items)))?;
        if group_by.is_empty() && self.scope().aggregated {
            // There is one row: no order.
            order_by.clear();
            self.parameters.truncate(mark);
        }
        // Also by an aggregate of HAVING or ORDER BY alone.
        let one_row = group_by.is_empty() && self.scope().aggregated && self.scope().aggregated_items.is_empty();
        self.scope().alias_use = AliasUse::Never;
        if self.scope().needs_row && from.is_empty() {
            from = format!("(SELECT 1 AS \"one\") AS {}", super::aggregate::ONE_ROW);
        }
        self.check_full_group_by(select, &tail)?;
        let windows = self.named_windows(select)?;
        let (limit, limited) = self.limit(tail.limit)?;

        let distinct = match &select.distinct {
            None | Some(Distinct::All) => false,
            Some(Distinct::Distinct) => true,
            Some(Distinct::On(_)) => return Err(Error::unsupported("DISTINCT ON")),
        };
        // Columns of a query inside another are taken to have their type's collation.
        let collate = distinct || in_compound || self.depth > 0;
        let mut list: Vec<String> = items
            .iter()
            .map(|(name, value)| {
                let sql = if collate { value.collated(self.rules()) } else { value.sql.clone() };
                format!("{sql} AS {}", quote_name(name))
            })
            .collect();
        if one_row && let (Some(first), Some((name, value))) = (list.first_mut(), items.first()) {
            // SQLite makes one row only of a list with an aggregate.
            *first = format!("CASE WHEN count(*) >= 0 THEN {} END AS {}", value.sql, quote_name(name));
        }
        let mut sql = format!("SELECT {}{}", if distinct { "DISTINCT " } else { "" }, list.join(", "));
        if !from.is_empty() {
            sql.push_str(&format!(" FROM {from}"));
        }
        if !conditions.is_empty() {
            sql.push_str(&format!(" WHERE {}", super::expression::balanced(&conditions, " AND ")));
        }
        if !group_by.is_empty() {
            sql.push_str(&format!(" GROUP BY {group_by}"));
        }
        sql.push_str(&having);
        sql.push_str(&windows);
        if !order_by.is_empty() {
            sql.push_str(&format!(" ORDER BY {order_by}"));
        }
        sql.push_str(&limit);
        let aggregated = self.scope().aggregated && group_by.is_empty();
        let columns = items.into_iter().map(|(name, value)| SourceColumn {
            name,
            nullable: value.nullable,
            ty: value.ty,
            origin: value.origin,
            merged: false,
            invisible: false,
        });
        let single_row = aggregated || limited || (from.is_empty() && !in_compound);
        Ok(Block { sql, columns: columns.collect(), single_row })
    }

    /// The select list with `*` spelled out, each item under its MySQL name.
    pub(super) fn items(&mut self, select: &Select) -> Result<Vec<(String, Typed)>, Error> {
        let texts = token_number(select.select_token.0.span).and_then(|n| self.tokens.items.get(&n));
        let mut items = Vec::new();
        let aliased = select.projection.iter().filter_map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
            _ => None,
        });
        self.scope().pending = aliased.collect();
        self.scope().aliases.clear();
        self.scope().aggregated_items.clear();
        let aggregated_before = std::mem::take(&mut self.scope().aggregated);
        let mut aggregated = aggregated_before;
        for (i, item) in select.projection.iter().enumerate() {
            self.note_item(&items);
            aggregated |= std::mem::take(&mut self.scope().aggregated);
            let text = texts.and_then(|t| t.get(i)).cloned().unwrap_or_default();
            match item {
                SelectItem::UnnamedExpr(expression) => {
                    let value = self.expression(expression)?;
                    items.push((self.item_name(expression, text, &value), value));
                }
                SelectItem::ExprWithAlias { expr, alias } => items.push((alias.value.clone(), self.expression(expr)?)),
                SelectItem::Wildcard(options) => {
                    if options.opt_exclude.is_some() || options.opt_except.is_some() || options.opt_replace.is_some() {
                        return Err(Error::unsupported("this wildcard"));
                    }
                    if self.scope().sources.is_empty() {
                        return Err(Error::no_tables_used());
                    }
                    let values = self.wildcard(None);
                    self.note_expansion(token_number(select.select_token.0.span), i, &values);
                    items.extend(values);
                }
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let parts = super::from::name_parts(name)?;
                    let (database, table) = match parts.as_slice() {
                        [table] => (None, *table),
                        [database, table] => (Some(*database), *table),
                        _ => return Err(Error::unknown_table_in(name, self.clause)),
                    };
                    let source = self.scope().source(database, table).cloned();
                    let Some(source) = source else { return Err(Error::unknown_table_in(table, self.clause)) };
                    let values = self.wildcard(Some(&source));
                    self.note_expansion(token_number(select.select_token.0.span), i, &values);
                    items.extend(values);
                }
                _ => return Err(Error::unsupported("this select item")),
            }
        }
        self.note_item(&items);
        self.scope().aggregated |= aggregated;
        Ok(items)
    }

    /// Makes the select items read so far known by their names, to subqueries of the later ones.
    fn note_item(&mut self, items: &[(String, Typed)]) {
        let scope = self.scope();
        if scope.aggregated {
            scope.aggregated_items.push(items.len());
        }
        for (i, (name, value)) in items.iter().enumerate().skip(scope.aliases.len()) {
            scope.aliases.push((name.clone(), value.clone(), i + 1));
        }
    }

    /// What MySQL calls a result column without an alias: a column's name, a string's content, else the text.
    fn item_name(&mut self, expression: &Expr, text: String, value: &Typed) -> String {
        match expression {
            Expr::Identifier(Ident { value, .. }) => value.clone(),
            Expr::CompoundIdentifier(path) => path.last().map_or(text, |n| n.value.clone()),
            Expr::Function(call) if call.name.to_string() == "#introduced" => {
                match super::function::plain_arguments(call).ok().and_then(|a| a.last().copied()) {
                    Some(literal) => self.item_name(literal, text, value),
                    None => text,
                }
            }
            Expr::Value(_) => match self.literal_of(value) {
                Some(Literal::Text(content)) => {
                    self.constant(expression);
                    content.to_string()
                }
                Some(_) => {
                    // The name is the number: texts with another number have another plan.
                    self.constant(expression);
                    text
                }
                None => text,
            },
            _ => {
                self.pin_inside(expression);
                text
            }
        }
    }

    /// The literals of an expression whose text names a column.
    fn pin_inside(&mut self, expression: &Expr) {
        let mut pins = Vec::new();
        let _ = sqlparser::ast::visit_expressions(expression, |e| {
            if let Expr::Value(value) = e {
                pins.extend(self.literal_at(value.span));
            }
            std::ops::ControlFlow::<()>::Continue(())
        });
        // Only the outermost result shows names to a client.
        if self.depth == 0 {
            self.looked_at.extend(pins);
        }
    }

    fn group_by(&mut self, group_by: &GroupByExpr, items: &[(String, Typed)]) -> Result<String, Error> {
        let GroupByExpr::Expressions(expressions, _) = group_by else {
            return Err(Error::unsupported("GROUP BY ALL"));
        };
        self.scope().alias_use = AliasUse::AfterColumns;
        self.scope().aggregates = false;
        let mut parts = Vec::new();
        for expression in expressions {
            if let Some(literal) = self.constant(expression) {
                let Literal::Int(n) = literal else {
                    // One group of all rows.
                    parts.push("NULL".to_string());
                    continue;
                };
                let value = usize::try_from(n).ok().and_then(|n| n.checked_sub(1)).and_then(|i| items.get(i));
                match value {
                    Some((name, _)) if self.scope().aggregated_items.contains(&(n as usize)) => {
                        return Err(Error::wrong_group_field(name));
                    }
                    Some((_, value)) => parts.push(value.collated(self.rules())),
                    None => return Err(Error::unknown_column(n, "group statement")),
                }
                continue;
            }
            parts.push(self.group_key(expression)?.collated(self.rules()));
        }
        self.scope().aggregates = true;
        Ok(parts.join(", "))
    }

    /// One expression of GROUP BY. A name that is several columns means the select item of that name.
    fn group_key(&mut self, expression: &Expr) -> Result<Typed, Error> {
        let value = self.in_clause("group statement", |t| t.expression(expression));
        let Expr::Identifier(name) = expression else { return value };
        match value {
            Err(error) if error.code == 1052 => self.scope().alias(&name.value).ok_or(error),
            Ok(value) if !value.column && self.scope().is_aggregated(&name.value) => {
                Err(Error::wrong_group_field(&name.value))
            }
            other => other,
        }
    }

    fn named_windows(&mut self, select: &Select) -> Result<String, Error> {
        let mut parts = Vec::new();
        for window in &select.named_window {
            let NamedWindowExpr::WindowSpec(spec) = &window.1 else {
                return Err(Error::unsupported("a window named after a window"));
            };
            parts.push(format!("{} AS ({})", quote_name(&window.0.value), self.window(spec)?));
        }
        Ok(if parts.is_empty() { String::new() } else { format!(" WINDOW {}", parts.join(", ")) })
    }
}

/// Whether values that are equal may differ.
fn ignores_case(ty: &ResultType) -> bool {
    Typed { ty: ty.clone(), ..Typed::dynamic("") }.ignores_case() == Some(true)
}

fn wrapped(block: Block) -> Block {
    Block { sql: format!("SELECT * FROM ({})", block.sql), ..block }
}

/// A common table expression from its query, under the names given or the query's own.
fn common_table(name: &str, names: &[String], block: Block) -> Result<CommonTable, Error> {
    let mut block = block;
    if !names.is_empty() && names.len() != block.columns.len() {
        let message = "In definition of view, derived table or common table expression, SELECT list and column names list have different column counts";
        return Err(Error { code: 1353, state: "HY000", message: message.into() });
    }
    for (column, name) in block.columns.iter_mut().zip(names) {
        column.name = name.clone();
    }
    block.check_names()?;
    let columns = block.columns.into_iter().map(|c| SourceColumn { origin: None, ..c });
    Ok(CommonTable { name: name.to_string(), columns: columns.collect() })
}

/// The expressions of GROUP BY that are nothing but names.
fn names_of(group_by: &GroupByExpr) -> Vec<String> {
    let GroupByExpr::Expressions(expressions, _) = group_by else { return Vec::new() };
    let name = |e: &Expr| if let Expr::Identifier(name) = e { Some(name.value.clone()) } else { None };
    expressions.iter().filter_map(name).collect()
}
