//! Single rows overwritten or counted up.

use crate::pure::files::View;
use crate::pure::tables::{DATA, Draft, Name, int};
use marmot::types::Value;

/// The value of a register is the tag of its writer.
pub fn write(view: View<'_>, key: u64, draft: &mut Draft) {
    let value = [Value::Int(i64::from(draft.tag))];
    match view.row(Name::Register, key) {
        None => draft.insert(Name::Register, key, &value),
        Some(row) => draft.update(Name::Register, key, row, &value),
    }
}

/// Reads the first number of a row and writes it one higher; the other columns stay.
pub fn add(view: View<'_>, table: Name, key: u64, draft: &mut Draft) {
    let Some(row) = view.row(table, key) else { return };
    let mut data = row[DATA..].to_vec();
    data[0] = Value::Int(int(row, DATA) + 1);
    draft.update(table, key, row, &data);
}
