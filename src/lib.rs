#![doc = "Marmot."]
pub mod core;
pub mod mysql;
pub mod types;
