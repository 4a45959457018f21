//! The commit protocol: Percolator-style intents, one Paxos decision per transaction, no leader.
//!
//! ```text
//!  client      coordinator                 participant B            participant C
//!    │ commit ───▶│ judge against own state    │                        │
//!    │            │── Prepare(record, bases) ─▶│ conflict? stale? epoch?│
//!    │            │── Prepare ────────────────────────────────────────▶ │
//!    │            │  record + intents durable  │ durable                │ durable
//!    │            │◀─────────── Prepared(clock)│                        │
//!    │            │  quorum: stamp > all clocks heard                   │
//!    │            │── Accept(ballot 0, Commit(stamp)) ─▶│               │
//!    │            │◀──────────────── Accepted ─│        (slow: not waited for)
//!    │            │  a quorum accepted: THIS is the commit              │
//!    │            │  scheduled, applied here   │                        │
//!    │◀─ ok ──────│── Decided ────────────────▶│── Decided ────────────▶│ applied
//! ```
//!
//! *Precedence* (wait-die): a Prepare that meets an **older** holder is refused and its coordinator gives way at once; one
//! that meets only **younger** holders waits at the participant. So waiting is always for younger transactions, which
//! never wait themselves: no deadlock. The begin stamp survives retries, so everyone becomes the oldest in time.
//!
//! *One round*: while all voters answer, they accept Commit along with the Prepare, and the second round is not needed
//! ([`fast`]).
//!
//! *Recovery*: a holder that hears nothing asks the coordinator, then runs a higher ballot ([`recover`]). No timeout
//! ever decides an outcome.
//!
//! A schema change takes its intents first (`LockSchema`), runs a read barrier, lets the session execute, and then
//! prepares the same transaction again with its write set ([`coordinator`]). Transactions that were sent back because a
//! schema changed under them come before younger changes of it, for a moment: a member that keeps their turn refuses the
//! lock ([`live`]), and the coordinator of a lock hears all voters that are alive.

pub mod coordinator;
mod decide;
pub(crate) mod fast;
pub mod live;
mod one;
mod participant;
pub mod recover;
mod schema;
