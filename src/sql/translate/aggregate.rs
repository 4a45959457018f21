//! Aggregate and window functions.

use super::expression::string_like;
use super::function::join;
use super::json_call::with_kind;
use super::scope::Source;
use super::translator::{Translator, quote_text};
use super::typed::{Kind, NOT_FIXED, Typed, double_of};
use crate::sql::catalog::Collation;
use crate::sql::column_type::{ColumnType, TextKind};
use crate::sql::decimal::MAX_SCALE;
use crate::sql::error::Error;
use crate::sql::parameter::Literal;
use crate::sql::plan::ResultType;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    NullTreatment, OrderByExpr, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

/// An aggregate's call, taken apart.
struct Parts<'e> {
    distinct: bool,
    wildcard: bool,
    arguments: Vec<&'e Expr>,
    order_by: &'e [OrderByExpr],
    separator: Option<String>,
}

/// Whether a function of this name takes the rows of a group.
pub fn is_aggregate(name: &str) -> bool {
    AGGREGATES.iter().any(|a| a.eq_ignore_ascii_case(name))
}

const AGGREGATES: &[&str] = &[
    "COUNT",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "GROUP_CONCAT",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
    "STD",
    "STDDEV",
    "STDDEV_POP",
    "STDDEV_SAMP",
    "VARIANCE",
    "VAR_POP",
    "VAR_SAMP",
    "JSON_ARRAYAGG",
    "JSON_OBJECTAGG",
];

/// Window functions and the number of arguments each may have.
const WINDOW: &[(&str, usize, usize)] = &[
    ("ROW_NUMBER", 0, 0),
    ("RANK", 0, 0),
    ("DENSE_RANK", 0, 0),
    ("PERCENT_RANK", 0, 0),
    ("CUME_DIST", 0, 0),
    ("NTILE", 1, 1),
    ("LAG", 1, 3),
    ("LEAD", 1, 3),
    ("FIRST_VALUE", 1, 1),
    ("LAST_VALUE", 1, 1),
    ("NTH_VALUE", 2, 2),
];

/// What a query without FROM selects from where it must have a row of its own.
pub(super) const ONE_ROW: &str = "\"marmot_one\"";

/// Where the window goes in a value of more than one aggregate.
const OVER: &str = "\u{1}";

fn parts<'e>(name: &str, function: &'e Function) -> Result<Parts<'e>, Error> {
    let refused = || Error::unsupported(format!("{name}() with these arguments"));
    let mut parts = Parts { distinct: false, wildcard: false, arguments: vec![], order_by: &[], separator: None };
    let list = match &function.args {
        FunctionArguments::List(list) => list,
        _ => return Err(refused()),
    };
    parts.distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
    for argument in &list.args {
        match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => parts.arguments.push(e),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => parts.wildcard = true,
            _ => return Err(refused()),
        }
    }
    for clause in &list.clauses {
        match clause {
            FunctionArgumentClause::OrderBy(order_by) => parts.order_by = order_by,
            FunctionArgumentClause::Separator(value) => match &value.value {
                sqlparser::ast::Value::SingleQuotedString(text) => parts.separator = Some(text.clone()),
                _ => return Err(refused()),
            },
            _ => return Err(refused()),
        }
    }
    if parts.wildcard && (name != "COUNT" || !parts.arguments.is_empty() || parts.distinct) {
        return Err(refused());
    }
    Ok(parts)
}

/// Whether SQLite's own sum would be of floating point, or leave 64 bits.
fn needs_exact_sum(value: &Typed) -> bool {
    value.is_decimal() || value.known().is_some_and(|ty| ty.is_integer()) && value.whole_digits() > 10
}

