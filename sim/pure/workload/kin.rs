//! Parents and children under a foreign key: a child holds its parent in `Read`, a parent goes only without children.

use super::Plan;
use crate::pure::dice::Dice;
use crate::pure::files::View;
use crate::pure::tables::{DATA, Draft, Name, int};
use marmot::types::Value;

pub fn draw(keys: u64, dice: &mut Dice) -> Plan {
    let (parent, child) = (dice.below(keys), dice.below(keys * 2));
    match dice.below(8) {
        0 => Plan::Found { parent },
        1 | 2 => Plan::Dissolve { parent },
        3 | 4 => Plan::Bury { child },
        _ => Plan::Bear { child, parent },
    }
}

pub fn bear(view: View<'_>, child: u64, parent: u64, draft: &mut Draft) {
    if view.row(Name::Parent, parent).is_none() || view.row(Name::Child, child).is_some() {
        return;
    }
    draft.insert(Name::Child, child, &[Value::Int(parent as i64)]);
    draft.hold(Name::Parent, parent);
}

pub fn bury(view: View<'_>, child: u64, draft: &mut Draft) {
    if let Some(row) = view.row(Name::Child, child) {
        draft.delete(Name::Child, child, row);
        draft.sign();
    }
}

pub fn found(view: View<'_>, parent: u64, draft: &mut Draft) {
    if view.row(Name::Parent, parent).is_none() {
        draft.insert(Name::Parent, parent, &[]);
    }
}

pub fn dissolve(view: View<'_>, parent: u64, draft: &mut Draft) {
    let Some(row) = view.row(Name::Parent, parent) else { return };
    if view.rows(Name::Child).any(|(_, child)| int(child, DATA) as u64 == parent) {
        return;
    }
    draft.delete(Name::Parent, parent, row);
    draft.sign();
}
