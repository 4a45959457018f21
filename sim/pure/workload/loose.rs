//! Unique values under ONE. Which of two rows lives must not depend on the order of arrival, also when one of them is
//! renamed, changed elsewhere, deleted or written with QUORUM concurrently (DESIGN rule 25).

use super::Plan;
use crate::pure::dice::Dice;
use crate::pure::files::View;
use crate::pure::tables::{DATA, Draft, Name};
use marmot::types::{Value, WriteLevel};

/// What becomes of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loosening {
    Delete,
    /// Only a column that is in no unique index.
    Touch,
    /// These unique values, inserting the row if need be.
    Rename {
        email: Option<i64>,
        handle: Option<i64>,
    },
    /// Its unique values change places with another row's.
    Swap {
        other: u64,
    },
}

pub fn draw(keys: u64, dice: &mut Dice) -> Plan {
    let mut value = |unlikely: u64| (!dice.one_in(unlikely)).then(|| dice.below(keys / 2 + 1) as i64);
    let (email, handle) = (value(6), value(2));
    let what = match dice.below(8) {
        0 | 1 => Loosening::Delete,
        2 => Loosening::Touch,
        3 => Loosening::Swap { other: dice.below(keys) },
        _ => Loosening::Rename { email, handle },
    };
    let level = if dice.one_in(5) { WriteLevel::Quorum } else { WriteLevel::One };
    Plan::Loosen { key: dice.below(keys), what, level }
}

fn cell(value: Option<i64>) -> Value {
    value.map_or(Value::Null, Value::Int)
}

/// Does nothing if the snapshot shows that a value is taken, as MySQL's duplicate key error would.
pub fn loosen(view: View<'_>, key: u64, what: &Loosening, draft: &mut Draft) {
    let row = view.row(Name::Loose, key);
    match (what, row) {
        (Loosening::Delete, Some(row)) => {
            draft.delete(Name::Loose, key, row);
            draft.sign();
        }
        (Loosening::Touch, Some(row)) => {
            let data = [row[DATA].clone(), row[DATA + 1].clone(), draft.marker()];
            draft.update(Name::Loose, key, row, &data);
        }
        (Loosening::Rename { email, handle }, row) => {
            let data = [cell(*email), cell(*handle), draft.marker()];
            let meets = |theirs: &Value, ours: &Value| *ours != Value::Null && theirs == ours;
            let clashes = |r: &[Value]| meets(&r[DATA], &data[0]) || meets(&r[DATA + 1], &data[1]);
            if view.rows(Name::Loose).any(|(k, r)| k != key && clashes(r)) {
                return;
            }
            match row {
                None => draft.insert(Name::Loose, key, &data),
                Some(row) => draft.update(Name::Loose, key, row, &data),
            }
        }
        (Loosening::Swap { other }, Some(row)) if *other != key => {
            let Some(theirs) = view.row(Name::Loose, *other) else { return };
            let data = |from: &[Value], draft: &Draft| [from[DATA].clone(), from[DATA + 1].clone(), draft.marker()];
            let (mine, yours) = (data(theirs, draft), data(row, draft));
            draft.update(Name::Loose, key, row, &mine);
            draft.update(Name::Loose, *other, theirs, &yours);
        }
        (Loosening::Delete | Loosening::Touch | Loosening::Swap { .. }, _) => {}
    }
}
