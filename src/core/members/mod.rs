//! Who is alive, who is who it was, who belongs to the cluster, and who may vote.
//!
//! SWIM tells who is alive ([`peers`]). Who came back with less than it had is no member any more ([`lives`]). Who may vote is data: a [`Membership`](super::message::Membership) with an
//! epoch, changed one node at a time by a transaction of the old list ([`change`]). A new node joins as a non-voter,
//! copies what the cluster has, by the log or by a snapshot (`replicate::adopt_snapshot`), and is then admitted ([`join`]).
//! One that is stopped for good has its vote taken first ([`leave`]). The list also says which [`version`] is spoken.
//!
//! ```text
//!  joiner ── Join ──▶ seed ── Welcome(list, vector) ──▶ joiner … catches up by sync … ── AdmitMe(vector) ──▶ voter
//!                                      voter: read barrier, then Prepare(list + joiner) to the OLD list, Accept, apply
//! ```

pub mod change;
pub mod join;
pub mod leave;
pub mod lives;
pub mod peers;
pub mod version;
