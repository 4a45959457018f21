//! Rows changed with ONE: cells merged by column, rows deleted and inserted again, unique values fought over.

use super::Plan;
use crate::pure::dice::Dice;
use crate::pure::files::View;
use crate::pure::tables::{DATA, Draft, Name};
use marmot::types::Value;

pub fn draw(keys: u64, dice: &mut Dice) -> Plan {
    let key = dice.below(keys);
    match dice.below(2) {
        0 => Plan::Note { key, column: DATA + 1 + dice.index(2) },
        _ => Plan::Bump { key },
    }
}

/// Unique values under ONE. Which of two rows lives must not depend on the order of arrival, also when one of them is
/// renamed or deleted concurrently (DESIGN rule 25).
pub fn draw_loose(keys: u64, dice: &mut Dice) -> Plan {
    let email = (!dice.one_in(4)).then(|| dice.below(keys / 2 + 1) as i64);
    Plan::Loosen { key: dice.below(keys), email }
}

pub fn note(view: View<'_>, key: u64, column: usize, draft: &mut Draft) {
    let Some(row) = view.row(Name::Mixed, key) else { return };
    let mut data = row[DATA..].to_vec();
    data[column - DATA] = draft.marker();
    draft.update(Name::Mixed, key, row, &data);
}

/// `email` none: delete.
pub fn loosen(view: View<'_>, key: u64, email: Option<i64>, draft: &mut Draft) {
    let row = view.row(Name::Loose, key);
    match (row, email) {
        (None, None) => (),
        (Some(row), None) => {
            draft.delete(Name::Loose, key, row);
            draft.sign();
        }
        (row, Some(email)) => {
            let taken = view.rows(Name::Loose).any(|(k, r)| k != key && r[DATA] == Value::Int(email));
            if taken {
                return;
            }
            let data = [Value::Int(email), draft.marker()];
            match row {
                None => draft.insert(Name::Loose, key, &data),
                Some(row) => draft.update(Name::Loose, key, row, &data),
            }
        }
    }
}
