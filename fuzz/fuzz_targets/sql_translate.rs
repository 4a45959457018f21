//! What a client asks; see `bodies/sql_translate.rs`.
#![no_main]

#[path = "../bodies/sql_translate.rs"]
mod sql_translate;

libfuzzer_sys::fuzz_target!(|data: &[u8]| sql_translate::run(data));
