//! What another node sends; see `bodies/peer_frame.rs`.
#![no_main]

#[path = "../bodies/peer_frame.rs"]
mod peer_frame;

libfuzzer_sys::fuzz_target!(|data: &[u8]| peer_frame::run(data));
