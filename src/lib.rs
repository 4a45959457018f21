#![doc = "Marmot."]
pub mod core;
#[cfg(feature = "shell")]
pub mod session;
pub mod types;
