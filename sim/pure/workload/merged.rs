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

pub fn note(view: View<'_>, key: u64, column: usize, draft: &mut Draft) {
    let Some(row) = view.row(Name::Mixed, key) else { return };
    let mut data = row[DATA..].to_vec();
    data[column - DATA] = draft.marker();
    draft.update(Name::Mixed, key, row, &data);
}
