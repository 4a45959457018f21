#![doc = "Marmot."]
pub mod core;
pub mod sql;
pub mod types;
