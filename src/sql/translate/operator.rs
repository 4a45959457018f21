//! Comparison and arithmetic: what MySQL converts before it computes (manual, "Type Conversion in Expression
//! Evaluation").

use super::collation;
use super::rows::{mirrored, row, selects_several, unnested};
use super::translator::{Translator, quote_text};
use super::typed::{Kind, Strength, Typed};
use crate::sql::catalog::Collation;
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::{Convert, Literal, Source};
use crate::sql::plan::ResultType;
use crate::types::CollationRules;
use sqlparser::ast::{BinaryOperator, Expr, Query};

pub(super) fn symbol(op: &BinaryOperator) -> &'static str {
    match op {
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "<>",
        BinaryOperator::Lt => "<",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Gt => ">",
        BinaryOperator::GtEq => ">=",
        _ => "IS",
    }
}

/// Whether a comparison's left side says how to compare.
fn ends_in_collation(sql: &str) -> bool {
    let is_name = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    sql.rsplit_once(" COLLATE ").is_some_and(|(_, name)| is_name(name))
}

/// The collation by which SQLite is to compare two values, as strings.
pub(super) fn agreed_collation(left: &Typed, right: &Typed, rules: CollationRules) -> &'static str {
    match (left.wanted_collation(rules), right.wanted_collation(rules)) {
        (Some(l), Some(r)) => match collation::common(&[left, right], "=") {
            Ok(Some((common, _))) => common.sqlite(rules),
            _ if l == r => l,
            _ => "BINARY",
        },
        (Some(one), None) | (None, Some(one)) => one,
        // Two values known only when they run may be strings.
        (None, None) if left.kind() == Kind::Open && right.kind() == Kind::Open => Collation::default().sqlite(rules),
        (None, None) => "BINARY",
    }
}

