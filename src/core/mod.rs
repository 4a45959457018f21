//! The pure state machine: everything a node decides.

mod barrier;
mod config;
mod effect;
mod fault;
mod hlc;
mod ids;
mod input;
mod log;
mod members;
mod merge;
pub mod message;
mod node;
mod open;
mod planted;
mod replicate;
mod status;
mod storage;
mod swim;
#[cfg(test)]
pub mod testkit;
mod txn;
mod wall;

pub use config::{Config, Timing};
pub use effect::{Address, ApplyTask, Destination, Effect, Effects, Eviction, Notice, Published, Response};
pub use fault::{Fatal, PeerFault, Refusal};
pub use input::{Input, MemberChange, Request};
pub use members::change::{has_membership, members_of};
pub use node::Node;
pub use open::{OpenState, OpenTransaction};
pub use planted::{Bug, Planted};
pub use replicate::{
    ConflictRow, Legacy, LoggedConflict, OlderThanItself, Settling, Unfit, adopt_snapshot, found, renew,
};
pub use status::{Ended, NodeStatus, PeerState, PeerStatus};
pub use storage::{Storage, Table, decode, encode, load, save};
pub use txn::coordinator::Phase;
