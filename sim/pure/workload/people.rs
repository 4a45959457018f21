//! Rows under two unique keys, one of them nullable: claimed, given up, exchanged.

use super::Plan;
use crate::pure::dice::Dice;
use crate::pure::files::View;
use crate::pure::tables::{DATA, Draft, Name};
use marmot::types::Value;

pub fn draw(keys: u64, dice: &mut Dice) -> Plan {
    let key = dice.below(keys * 2);
    match dice.below(8) {
        0 => Plan::Fire { key },
        1 => Plan::Swap { one: key, other: dice.below(keys * 2) },
        _ => {
            let handle = if dice.one_in(2) { Some(dice.below(keys) as i64) } else { None };
            Plan::Hire { key, email: dice.below(keys + 2) as i64, handle }
        }
    }
}

fn cells(email: i64, handle: Option<i64>) -> [Value; 2] {
    [Value::Int(email), handle.map_or(Value::Null, Value::Int)]
}

/// Does nothing if the snapshot shows that a value is taken, as MySQL's duplicate key error would.
pub fn hire(view: View<'_>, key: u64, email: i64, handle: Option<i64>, draft: &mut Draft) {
    let data = cells(email, handle);
    let clashes = |row: &[Value]| row[DATA] == data[0] || (row[DATA + 1] != Value::Null && row[DATA + 1] == data[1]);
    if view.rows(Name::Person).any(|(other, row)| other != key && clashes(row)) {
        return;
    }
    match view.row(Name::Person, key) {
        None => draft.insert(Name::Person, key, &data),
        Some(row) => draft.update(Name::Person, key, row, &data),
    }
}

pub fn fire(view: View<'_>, key: u64, draft: &mut Draft) {
    if let Some(row) = view.row(Name::Person, key) {
        draft.delete(Name::Person, key, row);
        draft.sign();
    }
}

pub fn swap(view: View<'_>, one: u64, other: u64, draft: &mut Draft) {
    if one == other {
        return;
    }
    if let (Some(a), Some(b)) = (view.row(Name::Person, one), view.row(Name::Person, other)) {
        let (x, y) = (a[DATA..].to_vec(), b[DATA..].to_vec());
        draft.update(Name::Person, one, a, &y);
        draft.update(Name::Person, other, b, &x);
    }
}
