//! ONLY_FULL_GROUP_BY (manual, "MySQL Handling of GROUP BY", "Detection of Functional Dependence"): what a query that groups
//! shows of a group must be the same for all its rows.
//!
//! Known are the columns of GROUP BY, constants, equalities of WHERE and of joins, primary keys and unique keys without
//! NULLs. Columns of derived tables and views, generated columns, and what stands in subqueries are taken on trust.

use super::scope::Scope;
use super::select::Tail;
use super::translator::Translator;
use crate::sql::error::Error;
use crate::sql::parameter::Literal;
use sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, Ident, JoinConstraint, JoinOperator, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// A column of the query: its source and its place there.
type Place = (usize, usize);

/// Two expressions that are equal where rows are kept; `needs`: only once these columns are determined.
struct Equality {
    sides: [Side; 2],
    needs: Vec<Place>,
    /// An outer join keeps rows of its left side where the two are not equal: only the second is known by the first.
    one_way: bool,
}

#[derive(Clone, Copy)]
enum Side {
    Column(Place),
    Constant,
}

impl Translator<'_> {
    /// Checks a query whose sources and aliases are in the innermost scope.
    ///
    /// # Errors
    /// 1055, 1140 without GROUP BY; 3065 for an order that DISTINCT does not know.
    pub(super) fn check_full_group_by(&mut self, select: &Select, tail: &Tail<'_>) -> Result<(), Error> {
        if !self.context.modes.only_full_group_by() {
            return Ok(());
        }
        let GroupByExpr::Expressions(expressions, _) = &select.group_by else { return Ok(()) };
        let aggregated = self.scope().aggregated;
        if expressions.is_empty() && !aggregated {
            return match select.distinct {
                Some(Distinct::Distinct) => self.check_distinct_order(select, tail),
                _ => Ok(()),
            };
        }
        let keys: Vec<Expr> = self.rollup_keys(select, expressions)?.into_iter().cloned().collect();
        let scope = self.scope().clone();
        let mut check = Check { scope: &scope, keys: vec![], determined: BTreeSet::new() };
        for key in &keys {
            check.determined.extend(check.place(key));
            let key = check.canonical(key);
            check.keys.push(key);
        }
        check.determine(select);
        let grouped = !expressions.is_empty();
        let refuse = |number: usize, clause: &str, column: &str| match grouped {
            true => Error::not_full_group_by(number, clause, column),
            false => Error::mixed_aggregates(number, column),
        };
        for (number, item) in (1..).zip(&select.projection) {
            let column = match item {
                SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => check.undetermined(e),
                SelectItem::Wildcard(_) => check.undetermined_of(None),
                SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                    let parts = super::from::name_parts(name)?;
                    check.undetermined_of(parts.last().copied())
                }
                _ => None,
            };
            if let Some(column) = column {
                return Err(refuse(number, "SELECT list", &column));
            }
        }
        let is_alias = |e: &Expr| match e {
            Expr::Identifier(name) => scope.alias(&name.value).is_some(),
            _ => false,
        };
        if let Some(having) = &select.having
            && let Some(column) = check.with_aliases().undetermined(having)
        {
            return Err(refuse(1, "HAVING clause", &column));
        }
        if !grouped {
            return Ok(());
        }
        for (number, item) in (1..).zip(tail.order_by) {
            if is_alias(&item.expr) || matches!(item.expr, Expr::Value(_)) {
                continue;
            }
            if let Some(column) = check.with_aliases().undetermined(&item.expr) {
                return Err(refuse(number, "ORDER BY clause", &column));
            }
        }
        Ok(())
    }

    /// An order of distinct rows that the rows do not show.
    fn check_distinct_order(&mut self, select: &Select, tail: &Tail<'_>) -> Result<(), Error> {
        let scope = self.scope().clone();
        let mut check = Check { scope: &scope, keys: vec![], determined: BTreeSet::new() };
        for item in &select.projection {
            match item {
                SelectItem::UnnamedExpr(e) | SelectItem::ExprWithAlias { expr: e, .. } => {
                    check.determined.extend(check.place(e));
                    let key = check.canonical(e);
                    check.keys.push(key);
                }
                // All columns, or all of a table: nothing is missing that could be told.
                _ => return Ok(()),
            }
        }
        for (number, item) in (1..).zip(tail.order_by) {
            if matches!(item.expr, Expr::Value(_)) && matches!(self.constant(&item.expr), Some(Literal::Int(_))) {
                continue;
            }
            if let Some(column) = check.with_aliases().undetermined(&item.expr) {
                return Err(Error::distinct_order(number, column));
            }
        }
        Ok(())
    }
}

