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
//! The result is a function of the *set* of writes, not of their order: `dead_at` is the highest delete, a column's
//! value is that of the highest write to it above `dead_at` (an insert writes every column), and where a delete is
//! known, columns nobody wrote since come from the image of the highest write. Each unique value is a register of its
//! own: the highest claim or release owns it, and a row lives while it owns the register of each of its values.
//!
//! States at or below the watermark are dropped: everything there is applied everywhere and nothing can still commit
//! below it.

mod discarded;
mod image;
mod keys;
mod row;
mod state;
mod unique;

pub use keys::KeyStates;
pub use row::merge;
