//! What a simulated network does to messages between nodes, beside what it does to their connections: streams hide loss
//! and repetition, and yet the protocol promises to survive both. A daemon has no such thing.

use crate::core::Address;

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    Lost,
    Doubled,
    /// It arrives after the next message to the same address.
    Late,
}

/// Decides about messages and bytes that leave a node. Called from the driver's and the links' tasks.
pub trait Interference: Send + Sync {
    /// What becomes of a message to `address`.
    fn fate(&self, address: &Address) -> Fate;

    /// May alter the bytes of frames about to be written to `address`: the listener must notice.
    fn alter(&self, address: &Address, frames: &mut [u8]);
}
