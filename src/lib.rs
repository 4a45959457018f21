#![doc = "Marmot."]
pub mod core;
pub mod types;
