//! MySQL's column types, as declared.
//!
//! How they are kept in SQLite:
//!
//! | MySQL | SQLite column | cell |
//! |---|---|---|
//! | TINYINT .. BIGINT, YEAR, BIT | INTEGER | `Int` |
//! | BIGINT UNSIGNED above 2^63-1, not as rowid | INTEGER | `Text` that sorts after the integers (see `unsigned`) |
//! | DECIMAL | NUMERIC | `Int` or `Real`, and `Text` beyond 15 significant digits (see `decimal`) |
//! | FLOAT, DOUBLE | REAL | `Real` |
//! | CHAR, VARCHAR, TEXT, ENUM, SET, JSON | TEXT, NOCASE for `_ci` | `Text` |
//! | BINARY, VARBINARY, BLOB | BLOB | `Blob` |
//! | DATE, TIME, DATETIME, TIMESTAMP | TEXT | `Text`, with exactly the declared number of fraction digits |

use super::catalog::Collation;
use crate::types::Value;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A column's type with its attributes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ColumnType {
    Integer {
        size: IntegerSize,
        unsigned: bool,
        zerofill: bool,
        /// The display width, where it was given; `TINYINT(1)` is a boolean to many drivers.
        width: Option<u8>,
    },
    Decimal {
        precision: u8,
        scale: u8,
        unsigned: bool,
        zerofill: bool,
    },
    /// FLOAT and DOUBLE; `display` is the deprecated `(M,D)`.
    Float {
        double: bool,
        unsigned: bool,
        zerofill: bool,
        display: Option<(u8, u8)>,
    },
    Bit(u8),
    Year,
    Date,
    /// With the number of fraction digits, 0 to 6, as in the next two.
    Time(u8),
    DateTime(u8),
    Timestamp(u8),
    Text {
        kind: TextKind,
        /// In characters, for CHAR and VARCHAR.
        length: u32,
        collation: Collation,
    },
    Binary {
        kind: BinaryKind,
        /// In bytes, for BINARY and VARBINARY.
        length: u32,
    },
    Enum {
        values: Vec<String>,
        collation: Collation,
    },
    Set {
        values: Vec<String>,
        collation: Collation,
    },
    Json,
}

/// Integer sizes, by bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IntegerSize {
    Tiny,
    Small,
    Medium,
    Int,
    Big,
}

/// Character types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TextKind {
    Char,
    VarChar,
    TinyText,
    Text,
    MediumText,
    LongText,
}

/// Binary string types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BinaryKind {
    Binary,
    VarBinary,
    TinyBlob,
    Blob,
    MediumBlob,
    LongBlob,
}

impl IntegerSize {
    pub fn bits(self) -> u32 {
        match self {
            IntegerSize::Tiny => 8,
            IntegerSize::Small => 16,
            IntegerSize::Medium => 24,
            IntegerSize::Int => 32,
            IntegerSize::Big => 64,
        }
    }
    fn name(self) -> &'static str {
        match self {
            IntegerSize::Tiny => "tinyint",
            IntegerSize::Small => "smallint",
            IntegerSize::Medium => "mediumint",
            IntegerSize::Int => "int",
            IntegerSize::Big => "bigint",
        }
    }
    /// The display width of a column that gives none: what the longest value needs.
    pub fn usual_width(self, unsigned: bool) -> u8 {
        match (self, unsigned) {
            (IntegerSize::Tiny, unsigned) => 4 - u8::from(unsigned),
            (IntegerSize::Small, unsigned) => 6 - u8::from(unsigned),
            (IntegerSize::Medium, unsigned) => 9 - u8::from(unsigned),
            (IntegerSize::Int, unsigned) => 11 - u8::from(unsigned),
            (IntegerSize::Big, _) => 20,
        }
    }
    /// The smallest and largest value, as MySQL documents them.
    pub fn range(self, unsigned: bool) -> (i128, i128) {
        let bits = self.bits();
        if unsigned { (0, (1i128 << bits) - 1) } else { (-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1) }
    }
}

impl ColumnType {
    pub fn int() -> ColumnType {
        ColumnType::Integer { size: IntegerSize::Int, unsigned: false, zerofill: false, width: None }
    }
    pub fn bigint() -> ColumnType {
        ColumnType::Integer { size: IntegerSize::Big, unsigned: false, zerofill: false, width: None }
    }
    pub fn bigint_unsigned() -> ColumnType {
        ColumnType::Integer { size: IntegerSize::Big, unsigned: true, zerofill: false, width: None }
    }
    pub fn double() -> ColumnType {
        ColumnType::Float { double: true, unsigned: false, zerofill: false, display: None }
    }
    pub fn decimal(precision: u8, scale: u8) -> ColumnType {
        ColumnType::Decimal { precision, scale, unsigned: false, zerofill: false }
    }
    pub fn varchar(length: u32) -> ColumnType {
        ColumnType::Text { kind: TextKind::VarChar, length, collation: Collation::default() }
    }
    pub fn varbinary(length: u32) -> ColumnType {
        ColumnType::Binary { kind: BinaryKind::VarBinary, length }
    }