/// What is known of a query's groups.
#[derive(Clone)]
struct Check<'s> {
    scope: &'s Scope,
    /// The expressions grouped by, in a form that does not depend on how their columns are named.
    keys: Vec<String>,
    determined: BTreeSet<Place>,
}

impl<'s> Check<'s> {
    /// The column that an expression is nothing but the name of.
    fn place(&self, expression: &Expr) -> Option<Place> {
        let (table, name) = match expression {
            Expr::Nested(inner) => return self.place(inner),
            Expr::Identifier(name) => (None, name),
            Expr::CompoundIdentifier(path) => match path.as_slice() {
                [table, name] | [_, table, name] => (Some(table.value.as_str()), name),
                _ => return None,
            },
            _ => return None,
        };
        self.named(table, &name.value)
    }

    fn named(&self, table: Option<&str>, name: &str) -> Option<Place> {
        self.scope.sources.iter().enumerate().find_map(|(s, source)| {
            if table.is_some_and(|t| !source.alias.eq_ignore_ascii_case(t)) {
                return None;
            }
            let is =
                |c: &super::scope::SourceColumn| c.name.eq_ignore_ascii_case(name) && (table.is_some() || !c.merged);
            source.columns.iter().position(is).map(|c| (s, c))
        })
    }

    /// The same check where aliases of the select list are known: they were looked at there.
    fn with_aliases(&self) -> Check<'s> {
        let mut keys = self.keys.clone();
        keys.extend(
            self.scope.aliases.iter().filter(|(n, _, _)| self.named(None, n).is_none()).map(|(n, _, _)| alias(n)),
        );
        Check { keys, ..self.clone() }
    }

    /// The text of an expression with every column by its place.
    fn canonical(&self, expression: &Expr) -> String {
        let mut copy = bare(expression).clone();
        let _ = VisitMut::visit(&mut copy, &mut Renaming(self));
        copy.to_string()
    }

    /// A column that a group does not determine, as MySQL names it.
    fn undetermined(&self, expression: &Expr) -> Option<String> {
        let mut copy = expression.clone();
        match VisitMut::visit(&mut copy, &mut Looking(self)) {
            ControlFlow::Break(place) => Some(self.name(place)),
            ControlFlow::Continue(()) => None,
        }
    }

    /// The same among all columns that `*` means, or those of one table.
    fn undetermined_of(&self, table: Option<&str>) -> Option<String> {
        let of = |s: usize| table.is_none_or(|t| self.scope.sources[s].alias.eq_ignore_ascii_case(t));
        let all = self.scope.sources.iter().enumerate().filter(|(s, _)| of(*s));
        let mut places = all.flat_map(|(s, source)| (0..source.columns.len()).map(move |c| (s, c)));
        places.find(|p| !self.is_determined(*p)).map(|p| self.name(p))
    }

    fn name(&self, (source, column): Place) -> String {
        let source = &self.scope.sources[source];
        let database = source.database.as_deref().map_or(String::new(), |d| format!("{d}."));
        format!("{database}{}.{}", source.alias, source.columns[column].name)
    }

    fn is_determined(&self, place: Place) -> bool {
        let source = &self.scope.sources[place.0];
        let Some(table) = &source.table else { return true };
        let name = &source.columns[place.1].name;
        let generated = table.column(name).is_some_and(|(_, c)| c.generated().is_some());
        generated || source.columns[place.1].invisible || self.determined.contains(&place)
    }

    /// Adds what follows from the columns known so far, until nothing does.
    fn determine(&mut self, select: &Select) {
        let mut equalities = Vec::new();
        if let Some(condition) = &select.selection {
            self.equalities(condition, None, &mut equalities);
        }
        for table in &select.from {
            self.joins(table, &mut equalities);
        }
        loop {
            let before = self.determined.len();
            for Equality { sides: [left, right], needs, one_way } in &equalities {
                if !needs.iter().all(|p| self.is_determined(*p)) {
                    continue;
                }
                let known = |side: Side| match side {
                    Side::Column(place) => self.is_determined(place),
                    Side::Constant => true,
                };
                match (*left, *right) {
                    (other, Side::Column(place)) if known(other) => {
                        self.determined.insert(place);
                    }
                    (Side::Column(place), other) if !one_way && known(other) => {
                        self.determined.insert(place);
                    }
                    _ => {}
                }
            }
            for (s, source) in self.scope.sources.iter().enumerate() {
                let Some(table) = &source.table else { continue };
                let at = |id| source.columns.iter().position(|c| c.name.eq_ignore_ascii_case(table.name_of(id)));
                let mut keys = table.primary.iter().chain(table.unique_indexes());
                let known = |index: &&crate::sql::catalog::Index| {
                    index.columns.iter().all(|part| {
                        let nullable = table.column_by_id(part.column).is_none_or(|c| c.nullable);
                        let place = at(part.column).map(|c| (s, c));
                        part.prefix.is_none() && !nullable && place.is_some_and(|p| self.is_determined(p))
                    })
                };
                if keys.any(|index| known(&index)) {
                    self.determined.extend((0..source.columns.len()).map(|c| (s, c)));
                }
            }
            if self.determined.len() == before {
                return;
            }
        }
    }

    /// The equalities that a condition, all of whose parts hold, consists of. `weak`: it is that of an outer join, and
    /// these are the sources of which a row may be missing.
    fn equalities(&self, condition: &Expr, weak: Option<&std::ops::Range<usize>>, found: &mut Vec<Equality>) {
        match condition {
            Expr::Nested(inner) => self.equalities(inner, weak, found),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                self.equalities(left, weak, found);
                self.equalities(right, weak, found);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                let (Some(left), Some(right)) = (self.side(left), self.side(right)) else { return };
                self.equality(left, right, weak, vec![], found);
            }
            _ => {}
        }
    }

    fn equality(
        &self,
        left: Side,
        right: Side,
        weak: Option<&std::ops::Range<usize>>,
        needs: Vec<Place>,
        found: &mut Vec<Equality>,
    ) {
        let Some(weak) = weak else {
            found.push(Equality { sides: [left, right], needs, one_way: false });
            return;
        };
        let is_weak = |side: Side| matches!(side, Side::Column((s, _)) if weak.contains(&s));
        match (is_weak(left), is_weak(right)) {
            (false, true) => found.push(Equality { sides: [left, right], needs, one_way: true }),
            (true, false) => found.push(Equality { sides: [right, left], needs, one_way: true }),
            _ => {}
        }
    }

    fn side(&self, expression: &Expr) -> Option<Side> {
        if let Some(place) = self.place(expression) {
            return Some(Side::Column(place));
        }
        let mut copy = expression.clone();
        let names_none = VisitMut::visit(&mut copy, &mut Naming(self)).is_continue();
        names_none.then_some(Side::Constant)
    }

    fn joins(&self, table: &TableWithJoins, found: &mut Vec<Equality>) {
        use JoinOperator as J;
        let mut left = self.sources_of(&table.relation);
        self.nested_joins(&table.relation, found);
        for join in &table.joins {
            let right = self.sources_of(&join.relation);
            self.nested_joins(&join.relation, found);
            let (constraint, weak) = match &join.join_operator {
                J::Left(c) | J::LeftOuter(c) => (c, Some(right.clone())),
                J::Right(c) | J::RightOuter(c) => (c, Some(left.clone())),
                J::Join(c) | J::Inner(c) | J::CrossJoin(c) | J::StraightJoin(c) => (c, None),
                _ => return,
            };
            let mut here = Vec::new();
            match constraint {
                JoinConstraint::On(condition) => self.equalities(condition, weak.as_ref(), &mut here),
                JoinConstraint::Using(_) | JoinConstraint::Natural => {
                    for r in right.clone() {
                        self.merged(left.clone(), r, weak.as_ref(), &mut here);
                    }
                }
                JoinConstraint::None => {}
            }
            if let (Some(weak), JoinConstraint::On(condition)) = (&weak, constraint) {
                // Whether a row is missing depends on every column of the other side.
                let mut needs = Vec::new();
                let mut copy = condition.clone();
                let _ = VisitMut::visit(&mut copy, &mut Collecting(self, &mut needs));
                needs.retain(|(s, _)| !weak.contains(s));
                here.iter_mut().for_each(|e| e.needs.clone_from(&needs));
            }
            found.extend(here);
            left = left.start.min(right.start)..left.end.max(right.end);
        }
    }

    fn nested_joins(&self, factor: &TableFactor, found: &mut Vec<Equality>) {
        if let TableFactor::NestedJoin { table_with_joins, .. } = factor {
            self.joins(table_with_joins, found);
        }
    }

    /// Columns of one name on both sides of USING or NATURAL JOIN.
    fn merged(
        &self,
        left: std::ops::Range<usize>,
        right: usize,
        weak: Option<&std::ops::Range<usize>>,
        found: &mut Vec<Equality>,
    ) {
        let sources = &self.scope.sources;
        for (c, column) in sources[right].columns.iter().enumerate() {
            for l in left.clone() {
                let same = |o: &super::scope::SourceColumn| o.name.eq_ignore_ascii_case(&column.name);
                if let Some(at) = sources[l].columns.iter().position(same)
                    && (column.merged || sources[l].columns[at].merged)
                {
                    self.equality(Side::Column((l, at)), Side::Column((right, c)), weak, vec![], found);
                }
            }
        }
    }

    /// The sources that a table reference brought, by their order.
    fn sources_of(&self, factor: &TableFactor) -> std::ops::Range<usize> {
        let name = match factor {
            TableFactor::NestedJoin { table_with_joins, .. } => {
                let mut all = self.sources_of(&table_with_joins.relation);
                for join in &table_with_joins.joins {
                    let next = self.sources_of(&join.relation);
                    all = all.start.min(next.start)..all.end.max(next.end);
                }
                return all;
            }
            TableFactor::Table { name, alias, .. } => match alias {
                Some(alias) => alias.name.value.clone(),
                None => super::from::name_parts(name)
                    .ok()
                    .and_then(|p| p.last().map(|n| (*n).to_string()))
                    .unwrap_or_default(),
            },
            TableFactor::Derived { alias: Some(alias), .. } | TableFactor::JsonTable { alias: Some(alias), .. } => {
                alias.name.value.clone()
            }
            _ => String::new(),
        };
        match self.scope.sources.iter().position(|s| s.alias.eq_ignore_ascii_case(&name)) {
            Some(at) => at..at + 1,
            // Nothing, wherever it is added.
            None => std::ops::Range { start: usize::MAX, end: 0 },
        }
    }
}

