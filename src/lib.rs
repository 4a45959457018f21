#![doc = "Marmot."]
pub mod core;
#[cfg(feature = "shell")]
pub mod sqlite;
pub mod types;
