#![doc = "Marmot."]
pub mod core;
pub mod mysql;
#[cfg(feature = "shell")]
pub mod session;
#[cfg(feature = "shell")]
pub mod shell;
pub mod types;
