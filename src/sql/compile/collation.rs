//! Character sets and collations as DDL names them.

use crate::sql::catalog::Collation;
use crate::sql::column_type::{BinaryKind, ColumnType, TextKind};
use crate::sql::definition::TypeDefinition;
use crate::sql::error::{Error, Warning};
use crate::sql::modes::Modes;

/// What `CHARACTER SET` and `COLLATE` mean together; `None` if neither is given.
///
/// # Errors
/// 1115, 1273 for unknown names, 1253 if they do not fit.
pub fn resolve_collation(charset: Option<&str>, collation: Option<&str>) -> Result<Option<Collation>, Error> {
    let by_charset = match charset {
        Some(name) if !name.eq_ignore_ascii_case("DEFAULT") => {
            Some(Collation::default_of(name).ok_or_else(|| Error::unknown_charset(name))?)
        }
        _ => None,
    };
    let by_name = match collation {
        Some(name) if !name.eq_ignore_ascii_case("DEFAULT") => {
            Some(Collation::new(name).ok_or_else(|| Error::unknown_collation(name))?)
        }
        _ => None,
    };
    match (by_charset, by_name) {
        (Some(charset), Some(collation)) if charset.charset() != collation.charset() => {
            Err(Error::collation_charset_mismatch(collation.name(), charset.charset()))
        }
        (charset, collation) => Ok(collation.or(charset)),
    }
}

/// A column's type with its collation, inherited from the table where it has none of its own.
///
/// # Errors
/// 1074 for a string that is longer than a row, 1291 for a value that an ENUM or SET has twice: where `sql_mode` is not
/// strict, such a string becomes a TEXT or BLOB, and the value is kept, with a note. 1097, 1367 for what no SET holds.
pub fn resolve_type(
    definition: &TypeDefinition,
    table: &Collation,
    column: &str,
    modes: Modes,
    warnings: &mut Vec<Warning>,
) -> Result<ColumnType, Error> {
    let own = resolve_collation(definition.charset.as_deref(), definition.collation.as_deref())?;
    let mut collation = own.unwrap_or_else(|| table.clone());
    if definition.binary {
        let name = format!("{}_bin", collation.charset());
        collation = Collation::new(&name).ok_or_else(|| Error::unknown_collation(name))?;
    }
    let mut ty = definition.ty.clone();
    match &mut ty {
        // CHARACTER SET binary makes binary strings.
        ColumnType::Text { kind, length, .. } if collation.name() == "binary" => {
            let kind = match kind {
                TextKind::Char => BinaryKind::Binary,
                TextKind::VarChar => BinaryKind::VarBinary,
                TextKind::TinyText => BinaryKind::TinyBlob,
                TextKind::Text => BinaryKind::Blob,
                TextKind::MediumText => BinaryKind::MediumBlob,
                TextKind::LongText => BinaryKind::LongBlob,
            };
            let ty = ColumnType::Binary { kind, length: *length };
            return fitting(ty, column, modes, warnings);
        }
        ColumnType::Binary { .. } => return fitting(ty, column, modes, warnings),
        ColumnType::Text { kind: TextKind::VarChar, length, .. } => {
            let per_character = match collation.charset() {
                "utf8mb4" | "utf16" | "utf32" => 4,
                "utf8mb3" => 3,
                _ => 1,
            };
            let most = LONGEST / per_character;
            if *length > most {
                if modes.strict() {
                    return Err(Error::column_too_long(column, most));
                }
                let kind = match u64::from(*length) * u64::from(per_character) {
                    ..=16_777_215 => TextKind::MediumText,
                    _ => TextKind::LongText,
                };
                warnings.push(Warning::note(Error::converted_column(column, "VARCHAR", "TEXT")));
                ty = ColumnType::Text { kind, length: 0, collation: collation.clone() };
            }
        }
        ColumnType::Enum { values, .. } | ColumnType::Set { values, .. } => {
            if let (ColumnType::Set { .. }, Some(value)) = (&definition.ty, values.iter().find(|v| v.contains(','))) {
                return Err(Error::illegal_set_value(value));
            }
            let kind = if matches!(definition.ty, ColumnType::Set { .. }) { "SET" } else { "ENUM" };
            let folded = |v: &String| if collation.ignores_case() { v.to_lowercase() } else { v.clone() };
            for (i, value) in values.iter().enumerate() {
                if values[..i].iter().any(|v| folded(v) == folded(value)) {
                    let error = Error::duplicate_set_value(column, value, kind);
                    if modes.strict() {
                        return Err(error);
                    }
                    warnings.push(Warning::note(error));
                }
            }
            if kind == "SET" && values.len() > 64 {
                return Err(Error::too_many_strings(column, kind));
            }
        }
        _ => {}
    }
    if let ColumnType::Text { collation: own, .. }
    | ColumnType::Enum { collation: own, .. }
    | ColumnType::Set { collation: own, .. } = &mut ty
    {
        *own = collation;
    }
    Ok(ty)
}

/// The longest string of a row, in bytes.
const LONGEST: u32 = 65_535;

/// A binary string that fits into a row.
fn fitting(ty: ColumnType, column: &str, modes: Modes, warnings: &mut Vec<Warning>) -> Result<ColumnType, Error> {
    match ty {
        ColumnType::Binary { kind: BinaryKind::VarBinary, length } if length > LONGEST => {
            if modes.strict() {
                return Err(Error::column_too_long(column, LONGEST));
            }
            warnings.push(Warning::note(Error::converted_column(column, "VARBINARY", "BLOB")));
            let kind = if length < 1 << 24 { BinaryKind::MediumBlob } else { BinaryKind::LongBlob };
            Ok(ColumnType::Binary { kind, length: 0 })
        }
        ty => Ok(ty),
    }
}

/// Gives a character column another collation.
pub fn with_collation(ty: &mut ColumnType, new: &Collation) {
    if let ColumnType::Text { collation, .. } | ColumnType::Enum { collation, .. } | ColumnType::Set { collation, .. } =
        ty
    {
        *collation = new.clone();
    }
}
