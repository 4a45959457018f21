//! Test support: nodes in memory, driven by golden scripts (`src/core/testscripts`), one scenario a file.

mod cluster;
mod judge;
mod script;
mod storage;

pub use storage::MemStorage;
