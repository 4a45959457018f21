//! Comparison and arithmetic: what MySQL converts before it computes (manual, "Type Conversion in Expression
//! Evaluation").

use super::select::Block;
use super::translator::{Translator, quote_text};
use super::typed::{Kind, NOT_FIXED, Typed, boolean_type, double_of};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::{Convert, Literal, Source};
use crate::sql::plan::ResultType;
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
        let ignores_case = match (left.ignores_case(), right.ignores_case()) {
            (Some(l), Some(r)) => l && r,
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => {
                // Two values known only when they run may be strings.
                left.kind() == Kind::Open && right.kind() == Kind::Open
            }
        };
        let wanted = if ignores_case { "NOCASE" } else { "BINARY" };
        let given = left.implied_collation().or(right.implied_collation()).unwrap_or("BINARY");
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

    /// `(a, b) = (SELECT ...)` and the like.
    fn row_and_subquery(&mut self, row: &[&Expr], op: &BinaryOperator, query: &Query) -> Result<Typed, Error> {
        let mut values = Vec::new();
        for part in row {
            values.push(self.expression(part)?);
        }
        let block = self.query_block(query)?;
        if block.columns.len() != values.len() {
            return Err(Error::operand_columns(values.len()));
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        for (value, column) in values.iter_mut().zip(&block.columns) {
            let name = super::translator::quote_name(&column.name);
            let mut other = Typed { ty: column.ty.clone(), column: true, ..Typed::dynamic(name) };
            let (l, r) = self.comparable(value, &mut other);
            left.push(l);
            right.push(r);
        }
        let row = one_row(&block, &right);
        Ok(Typed::boolean(format!("(({}) {} {row})", left.join(", "), symbol(op))))
    }

    /// `(SELECT a, b ...) = (SELECT c, d ...)`.
    fn subquery_rows(&mut self, left: &Query, op: &BinaryOperator, right: &Query) -> Result<Typed, Error> {
        let (left, right) = (self.query_block(left)?, self.query_block(right)?);
        if left.columns.len() != right.columns.len() {
            return Err(Error::operand_columns(left.columns.len()));
        }
        let names = |block: &Block| -> Vec<String> {
            block.columns.iter().map(|c| super::translator::quote_name(&c.name)).collect()
        };
        let (l, r) = (one_row(&left, &names(&left)), one_row(&right, &names(&right)));
        Ok(Typed::boolean(format!("({l} {} {r})", symbol(op))))
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
        let l_sql = match (this.ignores_case(), this.implied_collation()) {
            (Some(true), None) => format!("{} COLLATE NOCASE", this.sql),
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
        if needs_exact_order(&for_low, &for_low) || needs_exact_order(&for_high, &for_high) {
            let (least, most) = (format!("marmot_decimal_compare({l}, {low})"), format!("marmot_decimal_compare({h}, {high})"));
            return Ok(Typed::boolean(format!("({not}({least} >= 0 AND {most} <= 0))")));
        }
        if l == h && !l.ends_with("NOCASE") && !l.ends_with("BINARY") {
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
        let respects_case = left.ignores_case() == Some(false) || right.ignores_case() == Some(false);
        let (l, r) = (left.text_operand(), right.text_operand());
        let fold = u8::from(!respects_case);
        let Some(escape) = escape else {
            // Known when it runs: a constant expression.
            let Some(e) = computed else { return Err(Error::wrong_arguments("ESCAPE")) };
            let escape = self.expression(e)?;
            return Ok(Typed::boolean(format!("({not}marmot_like({l}, {r}, {}, {fold}))", escape.text_operand())));
        };
        if respects_case {
            let escape = quote_text(&escape);
            return Ok(Typed::boolean(format!("({not}marmot_like({l}, {r}, {escape}, 0))")));
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
        let mut value = self.expression(left)?;
        let block = self.query_block(query)?;
        let [column] = block.columns.as_slice() else { return Err(Error::operand_columns(1)) };
        let name = format!("\"marmot_any\".{}", super::translator::quote_name(&column.name));
        let mut other = Typed { column: true, ..Typed { ty: column.ty.clone(), ..Typed::dynamic(name) } };
        let (l, r) = self.comparable(&mut value, &mut other);
        let orders = !matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
        let test = match orders && needs_exact_order(&value, &other) {
            true => format!("(marmot_decimal_compare({l}, {r}) {} 0)", symbol(op)),
            false => format!("({l} {} {r})", symbol(op)),
        };
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
        if bits.is_none()
            && let Some(value) = self.decimal_arithmetic((&l, &l_sql), op, (&r, &r_sql))
        {
            return Ok(value);
        }
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
                let ty = double_of(l.scale().max(r.scale()).saturating_add(increment));
                let inexact = |v: &Typed| v.is_big_unsigned() || v.is_wide();
                let l_sql = if inexact(&l) { format!("marmot_cast_double({l_sql})") } else { l_sql };
                let r_sql = if inexact(&r) { format!("marmot_cast_double({r_sql})") } else { r_sql };
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
        Ok(Typed { ty, ..Typed::dynamic(sql) })
    }

    /// Arithmetic of exact numbers with a DECIMAL among them or as the result; `None` if it is another.
    fn decimal_arithmetic(
        &mut self,
        (l, l_sql): (&Typed, &str),
        op: &BinaryOperator,
        (r, r_sql): (&Typed, &str),
    ) -> Option<Typed> {
        use BinaryOperator as B;
        let exact = |v: &Typed| v.known().is_some_and(|t| is_whole(t) || matches!(t, ColumnType::Decimal { .. }));
        let fraction = |v: &Typed| v.kind() == Kind::Temporal && v.scale() > 0;
        let decimal = l.is_decimal() || r.is_decimal() || fraction(l) || fraction(r) || *op == B::Divide;
        if !exact(l) || !exact(r) || !decimal {
            return None;
        }
        let (x, y) = (l.scale(), r.scale());
        let (i, j) = (l.whole_digits(), r.whole_digits());
        let increment = self.context.modes.division_scale();
        let (function, whole, scale) = match op {
            B::Plus => ("add", i.max(j) + 1, x.max(y)),
            B::Minus => ("subtract", i.max(j) + 1, x.max(y)),
            B::Multiply => ("multiply", i + j, x.saturating_add(y)),
            B::Divide => ("divide", i + y, x.saturating_add(increment)),
            B::Modulo => ("modulo", i.min(j), x.max(y)),
            B::MyIntegerDivide => {
                let sql = format!("marmot_decimal_div({l_sql}, {r_sql})");
                return Some(Typed::new(sql, ColumnType::bigint()));
            }
            _ => return None,
        };
        let scale = scale.min(30);
        let ty = ColumnType::decimal((whole.max(1).saturating_add(scale)).min(65), scale);
        let unrounded = l.unrounded || r.unrounded || *op == B::Divide;
        let digits = match op {
            B::Modulo => String::new(),
            B::Divide => format!(", {}", crate::sql::decimal::quotient_scale(x, y, increment)),
            _ if unrounded => format!(", {}", crate::sql::decimal::MAX_DIGITS),
            _ => format!(", {scale}"),
        };
        let sql = format!("marmot_decimal_{function}({l_sql}, {r_sql}{digits})");
        Some(Typed { unrounded, ..Typed::new(sql, ty) })
    }
}

/// An expression without the parentheses around it.
fn unnested(expression: &Expr) -> &Expr {
    match expression {
        Expr::Nested(inner) => unnested(inner),
        other => other,
    }
}

/// Whether a query plainly has more than one column.
fn selects_several(query: &Query) -> bool {
    matches!(&*query.body, sqlparser::ast::SetExpr::Select(select) if select.projection.len() > 1)
}

/// The operator that compares the other way round.
fn mirrored(op: &BinaryOperator) -> BinaryOperator {
    match op {
        BinaryOperator::Lt => BinaryOperator::Gt,
        BinaryOperator::LtEq => BinaryOperator::GtEq,
        BinaryOperator::Gt => BinaryOperator::Lt,
        BinaryOperator::GtEq => BinaryOperator::LtEq,
        same => same.clone(),
    }
}

/// A query as a row value of these expressions over its columns: error 1242 if it has more than one row.
fn one_row(block: &Block, values: &[String]) -> String {
    let [first, rest @ ..] = values else { return format!("({})", block.sql) };
    let rest: String = rest.iter().map(|v| format!(", {v}")).collect();
    if block.single_row {
        return format!("(SELECT {first}{rest} FROM ({}))", block.sql);
    }
    let rows = format!("SELECT * FROM ({}) LIMIT 2", block.sql);
    format!("(SELECT marmot_only_row(count(*), {first}){rest} FROM ({rows}))")
}

/// Whether SQLite would not order these exact numbers rightly.
fn needs_exact_order(left: &Typed, right: &Typed) -> bool {
    let double = |v: &Typed| matches!(v.known(), Some(ColumnType::Float { .. }));
    (left.is_wide() || right.is_wide()) && !double(left) && !double(right)
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
