//! An expression as SQLite text, with what MySQL knows about it.

use super::measure::characters;
use crate::sql::catalog::Collation;
use crate::sql::column_type::{BinaryKind, ColumnType, IntegerSize, TextKind};
use crate::sql::plan::{Origin, ResultType};
use crate::types::CollationRules;
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug)]
pub struct Typed {
    pub sql: String,
    pub ty: ResultType,
    pub nullable: bool,
    /// The expression is a plain column; SQLite then applies that column's own collation.
    pub column: bool,
    pub origin: Option<Arc<Origin>>,
    /// How much its collation counts beside that of another string.
    pub strength: Strength,
    /// The expression is exactly this parameter (an index, not the number in the text).
    pub parameter: Option<usize>,
    /// The result is 0, 1 or NULL: JSON calls it a boolean.
    pub boolean: bool,
    /// A DECIMAL whose cell may have more decimals than its type: a quotient, and what is made of one.
    pub unrounded: bool,
    /// Text that is a date or time: in numeric context the number of that.
    pub temporal: bool,
}

/// How strongly a string's collation counts, the strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// By COLLATE.
    Explicit,
    /// A column's.
    Implicit,
    /// A literal's, and everything else.
    Coercible,
}

/// [`Typed::scale`] of what has no fixed number of decimals.
pub const NOT_FIXED: u8 = crate::sql::decimal::MAX_SCALE + 1;
/// A DOUBLE with so many decimals has no fixed number of them.
const DOUBLE_NOT_FIXED: u8 = 31;

/// DOUBLE with `scale` decimals, or as many as it takes.
pub fn double_of(scale: u8) -> ColumnType {
    if scale >= DOUBLE_NOT_FIXED { ColumnType::double() } else { ColumnType::double_with(scale) }
}

/// Decimals of an integer or temporal type as a number. A DATETIME with a fraction has more digits than a REAL cell
/// holds, so that only its seconds are taken.
fn whole_scale(ty: &ColumnType) -> u8 {
    match ty {
        ColumnType::Time(fsp) => *fsp,
        _ => 0,
    }
}

/// What a value is compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Number,
    Temporal,
    /// CHAR, VARCHAR, TEXT, ENUM, SET.
    Text,
    Binary,
    Json,
    /// NULL, or known only when it runs.
    Open,
}

/// Text computed by an expression.
pub fn text_type() -> ColumnType {
    ColumnType::Text { kind: TextKind::VarChar, length: 16_383, collation: Collation::default() }
}

pub fn boolean_type() -> ColumnType {
    ColumnType::Integer { size: IntegerSize::Int, unsigned: false, zerofill: false, width: Some(1) }
}

impl Typed {
    pub fn new(sql: impl Into<String>, ty: ColumnType) -> Typed {
        Typed {
            sql: sql.into(),
            ty: ResultType::Known(ty),
            nullable: true,
            column: false,
            origin: None,
            strength: Strength::Coercible,
            parameter: None,
            boolean: false,
            unrounded: false,
            temporal: false,
        }
    }
    pub fn boolean(sql: impl Into<String>) -> Typed {
        Typed { boolean: true, ..Typed::new(sql, boolean_type()) }
    }
    pub fn null() -> Typed {
        Typed { ty: ResultType::Null, ..Typed::new("NULL", ColumnType::int()) }
    }
    pub fn dynamic(sql: impl Into<String>) -> Typed {
        Typed { ty: ResultType::Dynamic, ..Typed::new(sql, ColumnType::int()) }
    }
    /// The same expression with other text: no longer a plain column or parameter.
    pub fn with_sql(&self, sql: impl Into<String>) -> Typed {
        Typed {
            sql: sql.into(),
            column: false,
            origin: None,
            parameter: None,
            boolean: false,
            unrounded: false,
            temporal: false,
            ..self.clone()
        }
    }

