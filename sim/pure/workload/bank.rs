//! Accounts whose sum never changes, as every snapshot on every node must show.

use super::Plan;
use crate::pure::dice::Dice;
use crate::pure::files::View;
use crate::pure::history::Violation;
use crate::pure::tables::{DATA, Draft, Name, int};
use marmot::types::Value;

/// What every account starts with.
pub const OPENING: i64 = 100;

pub fn draw(keys: u64, dice: &mut Dice) -> Plan {
    if dice.one_in(4) {
        return Plan::Audit;
    }
    let from = dice.below(keys);
    let to = (from + 1 + dice.below(keys - 1)) % keys;
    Plan::Transfer { from, to, amount: dice.between(1, 30) as i64 }
}

pub fn transfer(view: View<'_>, (from, to): (u64, u64), amount: i64, draft: &mut Draft) {
    let (Some(payer), Some(payee)) = (view.row(Name::Bank, from), view.row(Name::Bank, to)) else { return };
    let left = int(payer, DATA) - amount;
    if left < 0 {
        return;
    }
    draft.update(Name::Bank, from, payer, &[Value::Int(left)]);
    draft.update(Name::Bank, to, payee, &[Value::Int(int(payee, DATA) + amount)]);
}

pub fn audit(view: View<'_>) -> Result<(), Violation> {
    let (mut accounts, mut sum) = (0, 0);
    for (_, row) in view.rows(Name::Bank) {
        accounts += 1;
        sum += int(row, DATA);
    }
    if sum == accounts * OPENING {
        return Ok(());
    }
    let text = format!("{accounts} accounts hold {sum} instead of {}", accounts * OPENING);
    Err(Violation::correctness("anytime_the_sum_of_accounts_stands", text))
}