impl Translator<'_> {
    /// Sets how a parameter is converted; false if `value` is none, or is so already in another way.
    pub(super) fn convert(&mut self, value: &Typed, convert: Convert) -> bool {
        let Some(parameter) = value.parameter.and_then(|i| self.parameters.get_mut(i)) else { return false };
        if parameter.convert == Convert::Plain {
            parameter.convert = convert;
            return true;
        }
        parameter.convert == convert
    }

    /// Whether `value` is a parameter of text or of unknown type, whose conversion may be chosen.
    pub(super) fn is_free(&self, value: &Typed) -> bool {
        let Some(parameter) = value.parameter.and_then(|i| self.parameters.get(i)) else { return false };
        parameter.convert == Convert::Plain
            && (!matches!(parameter.source, Source::Environment(_)) || value.kind() != Kind::Open)
    }

    /// Whether `value` is a parameter that is brought into a temporal type's format.
    fn is_as_temporal(&self, value: &Typed) -> bool {
        let parameter = value.parameter.and_then(|i| self.parameters.get(i));
        parameter.is_some_and(|p| matches!(p.convert, Convert::Temporal(_)))
    }

    /// The same value once more, for another comparison: a parameter of its own, which may be converted otherwise.
    pub fn again(&mut self, value: &Typed) -> Typed {
        let Some(parameter) = value.parameter.and_then(|i| self.parameters.get(i)).cloned() else {
            return value.clone();
        };
        let (sql, index) = self.parameter(parameter.source, parameter.convert);
        Typed { sql, parameter: Some(index), ..value.clone() }
    }

    /// Drops the copy that [`Translator::again`] made, if it came out as the value itself did. True if so.
    fn given_back(&mut self, copy: &Typed, value: &Typed) -> bool {
        let (Some(copied), Some(own)) = (copy.parameter, value.parameter) else { return false };
        let same = copied != own && self.parameters.get(copied) == self.parameters.get(own);
        let last = copied + 1 == self.parameters.len() && copy.sql == format!("?{}", copied + 1);
        if same && last {
            self.parameters.pop();
        }
        same && last
    }

    /// Both operands of a comparison, as SQLite must see them.
    pub fn comparable(&mut self, left: &mut Typed, right: &mut Typed) -> (String, String) {
        self.convert_side(left, right);
        self.convert_side(right, left);
        let collated = self.collate(left, right);
        (collated, right.sql.clone())
    }

    /// Converts `value` for a comparison with `other`.
    fn convert_side(&mut self, value: &mut Typed, other: &Typed) {
        let free = self.is_free(value);
        if value.is_wide() && matches!(other.known(), Some(ColumnType::Float { .. } | ColumnType::Json)) {
            value.sql = format!("marmot_cast_double({})", value.sql);
            value.column = false;
        }
        match (value.kind(), other.kind()) {
            (Kind::Text | Kind::Open, Kind::Number) if free && other.is_decimal() => {
                self.convert(value, Convert::Decimal);
            }
            (Kind::Text | Kind::Open, Kind::Number) if free => {
                self.convert(value, Convert::Number);
            }
            (Kind::Open, Kind::Number) if value.ty != ResultType::Null => {
                value.sql = format!("marmot_number({})", value.sql);
            }
            (Kind::Text, Kind::Number) => {
                value.sql = self.numeric_operand(value);
                value.column = false;
            }
            (Kind::Json, Kind::Number) => {
                value.sql = format!("marmot_json_number({})", value.sql);
                value.column = false;
            }
            (Kind::Binary, Kind::Number) => {
                value.sql = format!("marmot_number({})", value.sql);
                value.column = false;
            }
            (Kind::Temporal, Kind::Number) if !self.is_free(other) && !self.is_as_temporal(other) => {
                value.sql = format!("marmot_temporal_number({})", value.sql);
                value.column = false;
            }
            (_, Kind::Temporal) if free || (value.kind() == Kind::Temporal && value.parameter.is_some()) => {
                if let Some(ty) = other.known() {
                    let ty = ty.clone();
                    self.convert(value, Convert::Temporal(ty));
                }
            }
            (Kind::Text, Kind::Temporal) => {
                let kind = match other.known() {
                    Some(ColumnType::Date) => "DATE",
                    Some(ColumnType::Time(_)) => "TIME",
                    _ => "DATETIME",
                };
                value.sql = format!("marmot_as_temporal({}, '{kind}', {})", value.sql, other.fsp());
                value.column = false;
            }
            // A date against a datetime is midnight of that day.
            (Kind::Temporal, Kind::Temporal)
                if value.known() == Some(&ColumnType::Date)
                    && other.parameter.is_none()
                    && matches!(other.known(), Some(ColumnType::DateTime(_) | ColumnType::Timestamp(_))) =>
            {
                value.sql = format!("marmot_cast_datetime({}, {})", value.sql, other.fsp());
                value.column = false;
            }
            // A time against a date or datetime is one of today.
            (Kind::Temporal, Kind::Temporal)
                if matches!(value.known(), Some(ColumnType::Time(_)))
                    && matches!(
                        other.known(),
                        Some(ColumnType::Date | ColumnType::DateTime(_) | ColumnType::Timestamp(_))
                    ) =>
            {
                value.sql = format!("marmot_time_today({}, {})", value.sql, value.fsp().max(other.fsp()));
                value.column = false;
            }
            (Kind::Temporal, Kind::Temporal)
                if value.known() == Some(&ColumnType::Date) && matches!(other.known(), Some(ColumnType::Time(_))) =>
            {
                value.sql = format!("marmot_cast_datetime({}, {})", value.sql, other.fsp());
                value.column = false;
            }
            // Equal values with different numbers of decimals have different texts.
            (Kind::Temporal, Kind::Temporal) if value.fsp() < other.fsp() && other.parameter.is_none() => {
                let function = match value.known() {
                    Some(ColumnType::Time(_)) => "marmot_cast_time",
                    _ => "marmot_cast_datetime",
                };
                value.sql = format!("{function}({}, {})", value.sql, other.fsp());
                value.column = false;
            }
            (Kind::Text | Kind::Open, Kind::Binary) if free => {
                self.convert(value, Convert::Binary);
            }
            (Kind::Text, Kind::Binary) => {
                value.sql = format!("CAST({} AS BLOB)", value.sql);
                value.column = false;
            }
            (Kind::Json, Kind::Text | Kind::Open) => {
                value.sql = format!("marmot_json_unquote({})", value.sql);
                value.column = false;
            }
            _ => {}
        }
    }

    /// The left operand with the collation of the comparison, where SQLite would not use it by itself.
    fn collate(&mut self, left: &Typed, right: &Typed) -> String {
        let number = |k: Kind| matches!(k, Kind::Number | Kind::Temporal);
        if number(left.kind()) || number(right.kind()) {
            return left.sql.clone();
        }
        let rules = self.rules();
        let wanted = agreed_collation(left, right, rules);
        let given = left.implied_collation(rules).or(right.implied_collation(rules)).unwrap_or("BINARY");
        if wanted == given { left.sql.clone() } else { format!("{} COLLATE {wanted}", left.sql) }
    }

    pub fn comparison(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Typed, Error> {
        if let (Some(l), Some(r)) = (row(left), row(right)) {
            return self.row_comparison(&l, op, &r);
        }
        if let (Some(l), Expr::Subquery(query)) = (row(left), unnested(right)) {
            return self.row_and_subquery(&l, op, query);
        }
        if let (Expr::Subquery(query), Some(r)) = (unnested(left), row(right)) {
            return self.row_and_subquery(&r, &mirrored(op), query);
        }
        if let (Expr::Subquery(l), Expr::Subquery(r)) = (unnested(left), unnested(right))
            && selects_several(l)
        {
            return self.subquery_rows(l, op, r);
        }
        let mut l = self.operand(left, right)?;
        let mut r = self.operand(right, left)?;
        collation::common(&[&l, &r], &op.to_string())?;
        let (mut l_sql, mut r_sql) = self.comparable(&mut l, &mut r);
        let orders =
            matches!(op, BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq);
        if orders && is_time(&l) && (is_time(&r) || r.parameter.is_some())
            || orders && is_time(&r) && l.parameter.is_some()
        {
            // The texts of times do not sort as times: 100:00:00 and what is negative.
            l_sql = format!("marmot_time_micros({l_sql})");
            r_sql = format!("marmot_time_micros({r_sql})");
        }
        if orders && needs_exact_order(&l, &r) {
            return Ok(Typed::boolean(format!("(marmot_decimal_compare({l_sql}, {r_sql}) {} 0)", symbol(op))));
        }
        let nullable = *op != BinaryOperator::Spaceship;
        Ok(Typed { nullable, ..Typed::boolean(format!("({l_sql} {} {r_sql})", symbol(op))) })
    }

    /// A comparison's operand; a hexadecimal literal against a number is one.
    fn operand(&mut self, this: &Expr, other: &Expr) -> Result<Typed, Error> {
        if let Some(number) = Self::hex_number(this) {
            let mark = self.parameters.len();
            let other = self.expression(other)?;
            self.parameters.truncate(mark);
            if other.kind() == Kind::Number {
                return Ok(number);
            }
        }
        self.expression(this)
    }

    pub fn in_list(&mut self, needle: &Expr, list: &[Expr], negated: bool) -> Result<Typed, Error> {
        let not = if negated { "NOT " } else { "" };
        if let Some(parts) = row(needle) {
            let mut alternatives = Vec::new();
            for item in list {
                let Some(item) = row(item) else { return Err(Error::operand_columns(parts.len())) };
                alternatives.push(self.row_comparison(&parts, &BinaryOperator::Eq, &item)?.sql);
            }
            let any = super::expression::balanced(&alternatives, " OR ");
            return Ok(Typed::boolean(format!("({not}{any})")));
        }
        let left = self.expression(needle)?;
        let mut items = Vec::with_capacity(list.len());
        let mut compared = Vec::with_capacity(list.len());
        let mut converted: Option<Typed> = None;
        for item in list {
            let mut right = self.operand(item, needle)?;
            let mut this = left.clone();
            let (_, r_sql) = self.comparable(&mut this, &mut right);
            // One left side serves all items: mixed lists compare item by item.
            match &converted {
                Some(first) if first.sql != this.sql => return self.in_list_by_item(needle, list, negated),
                _ => converted = Some(this),
            }
            items.push(r_sql);
            compared.push(right);
        }
        let this = converted.unwrap_or_else(|| left.clone());
        let all: Vec<&Typed> = std::iter::once(&left).chain(&compared).collect();
        let common = collation::common(&all, "IN")?;
        let wanted = match (common, this.wanted_collation(self.rules())) {
            (Some((common, _)), Some(_)) => Some(common.sqlite(self.rules())),
            (None, own) => own.filter(|own| *own != "BINARY"),
            _ => None,
        };
        let l_sql = match wanted {
            Some(wanted) if this.implied_collation(self.rules()).unwrap_or("BINARY") != wanted => {
                format!("{} COLLATE {wanted}", this.sql)
            }
            _ => this.sql,
        };
        Ok(Typed::boolean(format!("({l_sql} {not}IN ({}))", items.join(", "))))
    }

    fn in_list_by_item(&mut self, needle: &Expr, list: &[Expr], negated: bool) -> Result<Typed, Error> {
        let mut alternatives = Vec::new();
        for item in list {
            alternatives.push(self.comparison(needle, &BinaryOperator::Eq, item)?.sql);
        }
        let any = super::expression::balanced(&alternatives, " OR ");
        Ok(Typed::boolean(if negated { format!("(NOT {any})") } else { any }))
    }

    pub fn in_subquery(&mut self, needle: &Expr, query: &Query, negated: bool) -> Result<Typed, Error> {
        let not = if negated { "NOT " } else { "" };
        if let Expr::Subquery(rows) = unnested(needle)
            && selects_several(rows)
        {
            let (left, right) = (self.query_block(rows)?, self.query_block(query)?);
            if left.columns.len() != right.columns.len() {
                return Err(Error::operand_columns(left.columns.len()));
            }
            return Ok(Typed::boolean(format!("(({}) {not}IN ({}))", left.sql, right.sql)));
        }
        let parts = row(needle).unwrap_or_else(|| vec![needle]);
        let mut left = Vec::new();
        for part in &parts {
            left.push(self.expression(part)?);
        }
        let block = self.query_block(query)?;
        if block.columns.len() != left.len() {
            return Err(Error::operand_columns(left.len()));
        }
        let mut l_sql = Vec::new();
        for (value, column) in left.iter_mut().zip(&block.columns) {
            let mut other = Typed { ty: column.ty.clone(), column: true, ..Typed::dynamic("") };
            l_sql.push(self.comparable(value, &mut other).0);
        }
        let l_sql = if l_sql.len() == 1 { l_sql.concat() } else { format!("({})", l_sql.join(", ")) };
        Ok(Typed::boolean(format!("({l_sql} {not}IN ({}))", block.sql)))
    }

    pub fn between(&mut self, value: &Expr, low: &Expr, high: &Expr, negated: bool) -> Result<Typed, Error> {
        let mut whole = self.expression(value)?;
        let (mut low, mut high) = (self.operand(low, value)?, self.operand(high, value)?);
        let common = collation::common(&[&whole, &low, &high], "BETWEEN")?;
        let kinds = [whole.kind(), low.kind(), high.kind()];
        let strings = kinds.iter().any(|k| matches!(k, Kind::Text | Kind::Binary));
        if strings && kinds.contains(&Kind::Number) && !kinds.contains(&Kind::Temporal) {
            // One comparison for all three: a number among them makes it one of numbers.
            let number = Typed::new("0", ColumnType::bigint());
            for side in [&mut whole, &mut low, &mut high] {
                self.convert_side(side, &number);
            }
            whole.ty = ResultType::Known(ColumnType::double());
        }
        let (mut for_low, mut for_high) = (self.again(&whole), whole);
        let (low_type, high_type) = (low.clone(), high.clone());
        let (l, low) = self.comparable(&mut for_low, &mut low);
        let (h, high) = self.comparable(&mut for_high, &mut high);
        let l = if self.given_back(&for_low, &for_high) { l.replacen(&for_low.sql, &for_high.sql, 1) } else { l };
        let not = if negated { "NOT " } else { "" };
        if let Some((common, Strength::Explicit)) = &common {
            let value = format!("{} COLLATE {}", for_high.sql, common.sqlite(self.rules()));
            return Ok(Typed::boolean(format!("({value} {not}BETWEEN {low} AND {high})")));
        }
        if needs_exact_order(&for_low, &for_low) || needs_exact_order(&for_high, &for_high) {
            let (least, most) =
                (format!("marmot_decimal_compare({l}, {low})"), format!("marmot_decimal_compare({h}, {high})"));
            return Ok(Typed::boolean(format!("({not}({least} >= 0 AND {most} <= 0))")));
        }
        let beside_time = |v: &Typed| is_time(v) || matches!(v.kind(), Kind::Text | Kind::Open);
        if is_time(&for_high) && beside_time(&low_type) && beside_time(&high_type) {
            let [value, low, high] = [h, low, high].map(|side| format!("marmot_time_micros({side})"));
            return Ok(Typed::boolean(format!("({value} {not}BETWEEN {low} AND {high})")));
        }
        if l == h && !ends_in_collation(&l) {
            return Ok(Typed::boolean(format!("({l} {not}BETWEEN {low} AND {high})")));
        }
        Ok(Typed::boolean(format!("({not}({l} >= {low} AND {h} <= {high}))")))
    }

    pub fn like(&mut self, value: &Expr, pattern: &Expr, escape: Option<&Expr>, negated: bool) -> Result<Typed, Error> {
        let computed = escape;
        let escape = match escape {
            Some(e) => match self.constant(e) {
                Some(Literal::Text(text)) if text.chars().count() <= 1 => Some(text.to_string()),
                Some(Literal::Int(digit @ 0..=9)) => Some(digit.to_string()),
                Some(_) => return Err(Error::wrong_arguments("ESCAPE")),
                None => None,
            },
            None if self.context.modes.no_backslash_escapes() => Some(String::new()),
            None => Some("\\".to_string()),
        };
        let (left, right) = (self.expression(value)?, self.expression(pattern)?);
        let not = if negated { "NOT " } else { "" };
        let common = collation::common(&[&left, &right], "LIKE")?;
        let respects_case = match &common {
            Some((common, _)) => !common.ignores_case(),
            None => left.ignores_case() == Some(false) || right.ignores_case() == Some(false),
        };
        // MySQL's own rules, character by character.
        let own =
            common.map(|(common, _)| common.sqlite(self.rules())).filter(|name| *name != "NOCASE" && !respects_case);
        let (l, r) = (left.text_operand(), right.text_operand());
        let how = own.map_or_else(|| u8::from(!respects_case).to_string(), quote_text);
        let Some(escape) = escape else {
            // Known when it runs: a constant expression.
            let Some(e) = computed else { return Err(Error::wrong_arguments("ESCAPE")) };
            let escape = self.expression(e)?;
            return Ok(Typed::boolean(format!("({not}marmot_like({l}, {r}, {}, {how}))", escape.text_operand())));
        };
        if respects_case || own.is_some() {
            let escape = quote_text(&escape);
            return Ok(Typed::boolean(format!("({not}marmot_like({l}, {r}, {escape}, {how}))")));
        }
        let tail = if escape.is_empty() { String::new() } else { format!(" ESCAPE {}", quote_text(&escape)) };
        Ok(Typed::boolean(format!("({l} {not}LIKE {r}{tail})")))
    }

    pub fn regexp(&mut self, value: &Expr, pattern: &Expr, negated: bool) -> Result<Typed, Error> {
        let (left, right) = (self.expression(value)?, self.expression(pattern)?);
        let respects_case = left.ignores_case() == Some(false) || right.ignores_case() == Some(false);
        let flags = if respects_case { "'c'" } else { "''" };
        let not = if negated { "NOT " } else { "" };
        Ok(Typed::boolean(format!("({not}marmot_regexp({}, {}, {flags}))", left.sql, right.sql)))
    }

    /// `x > ANY (SELECT ...)`, `x > ALL (SELECT ...)`.
    pub fn quantified(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, all: bool) -> Result<Typed, Error> {
        let Expr::Subquery(query) = right else { return Err(Error::unsupported("ANY or ALL without a subquery")) };
        if *op == BinaryOperator::Eq && !all {
            return self.in_subquery(left, query, false);
        }
        if *op == BinaryOperator::NotEq && all {
            return self.in_subquery(left, query, true);
        }
        let aggregated_before = std::mem::take(&mut self.scope().aggregated);
        let value = self.expression(left);
        let has_aggregate = self.scope().aggregated;
        self.scope().aggregated |= aggregated_before;
        let mut value = value?;
        let block = self.query_block(query)?;
        let [column] = block.columns.as_slice() else { return Err(Error::operand_columns(1)) };
        let name = format!("\"marmot_any\".{}", super::translator::quote_name(&column.name));
        let mut other = Typed { column: true, ..Typed { ty: column.ty.clone(), ..Typed::dynamic(name) } };
        let (l, r) = self.comparable(&mut value, &mut other);
        let orders = !matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
        if orders && has_aggregate {
            return Ok(by_extreme(&l, op, &r, &block.sql, all));
        }
        let test = match orders {
            true if needs_exact_order(&value, &other) => {
                format!("(marmot_decimal_compare({l}, {r}) {} 0)", symbol(op))
            }
            true if is_time(&value) && is_time(&other) => {
                format!("(marmot_temporal_number({l}) {} marmot_temporal_number({r}))", symbol(op))
            }
            _ => format!("({l} {} {r})", symbol(op)),
        };
        let rows = format!("FROM ({}) AS \"marmot_any\"", block.sql);
        let (decides, answer) = if all { (format!("NOT {test}"), 0) } else { (test.clone(), 1) };
        Ok(Typed::boolean(format!(
            "(CASE WHEN EXISTS (SELECT 1 {rows} WHERE {decides}) THEN {answer} \
             WHEN EXISTS (SELECT 1 {rows} WHERE {test} IS NULL) THEN NULL ELSE {} END)",
            1 - answer
        )))
    }
}

