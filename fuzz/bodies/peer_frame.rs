//! The content of a frame from another node: an envelope in postcard. Used by the fuzz target and by
//! `tests/fuzz_corpus.rs`.

use marmot::core::message::Envelope;

/// Whatever arrives either is refused or is an envelope that survives being sent on.
pub fn run(data: &[u8]) {
    let Ok(first) = postcard::from_bytes::<Envelope>(data) else { return };
    let sent = postcard::to_stdvec(&first).expect("what was decoded can be encoded");
    let second: Envelope = postcard::from_bytes(&sent).expect("what we encode we decode");
    // Compared as bytes: a message may hold a NaN, which equals nothing.
    let again = postcard::to_stdvec(&second).expect("what was decoded can be encoded");
    assert_eq!(sent, again, "a message that is passed on stays the same");
}
