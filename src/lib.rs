#![doc = "Marmot."]
pub mod core;
pub mod types;
#[cfg(feature = "shell")]
pub mod sqlite;
