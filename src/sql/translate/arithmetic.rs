//! Arithmetic: of integers by SQLite where it is exact, of unsigned ones and decimals by functions.

use super::translator::{Translator, quote_text};
use super::typed::{Kind, NOT_FIXED, Typed, boolean_type, double_of};
use crate::sql::column_type::ColumnType;
use crate::sql::decimal::MAX_SCALE;
use crate::sql::error::Error;
use crate::sql::parameter::Convert;
use crate::sql::plan::ResultType;
use sqlparser::ast::{BinaryOperator, Expr};

impl Translator<'_> {
    /// A value in numeric context.
    pub fn numeric_operand(&mut self, value: &Typed) -> String {
        match value.known() {
            Some(ColumnType::Enum { values, .. }) => {
                format!("marmot_enum_index({}, {})", value.sql, quote_text(&values.join("\u{1f}")))
            }
            Some(ColumnType::Set { values, .. }) => {
                format!("marmot_set_bits({}, {})", value.sql, quote_text(&values.join("\u{1f}")))
            }
            Some(ty) if ty.is_temporal() || value.temporal => format!("marmot_temporal_number({})", value.sql),
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
        let divides = matches!(op, B::Divide | B::MyIntegerDivide | B::Modulo);
        let r_sql = match divides && self.context.modes.error_for_division_by_zero() {
            // Warns of a zero, or refuses it where the result is stored.
            true => format!("marmot_divisor({r_sql})"),
            false => r_sql,
        };
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
        let large = l.is_big_unsigned() || r.is_big_unsigned();
        let exact = |v: &Typed| v.is_decimal() || v.known().is_none_or(is_whole);
        let result = u8::from(unsigned && !signed_result);
        let simple = |symbol: &str, function: &str| {
            if large && !(exact(&l) && exact(&r)) {
                // Floating point, since one of them is or becomes that.
                format!("(marmot_cast_double({l_sql}) {symbol} marmot_cast_double({r_sql}))")
            } else if unsigned || large {
                format!("marmot_{function}({l_sql}, {r_sql}, {result})")
            } else {
                format!("({l_sql} {symbol} {r_sql})")
            }
        };
        let plain = |scale: fn(u8, u8) -> u8| match arithmetic_type(&l, &r, scale) {
            ResultType::Known(ty) if ty.is_integer() && signed_result => ResultType::Known(ColumnType::bigint()),
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
            B::MyIntegerDivide => (format!("marmot_div({l_sql}, {r_sql}, {result})"), ResultType::Known(quotient)),
            B::Modulo if both_integers => (format!("({l_sql} % {r_sql})"), ResultType::Known(sign_of_dividend(&l))),
            B::Modulo if whole(&l) && whole(&r) => {
                (format!("marmot_mod({l_sql}, {r_sql})"), ResultType::Known(sign_of_dividend(&l)))
            }
            B::Modulo if is_inexact(&l) || is_inexact(&r) => {
                (format!("marmot_fmod({l_sql}, {r_sql})"), arithmetic_type(&l, &r, |a, b| a.max(b)))
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
        let scale = scale.min(MAX_SCALE);
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

/// The type of `%` of integers.
fn sign_of_dividend(dividend: &Typed) -> ColumnType {
    let unsigned = dividend.known().is_some_and(ColumnType::is_unsigned);
    if unsigned { ColumnType::bigint_unsigned() } else { ColumnType::bigint() }
}

/// Types that are integers in arithmetic.
pub(super) fn is_whole(ty: &ColumnType) -> bool {
    ty.is_integer() || ty.is_temporal() || matches!(ty, ColumnType::Enum { .. } | ColumnType::Set { .. })
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
        ColumnType::decimal(65, scale(of(l), of(r)).min(MAX_SCALE))
    } else {
        double_of(scale(l.scale(), r.scale()))
    })
}

/// FLOAT and DOUBLE, and strings, which become that.
fn is_inexact(value: &Typed) -> bool {
    matches!(value.known(), Some(ColumnType::Float { .. } | ColumnType::Text { .. } | ColumnType::Binary { .. }))
}
