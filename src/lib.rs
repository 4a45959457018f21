#![doc = "Marmot."]
#[cfg(feature = "shell")]
pub mod config;
pub mod core;
#[cfg(feature = "shell")]
pub mod daemon;
pub mod types;
