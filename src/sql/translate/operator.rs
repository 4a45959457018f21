//! Comparison and arithmetic: what MySQL converts before it computes (manual, "Type Conversion in Expression
//! Evaluation").

use super::translator::{Translator, quote_text};
use super::typed::{Kind, NOT_FIXED, Typed, boolean_type, double_of};
use crate::sql::catalog::Collation;
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::{Convert, Literal, Source};
use crate::sql::plan::ResultType;
use crate::types::CollationRules;
use sqlparser::ast::{BinaryOperator, Expr, Query};

fn symbol(op: &BinaryOperator) -> &'static str {
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

/// The collation by which SQLite is to compare two strings. One that is written counts more than a column's, and a
/// column's more than that of a value (manual,
/// "Collation Coercibility in Expressions"), and respecting case more than ignoring it.
pub(super) fn agreed_collation(left: &Typed, right: &Typed, rules: CollationRules) -> &'static str {
    let explicit = |value: &Typed| value.sql.strip_suffix(')').is_some_and(ends_in_collation);
    match (left.wanted_collation(rules), right.wanted_collation(rules)) {
        (Some(l), Some(r)) if l == r => l,
        (Some(_), Some(r)) if explicit(right) => r,
        (Some(l), Some(_)) if explicit(left) => l,
        (Some("BINARY"), _) | (_, Some("BINARY")) => "BINARY",
        (Some(_), Some(r)) if right.column && !left.column => r,
        (Some(l), Some(_)) if left.column && !right.column => l,
        (Some(l), Some(r)) => {
            if r.ends_with("_bin") {
                r
            } else {
                l
            }
        }
        (Some(one), None) | (None, Some(one)) => one,
        // Two values known only when they run may be strings.
        (None, None) if left.kind() == Kind::Open && right.kind() == Kind::Open => Collation::default().sqlite(rules),
        (None, None) => "BINARY",
    }
}

