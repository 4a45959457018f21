//! What a MySQL client sends; see `bodies/mysql_packet.rs`.
#![no_main]

#[path = "../bodies/mysql_packet.rs"]
mod mysql_packet;

libfuzzer_sys::fuzz_target!(|data: &[u8]| mysql_packet::run(data));
