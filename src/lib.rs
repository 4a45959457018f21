#![doc = "Marmot."]
pub mod core;
pub mod types;
pub mod sql;
