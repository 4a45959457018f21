#![doc = "Marmot."]
pub mod core;
pub mod mysql;
#[cfg(feature = "shell")]
pub mod session;
pub mod types;
