//! Versions of keys, and the merge of writes that did not know of one another.
//!
//! Every key above the *dropped horizon* has a `KeyState`: the stamp of its last write, the stamp of its last QUORUM
//! commit, who read it, and for rows what a merge needs. A transaction validated by a quorum never meets a newer write
//! and is applied as it is; a ONE write may arrive late or early, and is merged:
//!
//! ```text
//!           delete 10          update(a) 12          update(b) 15
//!   row  ──────┼────────────────────┼─────────────────────┼──────▶ stamps
//!          dead_at=10          a ← 12's value        b ← 15's value     other columns ← image of 15 (`top`)
//! ```
//!
//! # Rows
//!
//! The merged row is a function of the *set* of writes, not of their order. `dead_at` is the highest delete; writes
//! below it count no more. The row lives while an insert or an update is above `dead_at`. A column's value is that of
//! the highest write to it above `dead_at` (an insert writes every column); where an update alone outlives a delete,
//! columns that nobody wrote since come from the image of the highest write (`top`), whose writer saw the row whole.
//! Columns of one unique index are written together, so the row's value in each unique index is one that somebody wrote.
//!
//! # Unique values
//!
//! Each unique value is a register: its owner is the row with the highest *claim*. A write claims the values it puts
//! into columns it changes; an update that leaves a value alone claims nothing. Claims are never withdrawn: a release
//! says only that the writer's row has gone elsewhere, and whoever takes the value knowingly has a higher stamp anyway.
//! A living row is *visible*, that is in the file, while no other row owns one of its merged values; else it is
//! *hidden*. From that:
//!
//! * Row A loses `u1` to B: A is hidden. What becomes of B later changes nothing: if B loses `u2` to C, or moves on, or is
//!   deleted, A stays hidden, and the value is free for the next claim. So a write to one row never brings back another.
//! * A hidden row comes back, whole, when a write to itself gives it values it owns: a higher claim, another value, a
//!   NULL. Whoever saw it hidden inserts it anew.
//! * Only the owner before can lose when a higher claim arrives, so one look finds who must give way.
//! * A claim that lost its column in the merged row (another write renamed the row) still owns its register: a lower
//!   claim of another row loses to it although nobody holds the value. That is the price of never withdrawing.
//! * An update that revives a deleted row brings back the values it kept. They are not claimed again: whoever claimed
//!   one after the delete keeps it, and the revived row is hidden. The register remembers who gave a value up, so that
//!   it also works when the claim comes last.
//!
//! QUORUM writes take part like others. They are validated, so they meet a newer claim only if it is a ONE write that
//! the quorum did not hold.
//!
//! # What is forgotten
//!
//! States at or below the *settled* horizon (`replicate/progress`) are dropped: every write that does not know what lies
//! there is applied, and every write that does not know one of those. A hidden row's state stays as long as the claim
//! that hid it. A restart replays the log from the horizon on, and so comes to the same states; states that do not fit in
//! memory are spilled whole.
//!
//! While a voter is away nothing sinks below the horizon, for a ONE write of that voter, made before everything that others
//! did since, may still come: a deleted row must not come back by it, nor an old value win. So states stay, one a key
//! that was written meanwhile; but of the records they were made of only what they rest on (`remnant`).
//!
//! # What is discarded
//!
//! Where two writes did not know of one another and one takes a column, the row or a unique value from the other, the
//! loser goes to the conflict log (`replicate/conflicts`).

mod discarded;
mod image;
mod keys;
mod readers;
mod remnant;
mod row;
mod state;
#[cfg(test)]
mod tests;
mod unique;

pub use keys::KeyStates;
pub use remnant::remnant;
pub use row::merge;
pub use unique::hide_again;