    pub fn is_integer(&self) -> bool {
        matches!(self, ColumnType::Integer { .. } | ColumnType::Year | ColumnType::Bit(_))
    }
    /// Whether MySQL compares it as a number.
    pub fn is_numeric(&self) -> bool {
        self.is_integer() || matches!(self, ColumnType::Decimal { .. } | ColumnType::Float { .. })
    }
    pub fn is_temporal(&self) -> bool {
        matches!(self, ColumnType::Date | ColumnType::Time(_) | ColumnType::DateTime(_) | ColumnType::Timestamp(_))
    }
    pub fn is_unsigned(&self) -> bool {
        match self {
            ColumnType::Integer { unsigned, .. }
            | ColumnType::Decimal { unsigned, .. }
            | ColumnType::Float { unsigned, .. } => *unsigned,
            ColumnType::Year | ColumnType::Bit(_) => true,
            _ => false,
        }
    }
    pub fn is_zerofill(&self) -> bool {
        match self {
            ColumnType::Integer { zerofill, .. }
            | ColumnType::Decimal { zerofill, .. }
            | ColumnType::Float { zerofill, .. } => *zerofill,
            _ => false,
        }
    }
    /// The collation of a character type.
    pub fn collation(&self) -> Option<&Collation> {
        match self {
            ColumnType::Text { collation, .. }
            | ColumnType::Enum { collation, .. }
            | ColumnType::Set { collation, .. } => Some(collation),
            _ => None,
        }
    }
    /// Whether this type is TEXT or BLOB of any size, or JSON: no default, and an index needs a prefix length.
    pub fn is_large(&self) -> bool {
        match self {
            ColumnType::Text { kind, .. } => !matches!(kind, TextKind::Char | TextKind::VarChar),
            ColumnType::Binary { kind, .. } => !matches!(kind, BinaryKind::Binary | BinaryKind::VarBinary),
            ColumnType::Json => true,
            _ => false,
        }
    }