/// Without the parentheses around it.
fn bare(expression: &Expr) -> &Expr {
    if let Expr::Nested(inner) = expression { bare(inner) } else { expression }
}

fn alias(name: &str) -> String {
    Expr::Identifier(Ident::new(name.to_lowercase())).to_string()
}

fn nothing() -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Null, span: sqlparser::tokenizer::Span::empty() })
}

/// Gives every column the name of its place.
struct Renaming<'c, 's>(&'c Check<'s>);

impl VisitorMut for Renaming<'_, '_> {
    type Break = ();
    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Some((source, column)) = self.0.place(expression) {
            *expression = Expr::Identifier(Ident::new(format!("#{source}.{column}")));
        } else if let Expr::Identifier(name) = expression {
            *expression = Expr::Identifier(Ident::new(name.value.to_lowercase()));
        }
        ControlFlow::Continue(())
    }
}

/// Finds a column that is not determined, outside of what a group determines: aggregates and what is grouped by.
struct Looking<'c, 's>(&'c Check<'s>);

impl VisitorMut for Looking<'_, '_> {
    type Break = Place;
    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Place> {
        if self.0.keys.contains(&self.0.canonical(expression)) {
            *expression = nothing();
            return ControlFlow::Continue(());
        }
        match expression {
            Expr::Function(function) => {
                let name = function.name.to_string();
                let name = name.trim_matches('`');
                let whole = super::aggregate::is_aggregate(name) && function.over.is_none();
                if whole || ["ANY_VALUE", "GROUPING"].iter().any(|n| n.eq_ignore_ascii_case(name)) {
                    *expression = nothing();
                }
            }
            Expr::Subquery(_) | Expr::Exists { .. } => *expression = nothing(),
            Expr::InSubquery { expr: left, .. } | Expr::AnyOp { left, .. } | Expr::AllOp { left, .. } => {
                *expression = (**left).clone();
                return self.pre_visit_expr(expression);
            }
            _ => {}
        }
        match self.0.place(expression) {
            Some(place) if !self.0.is_determined(place) && !self.0.keys.contains(&self.0.canonical(expression)) => {
                ControlFlow::Break(place)
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Stops at any column of this query, and at any query inside.
struct Naming<'c, 's>(&'c Check<'s>);

impl VisitorMut for Naming<'_, '_> {
    type Break = ();
    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        ControlFlow::Break(())
    }
    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if self.0.place(expression).is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Collects the columns of this query.
struct Collecting<'c, 's>(&'c Check<'s>, &'c mut Vec<Place>);

impl VisitorMut for Collecting<'_, '_> {
    type Break = ();
    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        self.1.extend(self.0.place(expression));
        ControlFlow::Continue(())
    }
}
