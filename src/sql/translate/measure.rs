//! How long the values of an expression may be: the types of the columns that CREATE TABLE ... SELECT makes.
//!
//! The types of a plain statement must hold for every statement of its shape, whatever its literals are, and say no more
//! than what computing needs. Here each expression gets the type MySQL would declare a column of: `1` is an `int(1)`, `'abc'` a
//! `varchar(3)`, `CONCAT(a, b)` as long as both.

use super::function::plain_arguments;
use super::measure_call::{Call, call_width};
use super::translator::Translator;
use super::typed::{Typed, unify};
use crate::sql::column_type::{BinaryKind, ColumnType, IntegerSize, TextKind};
use crate::sql::decimal::MAX_SCALE;
use crate::sql::parameter::Literal;
use crate::sql::plan::ResultType;
use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use std::collections::BTreeMap;

/// What is known of an expression that was translated.
#[derive(Clone, Debug)]
pub struct Measured {
    pub ty: ResultType,
    pub nullable: bool,
    /// The number that the expression is, if it is written there.
    pub constant: Option<i64>,
}

impl Measured {
    pub fn known(&self) -> Option<&ColumnType> {
        match &self.ty {
            ResultType::Known(ty) => Some(ty),
            _ => None,
        }
    }
    /// A string literal.
    fn literal(text: &str) -> Measured {
        let ty = of_length(&super::typed::text_type(), text.chars().count() as u64);
        Measured { ty: ResultType::Known(ty), nullable: false, constant: None }
    }
    /// The characters of its text.
    pub fn characters(&self) -> u64 {
        self.known().map_or(0, characters)
    }
    /// The bytes of its text.
    pub fn bytes(&self) -> u64 {
        match self.known() {
            Some(ty @ ColumnType::Binary { .. }) => characters(ty),
            // Numbers and dates are texts of the connection.
            _ => self.characters().saturating_mul(4),
        }
    }
}

/// Expressions by the place where they are kept.
pub type Measures = BTreeMap<usize, Measured>;

fn place(expression: &Expr) -> usize {
    std::ptr::from_ref(expression).addr()
}

/// The characters of the text of a value of type `ty`.
pub fn characters(ty: &ColumnType) -> u64 {
    let fraction = |fsp: u8| if fsp == 0 { 0 } else { u64::from(fsp) + 1 };
    match ty {
        ColumnType::Integer { .. } => u64::from(width(ty)),
        ColumnType::Decimal { precision, scale, unsigned, .. } => {
            u64::from(*precision) + u64::from(*scale > 0) + u64::from(!*unsigned)
        }
        ColumnType::Float { display: Some((m, _)), .. } => u64::from(*m),
        ColumnType::Float { double: true, .. } => 24,
        ColumnType::Float { .. } => 12,
        ColumnType::Bit(bits) => u64::from(bits.div_ceil(8)),
        ColumnType::Year => 4,
        ColumnType::Date => 10,
        ColumnType::Time(fsp) => 10 + fraction(*fsp),
        ColumnType::DateTime(fsp) | ColumnType::Timestamp(fsp) => 19 + fraction(*fsp),
        ColumnType::Json => u64::from(u32::MAX),
        other => other.max_characters().unwrap_or(0),
    }
}

/// The display width of an integer type.
fn width(ty: &ColumnType) -> u8 {
    match ty {
        ColumnType::Integer { size, unsigned, width, .. } => width.unwrap_or(size.usual_width(*unsigned)),
        _ => 0,
    }
}

/// The digits of an exact number, and how many of them are decimals.
pub fn digits(ty: &ColumnType) -> Option<(u8, u8)> {
    Some(match ty {
        ColumnType::Integer { size, unsigned, width: None, .. } => match size {
            IntegerSize::Tiny => (3, 0),
            IntegerSize::Small => (5, 0),
            IntegerSize::Medium => (7 + u8::from(*unsigned), 0),
            IntegerSize::Int => (10, 0),
            IntegerSize::Big => (19 + u8::from(*unsigned), 0),
        },
        ColumnType::Integer { unsigned, width: Some(width), .. } => {
            (width.saturating_sub(u8::from(!unsigned)).max(1), 0)
        }
        ColumnType::Decimal { precision, scale, .. } => (*precision, *scale),
        ColumnType::Bit(bits) => (*bits, 0),
        ColumnType::Year => (4, 0),
        ColumnType::Date => (8, 0),
        ColumnType::Time(fsp) => (7 + fsp, *fsp),
        ColumnType::DateTime(fsp) | ColumnType::Timestamp(fsp) => (14 + fsp, *fsp),
        _ => return None,
    })
}

