//! What result metadata says of a column: MySQL type, width, flags and decimals, from the catalog where a result column
//! is a table's, from a type the translator derived otherwise.

use crate::mysql::{Column as Described, ColumnFlags, ColumnType as Wire, collation};
use crate::sql::{Column, ColumnDefault, IndexKind, Table};
use crate::sql::{BinaryKind, ColumnType, IntegerSize, TextKind};
use crate::types::ColumnId;

/// The wire's view of a type: type code, width, flags, decimals and whether it is text.
struct Shape {
    ty: Wire,
    length: u32,
    flags: ColumnFlags,
    decimals: u8,
    text: bool,
}

fn clamp(n: u64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn shape(ty: &ColumnType) -> Shape {
    let binary = ColumnFlags::BINARY_FLAG;
    let number = |ty, length, decimals| Shape { ty, length, flags: binary, decimals, text: false };
    // A character takes up to four bytes.
    let characters = |n: Option<u64>| clamp(n.unwrap_or(0).saturating_mul(4));
    let fraction = |fsp: u8| if fsp == 0 { 0 } else { u32::from(fsp) + 1 };
    let mut shape = match ty {
        ColumnType::Integer { size, unsigned, width, .. } => {
            let (wire, signed_width) = match size {
                IntegerSize::Tiny => (Wire::MYSQL_TYPE_TINY, 4),
                IntegerSize::Small => (Wire::MYSQL_TYPE_SHORT, 6),
                IntegerSize::Medium => (Wire::MYSQL_TYPE_INT24, 9),
                IntegerSize::Int => (Wire::MYSQL_TYPE_LONG, 11),
                IntegerSize::Big => (Wire::MYSQL_TYPE_LONGLONG, 20),
            };
            let usual = if *unsigned && *size != IntegerSize::Big { signed_width - 1 } else { signed_width };
            number(wire, width.map_or(usual, u32::from), 0)
        }
        ColumnType::Decimal { precision, scale, unsigned, .. } => {
            let length = u32::from(*precision) + u32::from(*scale > 0) + u32::from(!*unsigned);
            number(Wire::MYSQL_TYPE_NEWDECIMAL, length, *scale)
        }
        ColumnType::Float { double, display, .. } => {
            let (wire, width) = if *double { (Wire::MYSQL_TYPE_DOUBLE, 22) } else { (Wire::MYSQL_TYPE_FLOAT, 12) };
            let (length, decimals) = display.map_or((width, Described::NOT_FIXED), |(m, d)| (u32::from(m), d));
            number(wire, length, decimals)
        }
        ColumnType::Bit(bits) => Shape { flags: ColumnFlags::empty(), ..number(Wire::MYSQL_TYPE_BIT, u32::from(*bits), 0) },
        ColumnType::Year => number(Wire::MYSQL_TYPE_YEAR, 4, 0),
        ColumnType::Date => number(Wire::MYSQL_TYPE_DATE, 10, 0),
        ColumnType::Time(fsp) => number(Wire::MYSQL_TYPE_TIME, 10 + fraction(*fsp), *fsp),
        ColumnType::DateTime(fsp) => number(Wire::MYSQL_TYPE_DATETIME, 19 + fraction(*fsp), *fsp),
        ColumnType::Timestamp(fsp) => number(Wire::MYSQL_TYPE_TIMESTAMP, 19 + fraction(*fsp), *fsp),
        ColumnType::Text { kind, collation, .. } => {
            let (wire, flags) = match kind {
                TextKind::Char => (Wire::MYSQL_TYPE_STRING, ColumnFlags::empty()),
                TextKind::VarChar => (Wire::MYSQL_TYPE_VAR_STRING, ColumnFlags::empty()),
                _ => (Wire::MYSQL_TYPE_BLOB, ColumnFlags::BLOB_FLAG),
            };
            let flags = if collation.name().ends_with("_bin") { flags | binary } else { flags };
            Shape { ty: wire, length: characters(ty.max_characters()), flags, decimals: 0, text: true }
        }
        ColumnType::Binary { kind, .. } => {
            let (wire, flags) = match kind {
                BinaryKind::Binary => (Wire::MYSQL_TYPE_STRING, binary),
                BinaryKind::VarBinary => (Wire::MYSQL_TYPE_VAR_STRING, binary),
                _ => (Wire::MYSQL_TYPE_BLOB, binary | ColumnFlags::BLOB_FLAG),
            };
            Shape { ty: wire, length: clamp(ty.max_characters().unwrap_or(0)), flags, decimals: 0, text: false }
        }
        ColumnType::Enum { .. } | ColumnType::Set { .. } => {
            let flag = if matches!(ty, ColumnType::Enum { .. }) { ColumnFlags::ENUM_FLAG } else { ColumnFlags::SET_FLAG };
            let length = characters(ty.max_characters());
            Shape { ty: Wire::MYSQL_TYPE_STRING, length, flags: flag, decimals: 0, text: true }
        }
        ColumnType::Json => {
            let flags = binary | ColumnFlags::BLOB_FLAG;
            Shape { ty: Wire::MYSQL_TYPE_JSON, length: u32::MAX, flags, decimals: 0, text: false }
        }
    };
    if ty.is_unsigned() {
        shape.flags |= ColumnFlags::UNSIGNED_FLAG;
    }
    if ty.is_zerofill() || matches!(ty, ColumnType::Year) {
        shape.flags |= ColumnFlags::ZEROFILL_FLAG;
    }
    shape
}

/// An expression's column.
pub fn expression(name: impl Into<String>, ty: &ColumnType, charset: u16) -> Described {
    let shape = shape(ty);
    Described {
        schema: String::new(),
        table: String::new(),
        org_table: String::new(),
        name: name.into(),
        org_name: String::new(),
        charset: if shape.text { charset } else { collation::BINARY },
        length: shape.length,
        ty: shape.ty,
        flags: shape.flags,
        decimals: shape.decimals,
    }
}

/// A table's column under the label `name`, in a FROM clause where the table is called `alias`.
pub fn stored(database: &str, table: &Table, column: &Column, alias: &str, name: &str, charset: u16) -> Described {
    let mut described = expression(name, &column.ty, charset);
    described.schema = database.to_string();
    described.table = alias.to_string();
    described.org_table = table.name.clone();
    described.org_name = column.name.clone();
    described.flags |= flags(table, column);
    described
}

/// What keys, defaults and NULL say of a column.
fn flags(table: &Table, column: &Column) -> ColumnFlags {
    let mut flags = ColumnFlags::empty();
    let in_primary = table.primary.as_ref().is_some_and(|p| p.columns.iter().any(|c| c.column == column.id));
    if !column.nullable || in_primary {
        flags |= ColumnFlags::NOT_NULL_FLAG;
        if column.default.is_none() && !column.auto_increment {
            flags |= ColumnFlags::NO_DEFAULT_VALUE_FLAG;
        }
    }
    if in_primary {
        flags |= ColumnFlags::PRI_KEY_FLAG;
    }
    flags |= secondary_key(table, column.id);
    if column.auto_increment {
        flags |= ColumnFlags::AUTO_INCREMENT_FLAG;
    }
    if column.on_update.is_some() {
        flags |= ColumnFlags::ON_UPDATE_NOW_FLAG;
    }
    if matches!(column.ty, ColumnType::Timestamp(_)) && matches!(column.default, Some(ColumnDefault::Now(_))) {
        flags |= ColumnFlags::TIMESTAMP_FLAG;
    }
    flags
}

fn secondary_key(table: &Table, column: ColumnId) -> ColumnFlags {
    let leading = |i: &&crate::sql::Index| i.columns.first().is_some_and(|c| c.column == column);
    let mut flags = ColumnFlags::empty();
    for index in table.indexes.iter().filter(leading) {
        let alone = index.kind == IndexKind::Unique && index.columns.len() == 1;
        flags |= if alone { ColumnFlags::UNIQUE_KEY_FLAG } else { ColumnFlags::MULTIPLE_KEY_FLAG };
    }
    flags
}