    pub fn known(&self) -> Option<&ColumnType> {
        match &self.ty {
            ResultType::Known(ty) => Some(ty),
            _ => None,
        }
    }
    pub fn kind(&self) -> Kind {
        match self.known() {
            None => Kind::Open,
            Some(ty) if ty.is_numeric() => Kind::Number,
            Some(ty) if ty.is_temporal() => Kind::Temporal,
            Some(ColumnType::Binary { .. }) => Kind::Binary,
            Some(ColumnType::Json) => Kind::Json,
            Some(_) => Kind::Text,
        }
    }
    /// Whether it is an integer that SQLite holds as one.
    pub fn is_integer(&self) -> bool {
        match self.known() {
            Some(ColumnType::Integer { size: IntegerSize::Big, unsigned: true, .. }) => false,
            Some(ty) => ty.is_integer(),
            None => false,
        }
    }
    /// The value with no more decimals than its type has.
    pub fn settled(&self) -> String {
        if self.unrounded { format!("marmot_round({}, {})", self.sql, self.scale()) } else { self.sql.clone() }
    }
    /// Whether its cells may be decimals in text form, which SQLite does not sort among numbers.
    pub fn is_wide(&self) -> bool {
        match self.known() {
            Some(ColumnType::Decimal { precision, scale, .. }) => *precision > if *scale > 0 { 15 } else { 18 },
            _ => false,
        }
    }
    /// Whether it is a DECIMAL.
    pub fn is_decimal(&self) -> bool {
        matches!(self.known(), Some(ColumnType::Decimal { .. }))
    }
    /// Digits before the point that an exact number may have.
    pub fn whole_digits(&self) -> u8 {
        match self.known() {
            Some(ColumnType::Decimal { precision, scale, .. }) => precision.saturating_sub(*scale),
            Some(ColumnType::Integer { size, unsigned, .. }) => match size {
                IntegerSize::Tiny => 3,
                IntegerSize::Small => 5,
                IntegerSize::Medium => 8,
                IntegerSize::Int => 10,
                IntegerSize::Big => 19 + u8::from(*unsigned),
            },
            Some(ColumnType::Year) => 4,
            Some(ColumnType::Date) => 8,
            Some(ColumnType::Time(_)) => 7,
            Some(ColumnType::DateTime(_) | ColumnType::Timestamp(_)) => 14,
            Some(ColumnType::Enum { .. }) => 5,
            _ => 20,
        }
    }
    /// The text of this value where it becomes part of a string: numbers with all the decimals of their type.
    pub fn text_operand(&self) -> String {
        match self.known() {
            Some(ColumnType::Decimal { scale, .. }) if *scale > 0 => {
                format!("marmot_decimal_text({}, {scale})", self.sql)
            }
            Some(ColumnType::Float { display: Some((_, d)), .. }) if *d > 0 => {
                format!("marmot_decimal_text({}, {d})", self.sql)
            }
            // Where SQLite would write them otherwise.
            Some(ColumnType::Float { .. }) => format!("marmot_concat({})", self.sql),
            Some(ty) if is_big_unsigned(ty) => format!("marmot_concat({})", self.sql),
            _ => self.sql.clone(),
        }
    }
    /// The text of this value as a result of type `ty`.
    pub fn as_part_of(&self, ty: &ResultType) -> String {
        let is_time = matches!(self.known(), Some(ColumnType::Time(_)));
        match ty {
            ResultType::Known(ColumnType::DateTime(fsp)) if is_time => {
                format!("marmot_time_today({}, {fsp})", self.sql)
            }
            ResultType::Known(ColumnType::Float { .. }) if self.is_big_unsigned() => {
                format!("marmot_cast_double({})", self.sql)
            }
            ResultType::Known(ColumnType::DateTime(fsp)) if self.has_other_form(*fsp) => {
                format!("marmot_cast_datetime({}, {fsp})", self.sql)
            }
            ResultType::Known(ColumnType::Time(fsp)) if self.has_other_form(*fsp) => {
                format!("marmot_cast_time({}, {fsp})", self.sql)
            }
            ResultType::Known(ColumnType::Text { .. } | ColumnType::Binary { .. }) => self.text_operand(),
            _ => self.sql.clone(),
        }
    }
    /// Whether it is a date or time whose text is not that of one with `fsp` fraction digits.
    fn has_other_form(&self, fsp: u8) -> bool {
        self.known().is_some_and(|ty| ty.is_temporal() && (*ty == ColumnType::Date || self.fsp() != fsp))
    }
    /// Whether SQLite holds it as [`crate::sql::unsigned`] does, beyond its own integers.
    pub fn is_big_unsigned(&self) -> bool {
        self.known().is_some_and(is_big_unsigned)
    }
    /// Whether comparing it respects case; `None` where no collation applies (numbers and the like).
    pub fn ignores_case(&self) -> Option<bool> {
        match self.known() {
            Some(ColumnType::Binary { .. }) => Some(false),
            Some(ty) => ty.collation().map(Collation::ignores_case),
            None => None,
        }
    }
    /// The collation SQLite applies by itself.
    pub fn implied_collation(&self, rules: CollationRules) -> Option<&'static str> {
        if !self.column {
            return None;
        }
        self.known().map(|ty| ty.collation().map_or("BINARY", |c| c.sqlite(rules)))
    }
    /// The collation by which SQLite compares it as MySQL would; `None` where none applies.
    pub fn wanted_collation(&self, rules: CollationRules) -> Option<&'static str> {
        match self.known() {
            Some(ColumnType::Binary { .. }) => Some("BINARY"),
            Some(ty) => ty.collation().map(|c| c.sqlite(rules)),
            None => None,
        }
    }
    /// Decimals of a number: [`NOT_FIXED`] for floating point without a fixed number of them.
    pub fn scale(&self) -> u8 {
        match self.known() {
            Some(ColumnType::Decimal { scale, .. }) => *scale,
            Some(ColumnType::Float { display: Some((_, decimals)), .. }) => (*decimals).min(NOT_FIXED),
            Some(ty) if ty.is_integer() || ty.is_temporal() => whole_scale(ty),
            _ => NOT_FIXED,
        }
    }
    /// Fraction digits of a temporal type.
    pub fn fsp(&self) -> u8 {
        match self.known() {
            Some(ColumnType::Time(fsp) | ColumnType::DateTime(fsp) | ColumnType::Timestamp(fsp)) => *fsp,
            Some(ColumnType::Decimal { scale, .. }) => (*scale).min(6),
            Some(ColumnType::Text { .. } | ColumnType::Float { .. }) => 6,
            _ => 0,
        }
    }
    /// The SQLite text with the collation that makes it group and sort as MySQL would.
    pub fn collated(&self, rules: CollationRules) -> String {
        match (self.wanted_collation(rules), self.column) {
            (Some(collation), false) if collation != "BINARY" => format!("{} COLLATE {collation}", self.sql),
            _ if self.unrounded => self.settled(),
            _ => self.sql.clone(),
        }
    }
}

