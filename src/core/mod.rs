//! The pure state machine: everything a node decides.

mod effect;
mod fault;
mod input;
pub mod message;
mod status;
mod storage;

pub use effect::{Address, ApplyTask, Destination, Effect, Effects, Eviction, Notice, Published, Response};
pub use fault::{Fatal, PeerFault, Refusal};
pub use input::{Input, MemberChange, Request};
pub use status::{NodeStatus, PeerState, PeerStatus};
pub use storage::{Storage, Table, decode, encode, load, save};