impl Translator<'_> {
    /// Sets how a parameter is converted; false if `value` is none, or is so already in another way.
    fn convert(&mut self, value: &Typed, convert: Convert) -> bool {
        let Some(parameter) = value.parameter.and_then(|i| self.parameters.get_mut(i)) else { return false };
        if parameter.convert == Convert::Plain {
            parameter.convert = convert;
            return true;
        }
        parameter.convert == convert
    }

    /// Whether `value` is a parameter of text or of unknown type, whose conversion may be chosen.
    fn is_free(&self, value: &Typed) -> bool {
        let Some(parameter) = value.parameter.and_then(|i| self.parameters.get(i)) else { return false };
        parameter.convert == Convert::Plain
            && (!matches!(parameter.source, Source::Environment(_)) || value.kind() != Kind::Open)
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
        if value.drift {
            *value = Typed { drift: false, sql: value.settled(), ..value.clone() };
        }
        match (value.kind(), other.kind()) {
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
            (Kind::Temporal, Kind::Number) if !self.is_free(other) => {
                value.sql = format!("marmot_temporal_number({})", value.sql);
                value.column = false;
            }
            (_, Kind::Temporal) if free || (value.kind() == Kind::Temporal && value.parameter.is_some()) => {
                if let Some(ty) = other.known() {
                    let ty = ty.clone();
                    self.convert(value, Convert::Temporal(ty));
                }
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
        if let (Some(l), Expr::Subquery(query)) = (row(left), right) {
            let operands = self.row_values(&l)?;
            let block = self.query_block(query)?;
            if block.columns.len() != l.len() {
                return Err(Error::operand_columns(l.len()));
            }
            return Ok(Typed::boolean(format!("(({operands}) {} ({}))", symbol(op), block.sql)));
        }
        let mut l = self.operand(left, right)?;
        let mut r = self.operand(right, left)?;
        let (mut l_sql, mut r_sql) = self.comparable(&mut l, &mut r);
        let orders =
            matches!(op, BinaryOperator::Lt | BinaryOperator::LtEq | BinaryOperator::Gt | BinaryOperator::GtEq);
        if orders && is_time(&l) && (is_time(&r) || r.parameter.is_some())
            || orders && is_time(&r) && l.parameter.is_some()
        {
            // The texts of times do not sort as times: 100:00:00 and what is negative.
            l_sql = format!("marmot_temporal_number({l_sql})");
            r_sql = format!("marmot_temporal_number({r_sql})");
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

    fn row_values(&mut self, row: &[&Expr]) -> Result<String, Error> {
        let values: Vec<String> =
            row.iter().map(|e| self.expression(e).map(|t| t.collated(self.rules()))).collect::<Result<_, _>>()?;
        Ok(values.join(", "))
    }

    /// `(a, b) = (c, d)` and the like, part by part so that each is converted on its own.
    fn row_comparison(&mut self, left: &[&Expr], op: &BinaryOperator, right: &[&Expr]) -> Result<Typed, Error> {
        let mut pairs = Vec::new();
        for (l, r) in flat_pairs(left, right)? {
            let (mut l, mut r) = (self.expression(l)?, self.expression(r)?);
            pairs.push(self.comparable(&mut l, &mut r));
        }
        let joined = |symbol: &str, word: &str| {
            let parts: Vec<String> = pairs.iter().map(|(l, r)| format!("({l} {symbol} {r})")).collect();
            format!("({})", parts.join(word))
        };
        let sql = match op {
            BinaryOperator::Eq => joined("=", " AND "),
            BinaryOperator::Spaceship => joined("IS", " AND "),
            BinaryOperator::NotEq => joined("<>", " OR "),
            _ => {
                let l: Vec<&str> = pairs.iter().map(|(l, _)| l.as_str()).collect();
                let r: Vec<&str> = pairs.iter().map(|(_, r)| r.as_str()).collect();
                format!("(({}) {} ({}))", l.join(", "), symbol(op), r.join(", "))
            }
        };
        Ok(Typed::boolean(sql))
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
        }
        let this = converted.unwrap_or_else(|| left.clone());
        let l_sql = match this.wanted_collation(self.rules()) {
            Some(collation) if collation != "BINARY" && !this.column => format!("{} COLLATE {collation}", this.sql),
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
        let (l, low) = self.comparable(&mut for_low, &mut low);
        let (h, high) = self.comparable(&mut for_high, &mut high);
        let l = if self.given_back(&for_low, &for_high) { l.replacen(&for_low.sql, &for_high.sql, 1) } else { l };
        let not = if negated { "NOT " } else { "" };
        if l == h && !ends_in_collation(&l) {
            return Ok(Typed::boolean(format!("({l} {not}BETWEEN {low} AND {high})")));
        }
        Ok(Typed::boolean(format!("({not}({l} >= {low} AND {h} <= {high}))")))
    }

    pub fn like(&mut self, value: &Expr, pattern: &Expr, escape: Option<&Expr>, negated: bool) -> Result<Typed, Error> {
        let escape = match escape {
            Some(e) => match self.constant(e) {
                Some(Literal::Text(text)) if text.chars().count() <= 1 => text.to_string(),
                Some(Literal::Int(digit @ 0..=9)) => digit.to_string(),
                _ => return Err(Error::wrong_arguments("ESCAPE")),
            },
            None if self.context.modes.no_backslash_escapes() => String::new(),
            None => "\\".to_string(),
        };
        let (left, right) = (self.expression(value)?, self.expression(pattern)?);
        let not = if negated { "NOT " } else { "" };
        let respects_case = left.ignores_case() == Some(false) || right.ignores_case() == Some(false);
        let collation = match agreed_collation(&left, &right, self.rules()) {
            _ if respects_case => Some("0".to_string()),
            "NOCASE" | "BINARY" => None,
            name => Some(quote_text(name)),
        };
        if let Some(collation) = collation {
            let escape = quote_text(&escape);
            let sql = format!("({not}marmot_like({}, {}, {escape}, {collation}))", left.sql, right.sql);
            return Ok(Typed::boolean(sql));
        }
        let tail = if escape.is_empty() { String::new() } else { format!(" ESCAPE {}", quote_text(&escape)) };
        Ok(Typed::boolean(format!("({} {not}LIKE {}{tail})", left.sql, right.sql)))
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
        let mut value = self.expression(left)?;
        let block = self.query_block(query)?;
        let [column] = block.columns.as_slice() else { return Err(Error::operand_columns(1)) };
        let name = format!("\"marmot_any\".{}", super::translator::quote_name(&column.name));
        let mut other = Typed { column: true, ..Typed { ty: column.ty.clone(), ..Typed::dynamic(name) } };
        let (l, r) = self.comparable(&mut value, &mut other);
        let test = format!("({l} {} {r})", symbol(op));
        let rows = format!("FROM ({}) AS \"marmot_any\"", block.sql);
        let (decides, answer) = if all { (format!("NOT {test}"), 0) } else { (test.clone(), 1) };
        Ok(Typed::boolean(format!(
            "(CASE WHEN EXISTS (SELECT 1 {rows} WHERE {decides}) THEN {answer} \
             WHEN EXISTS (SELECT 1 {rows} WHERE {test} IS NULL) THEN NULL ELSE {} END)",
            1 - answer
        )))
    }

    /// A value in numeric context.
    pub fn numeric_operand(&mut self, value: &Typed) -> String {
        match value.known() {
            Some(ColumnType::Enum { values, .. }) => {
                format!("marmot_enum_index({}, {})", value.sql, quote_text(&values.join("\u{1f}")))
            }
            Some(ColumnType::Set { values, .. }) => {
                format!("marmot_set_bits({}, {})", value.sql, quote_text(&values.join("\u{1f}")))
            }
            Some(ty) if ty.is_temporal() => format!("marmot_temporal_number({})", value.sql),
            Some(ty) if !ty.is_numeric() => {
                if self.is_free(value) && self.convert(value, Convert::Number) {
                    return value.sql.clone();
                }
                format!("marmot_number({})", value.sql)
            }
            _ => value.sql.clone(),
        }
    }

    pub fn arithmetic(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Typed, Error> {
        use BinaryOperator as B;
        let minus = *op == B::Minus;
        if matches!(op, B::Plus | B::Minus) {
            if let Some((quantity, unit)) = super::temporal_call::interval(right) {
                return self.date_arithmetic(left, quantity, unit, minus);
            }
            if let (Some((quantity, unit)), false) = (super::temporal_call::interval(left), minus) {
                return self.date_arithmetic(right, quantity, unit, false);
            }
        }
        let l = Self::hex_number(left).map_or_else(|| self.expression(left), Ok)?;
        let r = Self::hex_number(right).map_or_else(|| self.expression(right), Ok)?;
        let bits = match op {
            B::BitwiseAnd => Some("marmot_bit_and"),
            B::BitwiseOr => Some("marmot_bit_or"),
            B::BitwiseXor => Some("marmot_bit_xor"),
            B::PGBitwiseShiftLeft => Some("marmot_shift_left"),
            B::PGBitwiseShiftRight => Some("marmot_shift_right"),
            _ => None,
        };
        let (l_sql, r_sql) = (self.numeric_operand(&l), self.numeric_operand(&r));
        if let Some(function) = bits {
            // With a literal, which is never negative, SQLite's `&` gives the same.
            let literal = |v: &Typed| v.parameter.is_some() && v.known() == Some(&ColumnType::bigint());
            if *op == B::BitwiseAnd && l.is_integer() && r.is_integer() && (literal(&l) || literal(&r)) {
                return Ok(Typed::new(format!("({l_sql} & {r_sql})"), ColumnType::bigint_unsigned()));
            }
            return Ok(Typed::new(format!("{function}({l_sql}, {r_sql})"), ColumnType::bigint_unsigned()));
        }
        let increment = self.context.modes.division_scale();
        let both_integers = l.is_integer() && r.is_integer();
        let whole = |v: &Typed| v.known().is_some_and(is_whole);
        let unsigned = |v: &Typed| v.known().is_some_and(ColumnType::is_unsigned);
        // Without sign the result must not be below zero, nor above what SQLite's integers reach.
        let unsigned = whole(&l) && whole(&r) && (unsigned(&l) || unsigned(&r));
        let signed_result = *op == B::Minus && self.context.modes.no_unsigned_subtraction();
        let checked = unsigned || l.is_big_unsigned() || r.is_big_unsigned();
        let result = u8::from(unsigned && !signed_result);
        let simple = |symbol: &str, function: &str| {
            if checked {
                format!("marmot_{function}({l_sql}, {r_sql}, {result})")
            } else {
                format!("({l_sql} {symbol} {r_sql})")
            }
        };
        let plain = |scale: fn(u8, u8) -> u8| match arithmetic_type(&l, &r, scale) {
            ResultType::Known(ty) if ty.is_integer() && result == 1 => ResultType::Known(ColumnType::bigint_unsigned()),
            ty => ty,
        };
        let quotient = if result == 1 { ColumnType::bigint_unsigned() } else { ColumnType::bigint() };
        let (sql, ty) = match op {
            B::Plus => (simple("+", "add"), plain(|a, b| a.max(b))),
            B::Minus => (simple("-", "subtract"), plain(|a, b| a.max(b))),
            B::Multiply => (simple("*", "multiply"), plain(|a, b| a.saturating_add(b))),
            B::Divide => {
                let exact =
                    |v: &Typed| v.known().is_some_and(|t| t.is_integer() || matches!(t, ColumnType::Decimal { .. }));
                let scale = l.scale().saturating_add(increment);
                let ty = if exact(&l) && exact(&r) {
                    ColumnType::decimal(65, scale.min(30))
                } else {
                    double_of(l.scale().max(r.scale()).saturating_add(increment))
                };
                let l_sql = if l.is_big_unsigned() { format!("marmot_cast_double({l_sql})") } else { l_sql };
                (format!("(CAST({l_sql} AS REAL) / {r_sql})"), ResultType::Known(ty))
            }
            B::MyIntegerDivide if both_integers && !unsigned => {
                (format!("({l_sql} / {r_sql})"), ResultType::Known(quotient))
            }
            B::MyIntegerDivide => (format!("marmot_div({l_sql}, {r_sql}, {result})"), ResultType::Known(quotient)),
            B::Modulo if both_integers => (format!("({l_sql} % {r_sql})"), ResultType::Known(sign_of_dividend(&l))),
            B::Modulo if whole(&l) && whole(&r) => {
                (format!("marmot_mod({l_sql}, {r_sql})"), ResultType::Known(sign_of_dividend(&l)))
            }
            B::Modulo => (format!("marmot_mod({l_sql}, {r_sql})"), arithmetic_type(&l, &r, |a, b| a.max(b))),
            other => return Err(Error::unsupported(format!("the operator {other}"))),
        };
        let exact = matches!(ty, ResultType::Known(ColumnType::Decimal { scale, .. }) if scale <= 15);
        let drift = exact && matches!(op, B::Plus | B::Minus | B::Multiply);
        Ok(Typed { ty, drift, ..Typed::dynamic(sql) })
    }
}

pub(super) fn is_time(value: &Typed) -> bool {
    matches!(value.known(), Some(ColumnType::Time(_)))
}

/// The type of `%` of integers.
fn sign_of_dividend(dividend: &Typed) -> ColumnType {
    let unsigned = dividend.known().is_some_and(ColumnType::is_unsigned);
    if unsigned { ColumnType::bigint_unsigned() } else { ColumnType::bigint() }
}

/// The parts of two rows side by side; of rows within rows, their parts.
fn flat_pairs<'e>(left: &[&'e Expr], right: &[&'e Expr]) -> Result<Vec<(&'e Expr, &'e Expr)>, Error> {
    if left.len() != right.len() {
        return Err(Error::operand_columns(left.len()));
    }
    let mut pairs = Vec::new();
    for (l, r) in left.iter().zip(right) {
        match (row(l), row(r)) {
            (Some(l), Some(r)) => pairs.extend(flat_pairs(&l, &r)?),
            (None, None) => pairs.push((*l, *r)),
            (Some(parts), None) => return Err(Error::operand_columns(parts.len())),
            (None, Some(_)) => return Err(Error::operand_columns(1)),
        }
    }
    Ok(pairs)
}

/// Types that are integers in arithmetic.
fn is_whole(ty: &ColumnType) -> bool {
    ty.is_integer() || ty.is_temporal() || matches!(ty, ColumnType::Enum { .. } | ColumnType::Set { .. })
}

/// The parts of a row constructor: `(a, b)`, `ROW(a, b)`.
pub fn row(expression: &Expr) -> Option<Vec<&Expr>> {
    match expression {
        Expr::Tuple(parts) => Some(parts.iter().collect()),
        Expr::Nested(inner) => row(inner),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("ROW") => {
            super::function::plain_arguments(function).ok().filter(|a| a.len() > 1)
        }
        _ => None,
    }
}

/// The type of `+`, `-`, `*`: decimals if one is and the other is exact, else DOUBLE.
fn arithmetic_type(l: &Typed, r: &Typed, scale: fn(u8, u8) -> u8) -> ResultType {
    let (Some(x), Some(y)) = (l.known(), r.known()) else {
        return if l.ty == ResultType::Null || r.ty == ResultType::Null {
            ResultType::Known(boolean_type())
        } else {
            ResultType::Dynamic
        };
    };
    let exact = |ty: &ColumnType| is_whole(ty) || matches!(ty, ColumnType::Decimal { .. });
    let fraction = l.scale().min(6) > 0 && x.is_temporal() || r.scale().min(6) > 0 && y.is_temporal();
    ResultType::Known(if is_whole(x) && is_whole(y) && !fraction {
        if x.is_unsigned() && y.is_unsigned() { ColumnType::bigint_unsigned() } else { ColumnType::bigint() }
    } else if exact(x) && exact(y) {
        let of = |v: &Typed| if v.scale() == NOT_FIXED { 0 } else { v.scale() };
        ColumnType::decimal(65, scale(of(l), of(r)).min(30))
    } else {
        double_of(scale(l.scale(), r.scale()))
    })
}
