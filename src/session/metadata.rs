//! What result metadata says of a column: MySQL type, width, flags and decimals.

use crate::mysql::{Column as Described, ColumnFlags, ColumnType as Wire, collation};
use crate::sql::{
    BinaryKind, Column, ColumnDefault, ColumnType, IndexKind, IntegerSize, Origin, ResultColumn, ResultType, Table,
    TextKind,
};
use crate::sqlite::Cell;

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
        ColumnType::Bit(bits) => {
            Shape { flags: ColumnFlags::empty(), ..number(Wire::MYSQL_TYPE_BIT, u32::from(*bits), 0) }
        }
        ColumnType::Year => number(Wire::MYSQL_TYPE_YEAR, 4, 0),
        ColumnType::Date => number(Wire::MYSQL_TYPE_DATE, 10, 0),
        ColumnType::Time(fsp) => number(Wire::MYSQL_TYPE_TIME, 10 + fraction(*fsp), *fsp),
        ColumnType::DateTime(fsp) => number(Wire::MYSQL_TYPE_DATETIME, 19 + fraction(*fsp), *fsp),
        ColumnType::Timestamp(fsp) => number(Wire::MYSQL_TYPE_TIMESTAMP, 19 + fraction(*fsp), *fsp),
        ColumnType::Text { kind, collation, .. } => {
            let (wire, flags) = match kind {
                TextKind::Char => (Wire::MYSQL_TYPE_STRING, ColumnFlags::empty()),
                TextKind::VarChar => (Wire::MYSQL_TYPE_VAR_STRING, ColumnFlags::empty()),
                TextKind::TinyText | TextKind::Text | TextKind::MediumText | TextKind::LongText => {
                    (Wire::MYSQL_TYPE_BLOB, ColumnFlags::BLOB_FLAG)
                }
            };
            let flags = if collation.name().ends_with("_bin") { flags | binary } else { flags };
            Shape { ty: wire, length: characters(ty.max_characters()), flags, decimals: 0, text: true }
        }
        ColumnType::Binary { kind, .. } => {
            let (wire, flags) = match kind {
                BinaryKind::Binary => (Wire::MYSQL_TYPE_STRING, binary),
                BinaryKind::VarBinary => (Wire::MYSQL_TYPE_VAR_STRING, binary),
                BinaryKind::TinyBlob | BinaryKind::Blob | BinaryKind::MediumBlob | BinaryKind::LongBlob => {
                    (Wire::MYSQL_TYPE_BLOB, binary | ColumnFlags::BLOB_FLAG)
                }
            };
            Shape { ty: wire, length: clamp(ty.max_characters().unwrap_or(0)), flags, decimals: 0, text: false }
        }
        ColumnType::Enum { .. } | ColumnType::Set { .. } => {
            let enumeration = matches!(ty, ColumnType::Enum { .. });
            let flags = if enumeration { ColumnFlags::ENUM_FLAG } else { ColumnFlags::SET_FLAG };
            let length = characters(ty.max_characters());
            Shape { ty: Wire::MYSQL_TYPE_STRING, length, flags, decimals: 0, text: true }
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
fn expression(name: &str, ty: &ColumnType, charset: u16) -> Described {
    let shape = shape(ty);
    Described {
        schema: String::new(),
        table: String::new(),
        org_table: String::new(),
        name: name.to_string(),
        org_name: String::new(),
        charset: if shape.text { charset } else { collation::BINARY },
        length: shape.length,
        ty: shape.ty,
        flags: shape.flags,
        decimals: shape.decimals,
    }
}

/// What a client is told of a result column. `first` is the column's cell in the first row, where only that tells the
/// type.
pub fn describe(column: &ResultColumn, first: Option<Cell<'_>>, charset: u16) -> Described {
    let mut described = match (&column.ty, first) {
        (ResultType::Known(ty), _) => expression(&column.name, ty, charset),
        (ResultType::Dynamic, Some(Cell::Int(_))) => expression(&column.name, &ColumnType::bigint(), charset),
        (ResultType::Dynamic, Some(Cell::Real(_))) => expression(&column.name, &ColumnType::double(), charset),
        (ResultType::Dynamic, Some(Cell::Blob(_))) => {
            let ty = ColumnType::Binary { kind: BinaryKind::LongBlob, length: 0 };
            expression(&column.name, &ty, charset)
        }
        (ResultType::Dynamic, Some(Cell::Text(_) | Cell::Null) | None) => {
            let ty = ColumnType::Text { kind: TextKind::LongText, length: 0, collation: Default::default() };
            expression(&column.name, &ty, charset)
        }
        (ResultType::Null, _) => Described::new(&*column.name, Wire::MYSQL_TYPE_NULL),
    };
    if !column.nullable {
        described.flags |= ColumnFlags::NOT_NULL_FLAG;
    }
    if let Some(origin) = &column.origin {
        place(&mut described, origin);
    }
    described
}

fn place(described: &mut Described, origin: &Origin) {
    described.schema = crate::sql::public_name(&origin.database).to_string();
    described.table = origin.table_alias.clone();
    described.org_table = origin.table.clone();
    described.org_name = origin.column.clone();
    let flags = [
        (origin.primary_key, ColumnFlags::PRI_KEY_FLAG),
        (origin.unique_key, ColumnFlags::UNIQUE_KEY_FLAG),
        (origin.multiple_key, ColumnFlags::MULTIPLE_KEY_FLAG),
        (origin.auto_increment, ColumnFlags::AUTO_INCREMENT_FLAG),
        (origin.no_default, ColumnFlags::NO_DEFAULT_VALUE_FLAG),
        (origin.on_update_now, ColumnFlags::ON_UPDATE_NOW_FLAG),
    ];
    for (_, flag) in flags.into_iter().filter(|(on, _)| *on) {
        described.flags |= flag;
    }
}

/// A table's column, for COM_FIELD_LIST.
pub fn stored(database: &str, table: &Table, column: &Column, charset: u16) -> Described {
    let key = |kind: IndexKind, alone: bool| {
        table.indexes.iter().any(|i| {
            let leads = i.columns.first().is_some_and(|c| c.column == column.id);
            leads && (i.kind == kind) && (alone == (i.columns.len() == 1))
        })
    };
    let primary_key = table.primary.as_ref().is_some_and(|p| p.columns.iter().any(|c| c.column == column.id));
    let unique_key = key(IndexKind::Unique, true);
    let not_null = !column.nullable || primary_key;
    let origin = Origin {
        database: database.into(),
        table_alias: table.name.clone(),
        table: table.name.clone(),
        column: column.name.clone(),
        primary_key,
        unique_key,
        multiple_key: key(IndexKind::Unique, false) || key(IndexKind::Plain, true) || key(IndexKind::Plain, false),
        auto_increment: column.auto_increment,
        no_default: not_null && column.default.is_none() && !column.auto_increment,
        on_update_now: column.on_update.is_some(),
    };
    let mut described = expression(&column.name, &column.ty, charset);
    place(&mut described, &origin);
    if not_null {
        described.flags |= ColumnFlags::NOT_NULL_FLAG;
    }
    if matches!(column.ty, ColumnType::Timestamp(_)) && matches!(column.default, Some(ColumnDefault::Now(_))) {
        described.flags |= ColumnFlags::TIMESTAMP_FLAG;
    }
    described
}

/// Whether a cell of that type is already what a client expects, without [`ColumnType::present`].
pub fn goes_out_as_it_is(ty: &ResultType, cell: Cell<'_>) -> bool {
    let ResultType::Known(ty) = ty else { return true };
    match (ty, cell) {
        (_, Cell::Null) => true,
        (ColumnType::Integer { zerofill, .. }, Cell::Int(_)) => !zerofill,
        (ColumnType::Year, Cell::Int(_)) => true,
        // Neither "-0" nor what is no number.
        (ColumnType::Float { display, .. }, Cell::Real(x)) => display.is_none() && x.is_normal(),
        (ColumnType::Binary { .. }, Cell::Blob(_)) => true,
        (
            ColumnType::Text { .. }
            | ColumnType::Enum { .. }
            | ColumnType::Set { .. }
            | ColumnType::Json
            | ColumnType::Date
            | ColumnType::Time(_)
            | ColumnType::DateTime(_)
            | ColumnType::Timestamp(_),
            Cell::Text(_),
        ) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(ty: ColumnType) -> ResultColumn {
        ResultColumn { name: "c".into(), ty: ResultType::Known(ty), nullable: true, origin: None }
    }

    #[test]
    fn types_have_mysqls_widths() {
        let wire = |ty| {
            let d = describe(&known(ty), None, 255);
            (d.ty, d.length, d.decimals, d.charset)
        };
        assert_eq!(wire(ColumnType::int()), (Wire::MYSQL_TYPE_LONG, 11, 0, 63));
        assert_eq!(wire(ColumnType::decimal(10, 2)), (Wire::MYSQL_TYPE_NEWDECIMAL, 12, 2, 63));
        assert_eq!(wire(ColumnType::varchar(20)), (Wire::MYSQL_TYPE_VAR_STRING, 80, 0, 255));
        assert_eq!(wire(ColumnType::DateTime(3)), (Wire::MYSQL_TYPE_DATETIME, 23, 3, 63));
        assert_eq!(wire(ColumnType::double()), (Wire::MYSQL_TYPE_DOUBLE, 22, 31, 63));
        assert_eq!(wire(ColumnType::varbinary(8)), (Wire::MYSQL_TYPE_VAR_STRING, 8, 0, 63));
    }

    #[test]
    fn a_dynamic_column_takes_the_type_of_its_first_cell() {
        let column = ResultColumn { name: "@a".into(), ty: ResultType::Dynamic, nullable: true, origin: None };
        let ty = |cell| describe(&column, cell, 45).ty;
        assert_eq!(ty(Some(Cell::Int(1))), Wire::MYSQL_TYPE_LONGLONG);
        assert_eq!(ty(Some(Cell::Real(1.0))), Wire::MYSQL_TYPE_DOUBLE);
        assert_eq!(ty(Some(Cell::Text(b"x"))), Wire::MYSQL_TYPE_BLOB);
        assert_eq!(ty(None), Wire::MYSQL_TYPE_BLOB);
    }
}
