//! What clients do. A [`Plan`] is one logical operation; it is built anew, on a new snapshot, for every attempt.

mod bank;
mod kin;
mod list;
mod loose;
mod merged;
mod people;
mod plain;

pub use loose::Loosening;

use super::dice::Dice;
use super::files::View;
use super::history::Violation;
use super::options::Options;
use super::tables::{Draft, Name};
use marmot::types::{AutoIdMode, RowImage, Value, WriteLevel};

/// A family of plans that fight over the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    Bank,
    Register,
    List,
    Unique,
    Counter,
    AutoIncrement,
    Schema,
    Mixed,
    Kin,
    /// UNIQUE keys written with ONE, and some of the same rows with QUORUM.
    Loose,
}

impl Family {
    /// What seeds are made of.
    pub const ALL: &'static [Family] = &[
        Family::Bank,
        Family::Register,
        Family::List,
        Family::Unique,
        Family::Counter,
        Family::AutoIncrement,
        Family::Schema,
        Family::Mixed,
        Family::Kin,
        Family::Loose,
    ];

    /// The family named so, in any case.
    pub fn named(name: &str) -> Option<Family> {
        Family::ALL.iter().copied().find(|f| format!("{f:?}").eq_ignore_ascii_case(name))
    }
}

/// One logical operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Move money between two accounts.
    Transfer { from: u64, to: u64, amount: i64 },
    /// Add up all accounts.
    Audit,
    /// Overwrite a register.
    Write { key: u64 },
    /// Read a register.
    Read { key: u64 },
    /// Append to these lists, twice to the first if `twice`, after reading `look` too.
    Append { lists: Vec<u64>, look: Vec<u64>, twice: bool },
    /// Read these lists.
    Look { lists: Vec<u64> },
    /// Give a person these unique values, inserting or updating as needed.
    Hire { key: u64, email: i64, handle: Option<i64> },
    /// Delete a person.
    Fire { key: u64 },
    /// Exchange the unique values of two people.
    Swap { one: u64, other: u64 },
    /// Add one to a counter.
    Increment { key: u64 },
    /// Insert rows under fresh ids.
    Insert { mode: AutoIdMode, count: u32 },
    /// Change the schema.
    Alter,
    /// Set one cell of a row with ONE.
    Note { key: u64, column: usize },
    /// Add one to the count of a row that others change with ONE.
    Bump { key: u64 },
    /// Insert, update or delete under unique keys, mostly with ONE.
    Loosen { key: u64, what: Loosening, level: WriteLevel },
    /// Insert a child of this parent, if there is one.
    Bear { child: u64, parent: u64 },
    /// Delete a child.
    Bury { child: u64 },
    /// Insert a parent.
    Found { parent: u64 },
    /// Delete a parent, if it has no children.
    Dissolve { parent: u64 },
}

impl Plan {
    /// The next operation of a client of `family`.
    pub fn draw(family: Family, options: &Options, dice: &mut Dice) -> Plan {
        let keys = options.keys;
        match family {
            Family::Bank => bank::draw(keys, dice),
            Family::Register => match dice.below(3) {
                0 => Plan::Read { key: dice.below(keys) },
                _ => Plan::Write { key: dice.below(keys) },
            },
            Family::List => list::draw(keys, dice),
            Family::Unique => people::draw(keys, dice),
            Family::Counter => Plan::Increment { key: dice.below(keys) },
            Family::AutoIncrement => {
                let mode = if dice.one_in(3) { AutoIdMode::Extended } else { AutoIdMode::Compact };
                Plan::Insert { mode, count: dice.between(1, 5) as u32 }
            }
            Family::Schema => match dice.below(6) {
                0 => Plan::Alter,
                1 => bank::draw(keys, dice),
                _ => Plan::Write { key: dice.below(keys) },
            },
            Family::Mixed => merged::draw(keys, dice),
            Family::Loose => loose::draw(keys, dice),
            Family::Kin => kin::draw(keys, dice),
        }
    }

    pub fn level(&self) -> WriteLevel {
        match self {
            Plan::Note { .. } => WriteLevel::One,
            Plan::Loosen { level, .. } => *level,
            _ => WriteLevel::Quorum,
        }
    }

    /// Executes the plan on a snapshot. An empty draft afterwards: there was nothing to change.
    pub fn build(&self, view: View<'_>, ids: &[u64], draft: &mut Draft) -> Result<(), Violation> {
        match self {
            Plan::Transfer { from, to, amount } => {
                bank::audit(view)?;
                bank::transfer(view, (*from, *to), *amount, draft);
            }
            Plan::Audit => bank::audit(view)?,
            Plan::Write { key } => plain::write(view, *key, draft),
            Plan::Read { .. } => (),
            Plan::Append { lists, look, twice } => list::append(view, lists, look, *twice, draft),
            Plan::Look { lists } => list::look(view, lists, draft),
            Plan::Hire { key, email, handle } => people::hire(view, *key, *email, *handle, draft),
            Plan::Fire { key } => people::fire(view, *key, draft),
            Plan::Swap { one, other } => people::swap(view, *one, *other, draft),
            Plan::Increment { key } => plain::add(view, Name::Counter, *key, draft),
            Plan::Insert { .. } => {
                ids.iter().for_each(|id| draft.insert(Name::Auto, *id, &[Value::Int(1)]));
            }
            Plan::Alter => (),
            Plan::Note { key, column } => merged::note(view, *key, *column, draft),
            Plan::Bump { key } => plain::add(view, Name::Mixed, *key, draft),
            Plan::Loosen { key, what, .. } => loose::loosen(view, *key, what, draft),
            Plan::Bear { child, parent } => kin::bear(view, *child, *parent, draft),
            Plan::Bury { child } => kin::bury(view, *child, draft),
            Plan::Found { parent } => kin::found(view, *parent, draft),
            Plan::Dissolve { parent } => kin::dissolve(view, *parent, draft),
        }
        Ok(())
    }
}

/// The rows every database starts with.
pub fn first_rows(options: &Options) -> Vec<(Name, RowImage)> {
    let mut rows = Vec::new();
    let setup = Draft::new(0, 0);
    for key in 0..options.keys {
        rows.push((Name::Bank, setup.image(key, &[Value::Int(bank::OPENING)])));
        rows.push((Name::Register, setup.image(key, &[Value::Int(0)])));
        rows.push((Name::Counter, setup.image(key, &[Value::Int(0)])));
        rows.push((Name::Parent, setup.image(key, &[])));
        rows.push((Name::Mixed, setup.image(key, &[Value::Int(0), Value::Null, Value::Null])));
    }
    rows
}