    /// SQLite's declared type.
    pub fn sqlite(&self) -> &'static str {
        match self {
            ColumnType::Integer { .. } | ColumnType::Bit(_) | ColumnType::Year => "INTEGER",
            ColumnType::Decimal { .. } => "NUMERIC",
            ColumnType::Float { .. } => "REAL",
            ColumnType::Binary { .. } => "BLOB",
            _ => "TEXT",
        }
    }

    /// What an absent value of a NOT NULL column becomes where MySQL is not strict (manual, "Implicit Defaults").
    pub fn implicit_default(&self) -> Value {
        match self {
            ColumnType::Integer { .. } | ColumnType::Bit(_) | ColumnType::Year | ColumnType::Decimal { .. } => {
                Value::Int(0)
            }
            ColumnType::Float { .. } => Value::real(0.0),
            ColumnType::Binary { kind: BinaryKind::Binary, length } => Value::Blob(vec![0; *length as usize].into()),
            ColumnType::Binary { .. } => Value::Blob([].into()),
            ColumnType::Date => Value::from("0000-00-00"),
            ColumnType::Time(fsp) => Value::text(format!("00:00:00{}", zeros(*fsp))),
            ColumnType::DateTime(fsp) | ColumnType::Timestamp(fsp) => {
                Value::text(format!("0000-00-00 00:00:00{}", zeros(*fsp)))
            }
            ColumnType::Enum { values, .. } => Value::text(values.first().map_or("", String::as_str)),
            ColumnType::Text { .. } | ColumnType::Set { .. } => Value::from(""),
            ColumnType::Json => Value::from("null"),
        }
    }

    /// The type's name without its attributes, as `information_schema.COLUMNS.DATA_TYPE` has it.
    pub fn name(&self) -> &'static str {
        match self {
            ColumnType::Integer { size, .. } => size.name(),
            ColumnType::Decimal { .. } => "decimal",
            ColumnType::Float { double: true, .. } => "double",
            ColumnType::Float { .. } => "float",
            ColumnType::Bit(_) => "bit",
            ColumnType::Year => "year",
            ColumnType::Date => "date",
            ColumnType::Time(_) => "time",
            ColumnType::DateTime(_) => "datetime",
            ColumnType::Timestamp(_) => "timestamp",
            ColumnType::Text { kind, .. } => match kind {
                TextKind::Char => "char",
                TextKind::VarChar => "varchar",
                TextKind::TinyText => "tinytext",
                TextKind::Text => "text",
                TextKind::MediumText => "mediumtext",
                TextKind::LongText => "longtext",
            },
            ColumnType::Binary { kind, .. } => match kind {
                BinaryKind::Binary => "binary",
                BinaryKind::VarBinary => "varbinary",
                BinaryKind::TinyBlob => "tinyblob",
                BinaryKind::Blob => "blob",
                BinaryKind::MediumBlob => "mediumblob",
                BinaryKind::LongBlob => "longblob",
            },
            ColumnType::Enum { .. } => "enum",
            ColumnType::Set { .. } => "set",
            ColumnType::Json => "json",
        }
    }

    /// The largest number of characters a value may have; `None` where it is not a string.
    pub fn max_characters(&self) -> Option<u64> {
        match self {
            ColumnType::Text { kind, length, .. } => Some(match kind {
                TextKind::Char | TextKind::VarChar => u64::from(*length),
                TextKind::TinyText => 255,
                TextKind::Text => 65_535,
                TextKind::MediumText => 16_777_215,
                TextKind::LongText => 4_294_967_295,
            }),
            ColumnType::Binary { kind, length } => Some(match kind {
                BinaryKind::Binary | BinaryKind::VarBinary => u64::from(*length),
                BinaryKind::TinyBlob => 255,
                BinaryKind::Blob => 65_535,
                BinaryKind::MediumBlob => 16_777_215,
                BinaryKind::LongBlob => 4_294_967_295,
            }),
            ColumnType::Enum { values, .. } => values.iter().map(|v| v.chars().count() as u64).max(),
            ColumnType::Set { values, .. } => {
                Some(values.iter().map(|v| v.chars().count() as u64 + 1).sum::<u64>().saturating_sub(1))
            }
            _ => None,
        }
    }

    /// The value as a client is to see it: DECIMAL text with all its decimals, zero-filled integers, and unsigned
    /// numbers above the signed range without their padding. Everything else is unchanged.
    pub fn present(&self, value: Value) -> Value {
        super::present::present(self, value)
    }

    /// Error 1690 for a cell that no value of this type can be: a computed number that left its type's range.
    pub fn overflow(&self, value: &Value) -> Option<super::error::Error> {
        super::present::overflow(self, value)
    }

    /// DOUBLE shown with a fixed number of decimals, as MySQL computes it from operands that have one.
    pub fn double_with(decimals: u8) -> ColumnType {
        ColumnType::Float { double: true, unsigned: false, zerofill: false, display: Some((17 + decimals, decimals)) }
    }
}

/// A point and `fsp` zeros; nothing for none.
pub(super) fn zeros(fsp: u8) -> String {
    if fsp == 0 { String::new() } else { format!(".{}", "0".repeat(usize::from(fsp))) }
}

/// As `SHOW CREATE TABLE` and `DESCRIBE` print it, without character set and collation.
impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            ColumnType::Integer { width, size, unsigned, .. } => {
                write!(f, "({})", width.unwrap_or(size.usual_width(*unsigned)))?;
            }
            ColumnType::Year => f.write_str("(4)")?,
            ColumnType::Decimal { precision, scale, .. } => write!(f, "({precision},{scale})")?,
            ColumnType::Float { display: Some((m, d)), .. } => write!(f, "({m},{d})")?,
            ColumnType::Bit(bits) => write!(f, "({bits})")?,
            ColumnType::Time(fsp) | ColumnType::DateTime(fsp) | ColumnType::Timestamp(fsp) if *fsp > 0 => {
                write!(f, "({fsp})")?;
            }
            ColumnType::Text { kind: TextKind::Char | TextKind::VarChar, length, .. }
            | ColumnType::Binary { kind: BinaryKind::Binary | BinaryKind::VarBinary, length } => {
                write!(f, "({length})")?
            }
            ColumnType::Enum { values, .. } | ColumnType::Set { values, .. } => {
                f.write_str("(")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}'{}'", if i == 0 { "" } else { "," }, value.replace('\'', "''"))?;
                }
                f.write_str(")")?;
            }
            _ => {}
        }
        if self.is_unsigned() && !matches!(self, ColumnType::Year | ColumnType::Bit(_)) {
            f.write_str(" unsigned")?;
        }
        if self.is_zerofill() {
            f.write_str(" zerofill")?;
        }
        Ok(())
    }
}