/// The integer type of a result of so many characters.
pub fn integer(width: u8, unsigned: bool) -> ColumnType {
    let size = if width < 10 { IntegerSize::Int } else { IntegerSize::Big };
    ColumnType::Integer { size, unsigned, zerofill: false, width: Some(width) }
}

/// `ty`, which is text or binary, with another length.
pub fn of_length(ty: &ColumnType, length: u64) -> ColumnType {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    match ty {
        ColumnType::Text { collation, .. } => {
            let kind = if length == 0 { TextKind::Char } else { TextKind::VarChar };
            ColumnType::Text { kind, length, collation: collation.clone() }
        }
        ColumnType::Binary { .. } => ColumnType::Binary { kind: BinaryKind::VarBinary, length },
        other => other.clone(),
    }
}

/// The column type of a computed string: one that may be long is a TEXT or BLOB.
pub fn declared(ty: &ColumnType) -> ColumnType {
    /// In characters, or bytes of a binary string.
    const LONGEST: u32 = 512;
    match ty {
        ColumnType::Text { kind: TextKind::VarChar, length, collation } if *length > LONGEST => {
            let kind = match u64::from(*length) * 4 {
                ..=65_535 => TextKind::Text,
                65_536..=16_777_215 => TextKind::MediumText,
                _ => TextKind::LongText,
            };
            ColumnType::Text { kind, length: 0, collation: collation.clone() }
        }
        ColumnType::Binary { kind: BinaryKind::VarBinary, length } if *length > LONGEST => {
            let kind = match length {
                ..=65_535 => BinaryKind::Blob,
                65_536..=16_777_215 => BinaryKind::MediumBlob,
                _ => BinaryKind::LongBlob,
            };
            ColumnType::Binary { kind, length: 0 }
        }
        other => other.clone(),
    }
}