/// `value op ALL (query)` by the extreme of the query's values, so that the value, which has an aggregate, stays out of
/// the subquery.
fn by_extreme(value: &str, op: &BinaryOperator, item: &str, query: &str, all: bool) -> Typed {
    let above = matches!(op, BinaryOperator::Gt | BinaryOperator::GtEq);
    let extreme = if above == all { "max" } else { "min" };
    let rows = format!("FROM ({query}) AS \"marmot_any\"");
    let test = format!("({value} {} (SELECT {extreme}({item}) {rows}))", symbol(op));
    let (decides, answer) = if all { (format!("NOT {test}"), 0) } else { (test.clone(), 1) };
    Typed::boolean(format!(
        "(CASE WHEN NOT EXISTS (SELECT 1 {rows}) THEN {} WHEN {decides} THEN {answer} \
         WHEN EXISTS (SELECT 1 {rows} WHERE {item} IS NULL) THEN NULL ELSE {test} END)",
        1 - answer
    ))
}

/// Whether SQLite would not order these exact numbers rightly.
fn needs_exact_order(left: &Typed, right: &Typed) -> bool {
    let double = |v: &Typed| matches!(v.known(), Some(ColumnType::Float { .. }));
    (left.is_wide() || right.is_wide()) && !double(left) && !double(right)
}

pub(super) fn is_time(value: &Typed) -> bool {
    matches!(value.known(), Some(ColumnType::Time(_)))
}
