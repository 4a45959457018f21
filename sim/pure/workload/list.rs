//! Lists that only grow: their contents tell the order of everything (see `check/elle.rs`).

use super::Plan;
use crate::pure::dice::Dice;
use crate::pure::files::View;
use crate::pure::tables::{Draft, Name, list, list_cell};

pub fn draw(keys: u64, dice: &mut Dice) -> Plan {
    let mut some = |most: u64| {
        let mut lists: Vec<u64> = (0..dice.between(1, most)).map(|_| dice.below(keys)).collect();
        lists.sort_unstable();
        lists.dedup();
        lists
    };
    let (lists, look) = (some(3), some(2));
    match dice.below(3) {
        0 => Plan::Look { lists },
        _ => Plan::Append { lists, look, twice: dice.one_in(6) },
    }
}

/// Elements are twice the tag, and one more for the second append to one list.
pub fn append(view: View<'_>, lists: &[u64], looks: &[u64], twice: bool, draft: &mut Draft) {
    look(view, looks, draft);
    for (i, key) in lists.iter().enumerate() {
        let row = view.row(Name::List, *key);
        let mut elements = row.map_or(Vec::new(), |r| list(r));
        if !looks.contains(key) {
            draft.reads.push((*key, elements.clone()));
        }
        let count = if twice && i == 0 { 2 } else { 1 };
        for n in 0..count {
            elements.push(draft.tag * 2 + n);
            draft.appends.push((*key, draft.tag * 2 + n));
        }
        match row {
            None => draft.insert(Name::List, *key, &[list_cell(&elements)]),
            Some(row) => draft.update(Name::List, *key, row, &[list_cell(&elements)]),
        }
    }
}

pub fn look(view: View<'_>, lists: &[u64], draft: &mut Draft) {
    for key in lists {
        let elements = view.row(Name::List, *key).map_or(Vec::new(), |r| list(r));
        draft.reads.push((*key, elements));
    }
}
