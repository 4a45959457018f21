//! The pure state machine: everything a node decides.

mod config;
mod effect;
mod fault;
mod input;
pub mod message;
mod planted;
mod status;
mod storage;

pub use config::{Config, Timing};
pub use effect::{Address, ApplyTask, Destination, Effect, Effects, Eviction, Notice, Published, Response};
pub use fault::{Fatal, PeerFault, Refusal};
pub use input::{Input, MemberChange, Request};
pub use planted::{Bug, Planted};
pub use status::{NodeStatus, PeerState, PeerStatus};
pub use storage::{Storage, Table, decode, encode, load, save};