fn is_big_unsigned(ty: &ColumnType) -> bool {
    matches!(ty, ColumnType::Integer { size: IntegerSize::Big, unsigned: true, .. })
}

/// The type of a value that may come from either (manual: CASE, IF, COALESCE, UNION).
pub fn unify(a: &ResultType, b: &ResultType) -> ResultType {
    use ResultType::{Dynamic, Known, Null};
    let (x, y) = match (a, b) {
        (Null, other) | (other, Null) => return other.clone(),
        (Dynamic, _) | (_, Dynamic) => return Dynamic,
        (Known(x), Known(y)) => (x, y),
    };
    if x == y {
        return a.clone();
    }
    let integer = |ty: &ColumnType| ty.is_integer();
    Known(match (x, y) {
        (
            ColumnType::Integer { size, unsigned, width, .. },
            ColumnType::Integer { size: s, unsigned: u, width: w, .. },
        ) if unsigned == u => {
            let wide = |size: &IntegerSize, width: &Option<u8>| width.unwrap_or(size.usual_width(*unsigned));
            let widest = wide(size, width).max(wide(s, w));
            let (size, unsigned) = (*size.max(s), *unsigned);
            let width = (width.is_some() || w.is_some()).then_some(widest).filter(|w| *w != size.usual_width(unsigned));
            ColumnType::Integer { size, unsigned, zerofill: false, width }
        }
        _ if integer(x) && integer(y) => {
            if x.is_unsigned() && y.is_unsigned() {
                ColumnType::bigint_unsigned()
            } else if is_big_unsigned(x) || is_big_unsigned(y) {
                // No integer type holds both.
                ColumnType::decimal(20, 0)
            } else {
                ColumnType::bigint()
            }
        }
        (ColumnType::Float { .. }, _) if y.is_numeric() => ColumnType::double(),
        (_, ColumnType::Float { .. }) if x.is_numeric() => ColumnType::double(),
        _ if x.is_numeric() && y.is_numeric() => {
            let part = |ty: &ColumnType| super::measure::digits(ty).unwrap_or((20, 0));
            let ((p, s), (q, t)) = (part(x), part(y));
            let scale = s.max(t);
            ColumnType::decimal(((p - s).max(q - t) + scale).min(65), scale)
        }
        (ColumnType::Date, ColumnType::DateTime(f) | ColumnType::Timestamp(f))
        | (ColumnType::DateTime(f) | ColumnType::Timestamp(f), ColumnType::Date) => ColumnType::DateTime(*f),
        (ColumnType::DateTime(f) | ColumnType::Timestamp(f), ColumnType::DateTime(g) | ColumnType::Timestamp(g)) => {
            ColumnType::DateTime(*f.max(g))
        }
        (ColumnType::Time(f), ColumnType::Time(g)) => ColumnType::Time(*f.max(g)),
        // A time is one of today.
        (ColumnType::Time(f), ColumnType::Date) | (ColumnType::Date, ColumnType::Time(f)) => ColumnType::DateTime(*f),
        (ColumnType::Time(f), ColumnType::DateTime(g) | ColumnType::Timestamp(g))
        | (ColumnType::DateTime(f) | ColumnType::Timestamp(f), ColumnType::Time(g)) => ColumnType::DateTime(*f.max(g)),
        (ColumnType::Binary { .. }, _) | (_, ColumnType::Binary { .. }) => {
            let bytes = |ty: &ColumnType| match ty {
                ColumnType::Text { .. } | ColumnType::Enum { .. } | ColumnType::Set { .. } => characters(ty) * 4,
                _ => characters(ty),
            };
            let length = bytes(x).max(bytes(y));
            ColumnType::Binary { kind: BinaryKind::VarBinary, length: u32::try_from(length).unwrap_or(u32::MAX) }
        }
        (ColumnType::Text { kind, length, collation }, ColumnType::Text { kind: k, length: l, collation: c }) => {
            let varying =
                matches!(kind, TextKind::Char | TextKind::VarChar) && matches!(k, TextKind::Char | TextKind::VarChar);
            let kind = if varying { TextKind::VarChar } else { TextKind::LongText };
            let collation = if collation.ignores_case() { c } else { collation };
            ColumnType::Text { kind, length: *length.max(l), collation: collation.clone() }
        }
        (ColumnType::Text { kind: TextKind::LongText | TextKind::MediumText | TextKind::Text, .. }, _) => x.clone(),
        (_, ColumnType::Text { kind: TextKind::LongText | TextKind::MediumText | TextKind::Text, .. }) => y.clone(),
        _ => {
            let length = u32::try_from(characters(x).max(characters(y))).unwrap_or(u32::MAX);
            let collation = x.collation().or(y.collation()).cloned().unwrap_or_default();
            let (kind, length) = if length > 16_383 { (TextKind::LongText, 0) } else { (TextKind::VarChar, length) };
            ColumnType::Text { kind, length, collation }
        }
    })
}
