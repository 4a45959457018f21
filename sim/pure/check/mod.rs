//! The checks: observers apart from what they observe, named by when they hold.
//!
//! * `anytime_*` hold at every moment: some are in [`super::files`] and [`super::history`], where rows are applied and
//!   outcomes seen, the rest in `answer`, where clients are answered.
//! * `eventually_*` hold some time after healing, `finally_*` at the end: `converge`, `merge` and `progress`.
//! * `ballots` watches the wire for what Paxos rests on.
//! * `elle` judges list-append histories by the cycles of their dependencies.

mod answer;
pub mod ballots;
mod converge;
pub mod elle;
mod merge;
mod progress;