impl Translator<'_> {
    /// What was learnt of an operand.
    fn measured(&self, expression: &Expr) -> Option<&Measured> {
        self.measures.as_ref()?.get(&place(expression))
    }

    /// Gives `value`, the translation of `expression`, the type its column would have. Only where that is asked for.
    pub fn measure(&mut self, expression: &Expr, value: Typed) -> Typed {
        if self.measures.is_none() {
            return value;
        }
        let mut constant = None;
        let found = match expression {
            Expr::Nested(inner) => {
                let inner = self.measured(inner).cloned();
                constant = inner.as_ref().and_then(|m| m.constant);
                inner.map(|m| (m.ty, m.nullable))
            }
            Expr::Value(_) => self.literal_type(expression, &mut constant),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => self.negated(expr, &mut constant),
            Expr::BinaryOp { left, op, right } => self.operation(left, op, right, &value),
            Expr::Like { expr, pattern, .. } | Expr::RLike { expr, pattern, .. } => {
                self.none_null(&[expr, pattern]).map(|nullable| (value.ty.clone(), nullable))
            }
            Expr::Collate { expr, .. } => self.string(&[expr], &value, |a| a[0].characters()),
            Expr::Trim { expr, trim_what, .. } => {
                let operands: Vec<&Expr> =
                    [Some(expr), trim_what.as_ref()].into_iter().flatten().map(|e| &**e).collect();
                self.string(&operands, &value, |a| a[0].characters())
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let parts = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
                let all: Vec<&Expr> = parts.into_iter().flatten().map(|e| &**e).collect();
                self.string(&all, &value, super::measure_call::substring)
            }
            Expr::Case { conditions, else_result, .. } => {
                let mut results: Vec<&Expr> = conditions.iter().map(|c| &c.result).collect();
                let otherwise = else_result.is_none();
                results.extend(else_result.as_deref());
                self.value_of_one(&results).map(|(ty, nullable)| (ty, nullable || otherwise))
            }
            Expr::Function(function) => {
                let name = function.name.to_string().trim_matches('`').to_ascii_uppercase();
                let arguments = plain_arguments(function).unwrap_or_default();
                self.of_call(&name, &arguments, &value)
            }
            _ => None,
        };
        let (ty, nullable) = found.unwrap_or_else(|| (value.ty.clone(), value.nullable));
        if let Some(measures) = &mut self.measures {
            measures.insert(place(expression), Measured { ty: ty.clone(), nullable, constant });
        }
        Typed { ty, nullable, ..value }
    }

    fn all(&self, expressions: &[&Expr]) -> Option<Vec<Measured>> {
        expressions.iter().map(|e| self.measured(e).cloned()).collect()
    }

    /// Whether a result that is NULL only where an operand is may be NULL.
    fn none_null(&self, operands: &[&Expr]) -> Option<bool> {
        Some(self.all(operands)?.iter().any(|m| m.nullable))
    }

    fn literal_type(&self, expression: &Expr, constant: &mut Option<i64>) -> Option<(ResultType, bool)> {
        let Expr::Value(value) = expression else { return None };
        let literal = self.tokens.literals.get(self.literal_at(value.span)?)?;
        let ty = match literal {
            Literal::Int(n) => {
                *constant = Some(*n);
                integer(n.to_string().len() as u8, false)
            }
            Literal::Decimal(digits) if !digits.contains('.') => match digits.len() {
                length @ ..=20 => integer(length as u8, true),
                length => ColumnType::decimal(length.min(65) as u8, 0),
            },
            Literal::Decimal(digits) => {
                let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
                let scale = fraction.len().min(usize::from(MAX_SCALE));
                ColumnType::decimal((whole.len() + scale).clamp(1, 65) as u8, scale as u8)
            }
            Literal::Float(_) => ColumnType::double(),
            Literal::Text(text) => return Some((Measured::literal(text).ty, false)),
        };
        Some((ResultType::Known(ty), false))
    }

    fn negated(&self, operand: &Expr, constant: &mut Option<i64>) -> Option<(ResultType, bool)> {
        let mut inner = None;
        let literal = self.literal_type(operand, &mut inner);
        *constant = inner.map(|n| -n);
        let (ty, nullable) = match literal {
            Some(found) => found,
            None => self.measured(operand).map(|m| (m.ty.clone(), m.nullable))?,
        };
        Some(match ty {
            ResultType::Known(ty) if ty.is_integer() => {
                let sign = u8::from(!ty.is_unsigned() || inner.is_some());
                (ResultType::Known(integer(width(&ty) + sign, false)), nullable)
            }
            ty @ ResultType::Known(ColumnType::Decimal { .. } | ColumnType::Float { .. }) => (ty, nullable),
            _ => return None,
        })
    }

    /// Arithmetic, bits and comparisons.
    fn operation(&self, left: &Expr, op: &BinaryOperator, right: &Expr, value: &Typed) -> Option<(ResultType, bool)> {
        use BinaryOperator as B;
        let operands = self.all(&[left, right])?;
        let nullable = operands.iter().any(|m| m.nullable);
        let known = |ty: ColumnType, nullable: bool| Some((ResultType::Known(ty), nullable));
        match op {
            B::BitwiseAnd | B::BitwiseOr | B::BitwiseXor | B::PGBitwiseShiftLeft | B::PGBitwiseShiftRight => {
                known(integer(21, true), nullable)
            }
            B::Plus | B::Minus | B::Multiply | B::Divide | B::MyIntegerDivide | B::Modulo => {
                let (Some(x), Some(y)) = (operands[0].known(), operands[1].known()) else { return None };
                let nullable = nullable || !matches!(op, B::Plus | B::Minus | B::Multiply);
                let ((p, s), (q, t)) = match (literal_digits(left, x), literal_digits(right, y)) {
                    (Some(l), Some(r)) => (l, r),
                    // Floating point, and what becomes that.
                    _ => return Some((value.ty.clone(), nullable)),
                };
                let (i, j) = (p - s.min(p), q - t.min(q));
                let whole = value.known().is_some_and(ColumnType::is_integer);
                let unsigned = value.known().is_some_and(ColumnType::is_unsigned);
                let sign = u8::from(!unsigned);
                let increment = self.context.modes.division_scale();
                let (digits, scale) = match op {
                    B::Plus | B::Minus => (i.max(j) + 1, s.max(t)),
                    B::Multiply => (i.saturating_add(j), s.saturating_add(t)),
                    B::Divide => (i.saturating_add(t), s.saturating_add(increment)),
                    B::MyIntegerDivide => return known(integer(i + sign, unsigned), true),
                    _ if whole => return known(integer(width(x).max(width(y)).max(1), unsigned), true),
                    _ => (i.max(j), s.max(t)),
                };
                if whole && scale == 0 {
                    return known(integer(digits.saturating_add(sign).min(21), unsigned), nullable);
                }
                let scale = scale.min(MAX_SCALE);
                known(ColumnType::decimal(digits.saturating_add(scale).clamp(1, 65), scale), nullable)
            }
            _ if value.boolean => Some((value.ty.clone(), nullable && value.nullable)),
            _ => None,
        }
    }

    /// A value of one of several expressions.
    fn value_of_one(&self, expressions: &[&Expr]) -> Option<(ResultType, bool)> {
        let all = self.all(expressions)?;
        let ty = all.iter().fold(ResultType::Null, |ty, m| unify(&ty, &m.ty));
        Some((ty, all.iter().any(|m| m.nullable)))
    }

    /// A string that is NULL only where an operand is.
    fn string(
        &self,
        operands: &[&Expr],
        value: &Typed,
        length: impl Fn(&[Measured]) -> u64,
    ) -> Option<(ResultType, bool)> {
        let all = self.all(operands)?;
        let nullable = all.iter().any(|m| m.nullable);
        Some((ResultType::Known(of_length(value.known()?, length(&all))), nullable))
    }

    fn of_call(&self, name: &str, arguments: &[&Expr], value: &Typed) -> Option<(ResultType, bool)> {
        match (name, arguments) {
            ("IF", [_, then, otherwise]) | ("NVL2", [_, then, otherwise]) => self.value_of_one(&[then, otherwise]),
            ("IFNULL" | "NVL" | "COALESCE", all) => {
                let (ty, _) = self.value_of_one(all)?;
                Some((ty, self.all(all)?.iter().all(|m| m.nullable)))
            }
            ("MOD", [left, right]) => self.operation(left, &BinaryOperator::Modulo, right, value),
            ("GREATEST" | "LEAST", all) => self.value_of_one(all),
            ("NULLIF", [first, _]) => {
                let first = self.measured(first)?;
                match first.known()? {
                    ColumnType::Enum { .. } | ColumnType::Set { .. } => {
                        Some((ResultType::Known(of_length(value.known()?, first.characters())), true))
                    }
                    _ => Some((first.ty.clone(), true)),
                }
            }
            ("MIN" | "MAX" | "ANY_VALUE", [argument]) => {
                let ty = self.measured(argument)?.ty.clone();
                Some((ty, true))
            }
            ("ABS", [argument]) => {
                let argument = self.measured(argument)?;
                let ty = match argument.known()? {
                    ty if ty.is_integer() => integer(width(ty), ty.is_unsigned()),
                    ty if ty.is_numeric() => ty.clone(),
                    _ => value.known()?.clone(),
                };
                Some((ResultType::Known(ty), argument.nullable))
            }
            ("CEIL" | "CEILING" | "FLOOR", [argument]) => {
                let argument = self.measured(argument)?;
                let ty = match (argument.known()?, value.known()?) {
                    (ty @ ColumnType::Integer { .. }, _) => ty.clone(),
                    (ColumnType::Decimal { precision, scale, unsigned, .. }, ty) if ty.is_integer() => {
                        integer(precision - scale + 1 + u8::from(!unsigned), *unsigned)
                    }
                    (_, ty) => ty.clone(),
                };
                Some((ResultType::Known(ty), argument.nullable))
            }
            ("ROUND" | "TRUNCATE", [argument, rest @ ..]) => {
                let argument = self.measured(argument)?;
                let places = match rest {
                    [] => Some(0),
                    [places, ..] => self.measured(places)?.constant,
                };
                let nullable = argument.nullable || rest.iter().any(|e| self.measured(e).is_none_or(|m| m.nullable));
                let ty = match (argument.known()?, places) {
                    (ty @ ColumnType::Integer { .. }, Some(0..)) => ty.clone(),
                    (ty @ ColumnType::Integer { .. }, Some(_)) if name == "ROUND" => {
                        integer(width(ty).saturating_add(1), ty.is_unsigned())
                    }
                    (ColumnType::Decimal { precision, scale, .. }, Some(places)) => {
                        let wanted = places.clamp(0, i64::from(MAX_SCALE)) as u8;
                        let carry = u8::from(name == "ROUND" && wanted < *scale);
                        ColumnType::decimal((precision - scale + carry + wanted).clamp(1, 65), wanted)
                    }
                    _ => value.known()?.clone(),
                };
                Some((ResultType::Known(ty), nullable))
            }
            _ => {
                let texts: Vec<Option<String>> = arguments.iter().map(|e| self.written_text(e)).collect();
                let each = arguments.iter().zip(&texts).map(|(argument, text)| {
                    let written = || text.as_ref().map(|text| Measured::literal(text));
                    self.measured(argument).cloned().or_else(written)
                });
                let all: Option<Vec<Measured>> = each.collect();
                let call = Call { name, arguments: all.as_deref(), texts: &texts, value };
                call_width(&call)
            }
        }
    }

    /// The string literal that an expression is.
    fn written_text(&self, expression: &Expr) -> Option<String> {
        let Expr::Value(value) = expression else { return None };
        match (self.literal_at(value.span).and_then(|i| self.tokens.literals.get(i)), &value.value) {
            (Some(Literal::Text(text)), _) => Some(text.to_string()),
            (None, sqlparser::ast::Value::SingleQuotedString(text)) => Some(text.clone()),
            _ => None,
        }
    }
}

/// The digits of an operand: a literal has as many as are written.
fn literal_digits(expression: &Expr, ty: &ColumnType) -> Option<(u8, u8)> {
    match (expression, ty) {
        (Expr::Nested(inner), ty) => literal_digits(inner, ty),
        (Expr::Value(_), ColumnType::Integer { width: Some(width), .. }) => Some((*width, 0)),
        _ => digits(ty),
    }
}