impl Translator<'_> {
    /// An aggregate's call; `None` if it is none. In a window call the arguments' own aggregates belong to the query.
    pub(super) fn aggregate_call(
        &mut self,
        name: &str,
        function: &Function,
        window: bool,
    ) -> Result<Option<Typed>, Error> {
        if !AGGREGATES.contains(&name) {
            if function.over.is_none() && WINDOW.iter().any(|(n, _, _)| *n == name) {
                return Err(Error::window_misuse(name.to_lowercase()));
            }
            return Ok(None);
        }
        let parts = parts(name, function)?;
        if window {
            return self.without_rollup(|t| t.aggregate(name, &parts, true)).map(Some);
        }
        // An aggregate of an aggregate makes no sense.
        let allowed = std::mem::replace(&mut self.scope().aggregates, false);
        let outer = std::mem::take(&mut self.level);
        let mark = self.parameters.len();
        let mut value = self.without_rollup(|t| t.aggregate(name, &parts, false));
        let level = self.level;
        self.level = outer.max(level);
        if value.is_ok() && allowed && self.is_foreign(level) {
            let column = |s: &Source| s.columns.first().map(|c| s.reference(c).sql);
            self.anchor = self.scope().sources.first().and_then(column);
            if self.anchor.is_none() {
                self.scope().needs_row = true;
                self.anchor = Some(format!("{ONE_ROW}.\"one\""));
            }
            self.parameters.truncate(mark);
            value = self.without_rollup(|t| t.aggregate(name, &parts, false));
            self.anchor = None;
        }
        self.scope().aggregates = allowed;
        self.place_aggregate(value?, level, parts.wildcard).map(Some)
    }

    /// Whether all columns of an aggregate are of a query around this one, which may not have aggregates there.
    fn is_foreign(&self, level: usize) -> bool {
        level > 0 && level < self.scopes.len() && !self.scopes[level - 1].aggregates
    }

    /// An aggregate without columns, where its own query may have none: it is one of the next query around that may.
    fn place_outside(&mut self, value: Typed, wildcard: bool) -> Result<Typed, Error> {
        let found = (0..self.scopes.len()).rev().find(|i| self.scopes[*i].aggregates);
        let column = found.and_then(|i| {
            let source = self.scopes[i].sources.first()?;
            Some((i, source.reference(source.columns.first()?).sql))
        });
        let Some((level, column)) = column.filter(|_| wildcard) else { return Err(Error::invalid_group_function()) };
        self.scopes[level].aggregated = true;
        // Of a column of that query, so that SQLite takes it for that query's.
        Ok(value.with_sql(format!("(SELECT count({column} IS NULL))")))
    }

    /// What is rolled up is NULL for the query, not for its aggregates.
    fn without_rollup<T>(&mut self, inner: impl FnOnce(&mut Self) -> T) -> T {
        let rollup = self.scope().rollup.take();
        let result = inner(self);
        self.scope().rollup = rollup;
        result
    }

    /// An aggregate belongs to the innermost query that its columns are of, if that may have aggregates there, else to
    /// the one it is written in. `level` is that query's, 0 for an aggregate without columns.
    fn place_aggregate(&mut self, value: Typed, level: usize, wildcard: bool) -> Result<Typed, Error> {
        let own = self.scopes.len();
        if level == 0 && !self.scope().aggregates {
            return self.place_outside(value, wildcard);
        }
        if level > 0 && level < own && !wildcard && self.scopes[level - 1].aggregates {
            self.scopes[level - 1].aggregated = true;
            // SQLite takes an aggregate only where the query itself may have one: a select list of its own.
            return Ok(value.with_sql(format!("(SELECT {})", value.sql)));
        }
        if !self.scope().aggregates {
            return Err(Error::invalid_group_function());
        }
        self.scope().aggregated = true;
        Ok(value)
    }

    fn aggregate(&mut self, name: &str, parts: &Parts<'_>, window: bool) -> Result<Typed, Error> {
        let over = if window { OVER } else { "" };
        let distinct = if parts.distinct { "DISTINCT " } else { "" };
        let plain = matches!(name, "COUNT" | "SUM" | "AVG" | "MIN" | "MAX" | "GROUP_CONCAT");
        if parts.distinct && !plain {
            return Err(Error::unsupported(format!("{name}(DISTINCT ...)")));
        }
        if parts.wildcard {
            return Ok(Typed { nullable: false, ..Typed::new("count(*)", ColumnType::bigint()) });
        }
        let mut values = Vec::new();
        for argument in &parts.arguments {
            let mut value = self.expression(argument)?;
            if let Some(anchor) = &self.anchor {
                value.sql = format!("(CASE WHEN {anchor} IS NULL THEN {0} ELSE {0} END)", value.sql);
                value.column = false;
            }
            values.push(value);
        }
        let [value, rest @ ..] = values.as_slice() else { return Err(Error::parameter_count(name)) };
        let single = |sql: String, ty: ColumnType| {
            if rest.is_empty() { Ok(Typed::new(sql, ty)) } else { Err(Error::parameter_count(name)) }
        };
        let numeric = |this: &mut Self| this.numeric_operand(value);
        let increment = self.context.modes.division_scale();
        match name {
            "COUNT" if rest.is_empty() => {
                let argument = if parts.distinct { value.collated(self.rules()) } else { value.sql.clone() };
                let sql = format!("count({distinct}{argument})");
                Ok(Typed { nullable: false, ..Typed::new(sql, ColumnType::bigint()) })
            }
            "COUNT" => {
                if !parts.distinct {
                    return Err(Error::parameter_count(name));
                }
                let collate = self.collate_all(&values);
                let sql = format!("count(DISTINCT marmot_tuple({}){collate})", join(&values));
                Ok(Typed { nullable: false, ..Typed::new(sql, ColumnType::bigint()) })
            }
            "SUM" => {
                let whole = value.whole_digits().saturating_add(22);
                let ty = match value.known() {
                    Some(ty) if ty.is_integer() => ColumnType::decimal(whole.min(65), 0),
                    Some(ColumnType::Decimal { scale, .. }) => {
                        ColumnType::decimal(whole.saturating_add(*scale).min(65), *scale)
                    }
                    None => return Ok(Typed::dynamic(format!("sum({distinct}{})", value.sql))),
                    Some(_) => double_of(value.scale()),
                };
                let sum = self.sum(value, distinct);
                single(sum, ty).map(|sum| Typed { unrounded: value.unrounded, ..sum })
            }
            "AVG" => {
                let scale = value.scale().saturating_add(increment);
                let whole = value.whole_digits();
                let ty = match value.known() {
                    Some(ty) if ty.is_integer() => ColumnType::decimal((whole + increment).min(65), increment),
                    Some(ColumnType::Decimal { .. }) => {
                        ColumnType::decimal(whole.saturating_add(scale).min(65), scale.min(MAX_SCALE))
                    }
                    _ => double_of(scale),
                };
                if !needs_exact_sum(value) {
                    return single(format!("avg({distinct}{})", numeric(self)), ty);
                }
                let argument = numeric(self);
                let digits = crate::sql::decimal::quotient_scale(value.scale(), 0, increment);
                let sum = self.sum(value, distinct);
                let sql = format!("marmot_decimal_divide({sum}{over}, count({distinct}{argument}){over}, {digits})");
                single(sql, ty).map(|average| Typed { unrounded: true, ..average })
            }
            "MIN" | "MAX" => {
                let place = if window { "win" } else { "agg" };
                let name = name.to_lowercase();
                let sql = match value.known() {
                    _ if value.is_wide() => format!("marmot_{place}_decimal_{name}({})", value.sql),
                    Some(ColumnType::Time(_)) => format!("marmot_{place}_time_{name}({})", value.sql),
                    _ => format!("{name}({})", value.collated(self.rules())),
                };
                if !rest.is_empty() {
                    return Err(Error::parameter_count(&name));
                }
                Ok(Typed { nullable: true, ..value.with_sql(sql) })
            }
            "GROUP_CONCAT" => self.group_concat(&values, parts),
            "BIT_AND" | "BIT_OR" | "BIT_XOR" => {
                let sql = format!("marmot_agg_{}({})", name.to_lowercase(), numeric(self));
                single(sql, ColumnType::bigint_unsigned())
            }
            "JSON_ARRAYAGG" => single(format!("marmot_agg_json_array({})", with_kind(value)), ColumnType::Json),
            "JSON_OBJECTAGG" => match rest {
                [member] => {
                    let sql = format!("marmot_agg_json_object({}, {})", value.sql, with_kind(member));
                    Ok(Typed::new(sql, ColumnType::Json))
                }
                _ => Err(Error::parameter_count(name)),
            },
            _ => {
                let function = match name {
                    "STD" | "STDDEV" | "STDDEV_POP" => "marmot_agg_stddev_pop",
                    "STDDEV_SAMP" => "marmot_agg_stddev_samp",
                    "VAR_SAMP" => "marmot_agg_var_samp",
                    _ => "marmot_agg_var_pop",
                };
                let ty = match value.scale() {
                    NOT_FIXED => ColumnType::double(),
                    scale => double_of(scale.saturating_add(increment).min(30)),
                };
                single(format!("{function}({})", numeric(self)), ty)
            }
        }
    }

    /// The sum of a value: exact where it is.
    fn sum(&mut self, value: &Typed, distinct: &str) -> String {
        let argument = self.numeric_operand(value);
        let function = if needs_exact_sum(value) { "marmot_agg_sum" } else { "sum" };
        format!("{function}({distinct}{argument})")
    }

    fn group_concat(&mut self, values: &[Typed], parts: &Parts<'_>) -> Result<Typed, Error> {
        let ty = match values.first().map(string_like) {
            Some(ColumnType::Text { collation, .. }) => ColumnType::Text { kind: TextKind::Text, length: 0, collation },
            Some(other) => other,
            None => return Err(Error::parameter_count("GROUP_CONCAT")),
        };
        let mut item = match values {
            [only] => only.text_operand(),
            many => {
                let parts: Vec<String> = many.iter().map(Typed::text_operand).collect();
                format!("marmot_concat({})", parts.join(", "))
            }
        };
        let order_by = self.inner_order(values, parts.order_by)?;
        let order_by = if order_by.is_empty() { String::new() } else { format!(" ORDER BY {order_by}") };
        let separator = parts.separator.as_deref().unwrap_or(",");
        if !parts.distinct {
            let sql = format!("group_concat({item}, {}{order_by})", quote_text(separator));
            return Ok(Typed::new(sql, ty));
        }
        // SQLite's DISTINCT aggregates take one argument: the value brings its separator along.
        item = format!("marmot_separated({item}, {})", quote_text(separator));
        let collate = self.collate_all(values);
        Ok(Typed::new(format!("marmot_agg_separated(DISTINCT {item}{collate}{order_by})"), ty))
    }

    /// ORDER BY within an aggregate, where a number means one of its arguments.
    fn inner_order(&mut self, values: &[Typed], order_by: &[OrderByExpr]) -> Result<String, Error> {
        let mut parts = Vec::new();
        for item in order_by {
            let position = match self.constant(&item.expr) {
                Some(Literal::Int(n)) => usize::try_from(n).ok().and_then(|n| n.checked_sub(1)),
                _ => None,
            };
            let part = match position {
                Some(at) => {
                    let value = values.get(at).ok_or_else(|| Error::unknown_column(at + 1, "order clause"))?;
                    let key = self.sort_key(value);
                    format!("{key}{}", super::order::direction(item))
                }
                None => self.order_list(std::slice::from_ref(item), None)?,
            };
            if !part.is_empty() {
                parts.push(part);
            }
        }
        Ok(parts.join(", "))
    }

    /// What several values together are compared by, where that is not byte by byte: ` COLLATE ...`.
    fn collate_all(&self, values: &[Typed]) -> String {
        let rules = self.rules();
        if values.iter().any(|v| v.ignores_case() == Some(false)) {
            return String::new();
        }
        let first = values.iter().find_map(|v| v.wanted_collation(rules));
        format!(" COLLATE {}", first.unwrap_or_else(|| Collation::default().sqlite(rules)))
    }

    /// `function(...) OVER (...)`.
    pub(super) fn window_call(&mut self, name: &str, function: &Function) -> Result<Typed, Error> {
        let Some(over) = &function.over else { return Err(Error::window_misuse(name)) };
        if !self.scope().aggregates {
            return Err(Error::window_misuse(name.to_lowercase()));
        }
        if self.scope().rollup.is_some() {
            return Err(Error::unsupported("window functions in a query with ROLLUP"));
        }
        if function.null_treatment == Some(NullTreatment::IgnoreNulls) {
            return Err(Error::unsupported("IGNORE NULLS"));
        }
        if name == "GROUP_CONCAT" {
            return Err(Error::unsupported("GROUP_CONCAT() as a window function"));
        }
        // The least and greatest of distinct values are those of all.
        if !matches!(name, "MIN" | "MAX") && parts(name, function).is_ok_and(|p| p.distinct) {
            return Err(Error::unsupported(format!("{name}(DISTINCT ...) as a window function")));
        }
        let value = match self.aggregate_call(name, function, true)? {
            Some(value) => value,
            None => self.pure_window_call(name, function)?,
        };
        let over = match over {
            WindowType::NamedWindow(name) => super::translator::quote_name(&name.value),
            WindowType::WindowSpec(spec) => format!("({})", self.window(spec)?),
        };
        // Each aggregate within the value is one over the window.
        let sql = match value.sql.contains(OVER) {
            true => value.sql.replace(OVER, &format!(" OVER {over}")),
            false => format!("{} OVER {over}", value.sql),
        };
        Ok(value.with_sql(sql))
    }

    fn pure_window_call(&mut self, name: &str, function: &Function) -> Result<Typed, Error> {
        let Some((_, least, most)) = WINDOW.iter().find(|(n, _, _)| *n == name) else {
            return Err(Error::unsupported(format!("{name}() as a window function")));
        };
        let arguments = super::function::plain_arguments(function)?;
        if !(*least..=*most).contains(&arguments.len()) {
            return Err(Error::parameter_count(name));
        }
        let mut values = Vec::new();
        for argument in arguments {
            values.push(self.expression(argument)?);
        }
        let sql = format!("{}({})", name.to_lowercase(), join(&values));
        let ty = match name {
            "PERCENT_RANK" | "CUME_DIST" => ResultType::Known(ColumnType::double()),
            "LAG" | "LEAD" | "FIRST_VALUE" | "LAST_VALUE" | "NTH_VALUE" => {
                values.first().map_or(ResultType::Dynamic, |v| v.ty.clone())
            }
            // Signed, so that `id - ROW_NUMBER() OVER (...)` may be negative.
            _ => ResultType::Known(ColumnType::bigint()),
        };
        Ok(Typed { ty, ..Typed::dynamic(sql) })
    }

    /// The inside of a window's parentheses.
    pub(super) fn window(&mut self, spec: &WindowSpec) -> Result<String, Error> {
        let mut sql = Vec::new();
        if let Some(name) = &spec.window_name {
            sql.push(super::translator::quote_name(&name.value));
        }
        if !spec.partition_by.is_empty() {
            let parts = self.expressions(&spec.partition_by)?;
            let parts: Vec<String> = parts.iter().map(|p| p.collated(self.rules())).collect();
            sql.push(format!("PARTITION BY {}", parts.join(", ")));
        }
        if !spec.order_by.is_empty() {
            let order = self.order_list(&spec.order_by, None)?;
            // A constant orders nothing: all rows are peers, as with NULL.
            sql.push(format!("ORDER BY {}", if order.is_empty() { "NULL" } else { &order }));
        }
        if let Some(frame) = &spec.window_frame {
            let units = match frame.units {
                WindowFrameUnits::Rows => "ROWS",
                WindowFrameUnits::Range => "RANGE",
                WindowFrameUnits::Groups => return Err(Error::unsupported("GROUPS frames")),
            };
            let start = self.bound(&frame.start_bound)?;
            sql.push(match &frame.end_bound {
                Some(end) => format!("{units} BETWEEN {start} AND {}", self.bound(end)?),
                None => format!("{units} {start}"),
            });
        }
        Ok(sql.join(" "))
    }

    fn bound(&mut self, bound: &WindowFrameBound) -> Result<String, Error> {
        Ok(match bound {
            WindowFrameBound::CurrentRow => "CURRENT ROW".to_string(),
            WindowFrameBound::Preceding(None) => "UNBOUNDED PRECEDING".to_string(),
            WindowFrameBound::Following(None) => "UNBOUNDED FOLLOWING".to_string(),
            WindowFrameBound::Preceding(Some(n)) => format!("{} PRECEDING", self.bound_value(n)?),
            WindowFrameBound::Following(Some(n)) => format!("{} FOLLOWING", self.bound_value(n)?),
        })
    }

    fn bound_value(&mut self, n: &Expr) -> Result<String, Error> {
        if super::temporal_call::interval(n).is_some() {
            return Err(Error::unsupported("frames by INTERVAL"));
        }
        let value = self.expression(n)?;
        if value.kind() == Kind::Text { Err(Error::wrong_arguments("frame")) } else { Ok(value.sql) }
    }
}
