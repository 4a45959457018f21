//! Frames between nodes: versioned, length-limited, authenticated by the cluster secret.
//!
//! ```text
//!  dialer                                   listener
//!    │── hello_d: MAGIC newest oldest nonce ──▶│
//!    │◀─ hello_l: the same, proof_l ───────────│   proof_l = HMAC(secret, "listener" hello_d hello_l)
//!    │── proof_d ─────────────────────────────▶│   proof_d = HMAC(secret, "dialer" hello_d hello_l)
//!    │── frame 0, frame 1, … ─────────────────▶│   key     = HMAC(secret, "frames" hello_d hello_l)
//!
//!  frame:  length u32 LE │ tag 16 bytes │ postcard(Header) postcard(Message) …      tag = HMAC(key, counter payload), cut
//! ```
//!
//! Each side says which versions it understands. If there is none in common, both say so in their logs and hang up. A node
//! of a cluster understands nothing older than what its cluster speaks, see `core::members::version`: so none that is too old
//! gets in. Versions up to 5 had one byte; it was where `newest` is, and is refused by number.
//!
//! A frame carries what a node has to say to another after a round: one tag, one write.
//! A connection carries messages one way, from the dialer; answers travel on the other node's own connection. One that
//! is for copying a snapshot says so by its magic, and carries questions one way and answers the other (`snapshot`), with
//! a key for each. The counter in the tag makes a replayed, dropped or reordered frame fail. A node without the secret
//! learns nothing but that something speaks this protocol. Nothing is encrypted here.

use crate::core::Address;
use crate::core::message::{Envelope, Message};
use crate::sqlite::{HostBug, HostPlanted};
use crate::types::{Hlc, NodeId, Versions};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

const MAGIC: &[u8; 4] = b"MRMT";
const COPY_MAGIC: &[u8; 4] = b"MRMC";
const TAG: usize = 16;
/// Length and tag.
pub const HEADER: usize = 4 + TAG;
pub const NONCE: usize = 32;
pub const PROOF: usize = 32;
/// Bytes of the dialer's first message.
pub const DIALER_HELLO: usize = START + 1 + NONCE;
/// Bytes of it that were the same in every version: the magic and the newest version.
pub const START: usize = 4 + 1;
/// Bytes of the listener's answer.
pub const LISTENER_HELLO: usize = DIALER_HELLO + PROOF;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What a node has to say.
    Messages,
    /// Copying a snapshot.
    Copy,
}

/// Why a connection between nodes was cut. Never the whole process's problem.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("the other side does not speak Marmot's cluster protocol")]
    NotMarmot,
    #[error(
        "the other side understands {theirs} of the cluster protocol, this node {ours}: upgrade the older one, release by \
         release"
    )]
    Version { theirs: Versions, ours: Versions },
    #[error("the other side does not know the cluster secret")]
    WrongSecret,
    #[error("the other side hung up in the middle of the handshake: it may have another cluster secret")]
    HungUp,
    #[error("a frame of {size} bytes exceeds the limit of {limit}")]
    TooLarge { size: usize, limit: usize },
    #[error("a frame was altered, replayed, dropped or reordered")]
    BadTag,
    #[error("a frame's content is malformed: {0}")]
    Malformed(#[from] postcard::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The shared secret as key material.
#[derive(Clone)]
pub struct ClusterKey {
    secret: Vec<u8>,
    planted: HostPlanted,
}

impl ClusterKey {
    pub fn new(secret: &[u8]) -> ClusterKey {
        ClusterKey { secret: secret.to_vec(), planted: HostPlanted::none() }
    }

    /// The same key with a rule broken, for the proof that it is seen.
    pub fn plant(self, planted: HostPlanted) -> ClusterKey {
        ClusterKey { planted, ..self }
    }

    fn mac(&self, purpose: &[u8], dialer: &Hello, listener: &Hello) -> Hmac<Sha256> {
        let mut mac = keyed(&self.secret);
        mac.update(purpose);
        mac.update(&dialer.encode());
        mac.update(&listener.encode());
        mac
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// What both sides know after exchanging hellos.
pub struct Session {
    key: ClusterKey,
    dialer: Hello,
    listener: Hello,
}

impl Session {
    pub fn new(key: ClusterKey, dialer: Hello, listener: Hello) -> Session {
        Session { key, dialer, listener }
    }
    pub fn dialer_proof(&self) -> [u8; PROOF] {
        self.key.mac(b"dialer", &self.dialer, &self.listener).finalize().into_bytes().into()
    }
    pub fn listener_proof(&self) -> [u8; PROOF] {
        self.key.mac(b"listener", &self.dialer, &self.listener).finalize().into_bytes().into()
    }
    pub fn verify_dialer(&self, proof: &[u8]) -> Result<(), FrameError> {
        let mac = self.key.mac(b"dialer", &self.dialer, &self.listener);
        mac.verify_slice(proof).map_err(|_| FrameError::WrongSecret)
    }
    pub fn verify_listener(&self, proof: &[u8]) -> Result<(), FrameError> {
        let mac = self.key.mac(b"listener", &self.dialer, &self.listener);
        mac.verify_slice(proof).map_err(|_| FrameError::WrongSecret)
    }
    /// The key of this connection's frames.
    pub fn frames(&self) -> FrameKey {
        self.frame_key(b"frames")
    }
    /// The key of the frames that the listener sends, on a connection for copying.
    pub fn answers(&self) -> FrameKey {
        self.frame_key(b"answers")
    }
    fn frame_key(&self, purpose: &[u8]) -> FrameKey {
        let key = self.key.mac(purpose, &self.dialer, &self.listener).finalize().into_bytes();
        FrameKey { mac: keyed(&key), counter: 0, planted: self.key.planted }
    }
}

/// What each side says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    pub purpose: Purpose,
    pub versions: Versions,
    pub nonce: [u8; NONCE],
}

impl Hello {
    pub fn encode(&self) -> [u8; DIALER_HELLO] {
        let mut bytes = [0; DIALER_HELLO];
        bytes[..4].copy_from_slice(match self.purpose {
            Purpose::Messages => MAGIC,
            Purpose::Copy => COPY_MAGIC,
        });
        bytes[4] = self.versions.newest;
        bytes[START] = self.versions.oldest;
        bytes[START + 1..].copy_from_slice(&self.nonce);
        bytes
    }

    /// # Errors
    /// These are not the bytes of a hello.
    pub fn decode(bytes: &[u8]) -> Result<Hello, FrameError> {
        let purpose = purpose(bytes)?;
        match bytes {
            [_, _, _, _, newest, oldest, nonce @ ..] => {
                let nonce = nonce.try_into().map_err(|_| FrameError::NotMarmot)?;
                Ok(Hello { purpose, versions: Versions { oldest: *oldest, newest: *newest }, nonce })
            }
            _ => Err(FrameError::NotMarmot),
        }
    }

    /// # Errors
    /// The other side understands no version that this one does.
    pub fn check(&self, other: &Hello) -> Result<(), FrameError> {
        let (ours, theirs) = (self.versions, other.versions);
        if ours.meets(theirs) { Ok(()) } else { Err(FrameError::Version { theirs, ours }) }
    }
}

/// Looks at the first bytes of a dialer: of one whose version is older than any with a hello of today, there are no more.
///
/// # Errors
/// It is none of ours, or too old.
pub fn check_start(start: &[u8; START], ours: Versions) -> Result<(), FrameError> {
    purpose(start)?;
    let newest = start[4];
    if newest < FIRST_WITH_RANGE {
        return Err(FrameError::Version { theirs: Versions { oldest: newest, newest }, ours });
    }
    Ok(())
}

/// The first version whose hello has a range.
const FIRST_WITH_RANGE: u8 = 6;

fn purpose(hello: &[u8]) -> Result<Purpose, FrameError> {
    match hello.get(..4) {
        Some(magic) if magic == MAGIC => Ok(Purpose::Messages),
        Some(magic) if magic == COPY_MAGIC => Ok(Purpose::Copy),
        _ => Err(FrameError::NotMarmot),
    }
}

/// Seals or opens the frames of one connection, in order.
pub struct FrameKey {
    mac: Hmac<Sha256>,
    counter: u64,
    planted: HostPlanted,
}

impl FrameKey {
    fn tag(&mut self, payload: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(&self.counter.to_le_bytes());
        mac.update(payload);
        self.counter += 1;
        mac
    }

    /// Appends the frame that carries `payload`.
    pub fn seal(&mut self, payload: &[u8], out: &mut BytesMut) {
        let tag = self.tag(payload).finalize().into_bytes();
        out.reserve(HEADER + payload.len());
        out.put_u32_le(u32::try_from(payload.len()).expect("frames are limited to less than 4 GiB"));
        out.put_slice(&tag[..TAG]);
        out.put_slice(payload);
    }

    /// Takes the next whole frame out of `input`, if it is there.
    ///
    /// # Errors
    /// A frame over `limit`, altered, or not of envelopes: the connection must be closed.
    pub fn open(&mut self, input: &mut BytesMut, limit: usize) -> Result<Option<Vec<Envelope>>, FrameError> {
        self.open_payload(input, limit)?.map(|payload| decode_payload(&payload)).transpose()
    }

    /// Takes the payload of the next whole frame out of `input`, if it is there.
    ///
    /// # Errors
    /// A frame over `limit`, or altered: the connection must be closed.
    pub fn open_payload(&mut self, input: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, FrameError> {
        let Some(length) = input.get(..4) else { return Ok(None) };
        let size = length.iter().rev().fold(0usize, |n, b| n << 8 | usize::from(*b));
        if size > limit {
            return Err(FrameError::TooLarge { size, limit });
        }
        if input.len() < HEADER + size {
            input.reserve(HEADER + size - input.len());
            return Ok(None);
        }
        input.advance(4);
        let tag = input.split_to(TAG);
        let payload = input.split_to(size);
        let genuine = self.tag(&payload).verify_truncated_left(&tag);
        if genuine.is_err() && !self.planted.has(HostBug::TagNotChecked) {
            return Err(FrameError::BadTag);
        }
        Ok(Some(payload))
    }
}

/// What all messages of a frame share; see [`Envelope`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    pub from: NodeId,
    pub from_address: Address,
    pub clock: Hlc,
}

/// Encodes one message, for [`payload`].
pub fn encode_message(message: &Message) -> Vec<u8> {
    encode(message)
}

/// A payload for [`FrameKey::seal`]: the header and encoded messages, end to end.
pub fn payload(header: &Header, messages: &[u8]) -> Bytes {
    let mut payload = encode(header);
    payload.extend_from_slice(messages);
    payload.into()
}

fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("messages have no unserialisable state")
}

/// Decodes what a peer sent.
pub fn decode_payload(payload: &[u8]) -> Result<Vec<Envelope>, FrameError> {
    let (Header { from, from_address, clock }, mut rest) = postcard::take_from_bytes(payload)?;
    let mut envelopes = Vec::new();
    while !rest.is_empty() {
        let (message, after) = postcard::take_from_bytes(rest)?;
        envelopes.push(Envelope { from, from_address: from_address.clone(), clock, message });
        rest = after;
    }
    Ok(envelopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TxnId;
    use proptest::prelude::*;

    fn hello(n: u8) -> Hello {
        Hello { purpose: Purpose::Messages, versions: Versions { oldest: 6, newest: 7 }, nonce: [n; NONCE] }
    }

    fn pair() -> (FrameKey, FrameKey) {
        let session = || Session::new(ClusterKey::new(b"secret"), hello(1), hello(2));
        (session().frames(), session().frames())
    }

    fn header() -> Header {
        Header { from: NodeId(1), from_address: "a:1".into(), clock: Hlc(7) }
    }

    fn message(sequence: u64) -> Message {
        Message::Inquire { txn: TxnId { origin: NodeId(1), sequence } }
    }

    fn envelope(sequence: u64) -> Envelope {
        Envelope { from: NodeId(1), from_address: "a:1".into(), clock: Hlc(7), message: message(sequence) }
    }

    fn carrying(sequences: &[u64]) -> Bytes {
        let messages: Vec<u8> = sequences.iter().flat_map(|s| encode_message(&message(*s))).collect();
        payload(&header(), &messages)
    }

    #[test]
    fn frames_arrive_in_order_and_only_so() {
        let (mut seal, mut open) = pair();
        let mut wire = BytesMut::new();
        for i in 1..4 {
            seal.seal(&carrying(&[i, i + 10]), &mut wire);
        }
        let replay = wire.clone();
        for i in 1..4 {
            assert_eq!(open.open(&mut wire, 1000).unwrap(), Some(vec![envelope(i), envelope(i + 10)]));
        }
        assert!(open.open(&mut wire, 1000).unwrap().is_none());
        assert!(matches!(open.open(&mut replay.clone(), 1000), Err(FrameError::BadTag)));
    }

    #[test]
    fn a_frame_over_the_limit_is_refused_before_it_is_read() {
        let (_, mut open) = pair();
        let mut wire = BytesMut::from(&[0xff, 0xff, 0xff, 0x7f][..]);
        assert!(matches!(open.open(&mut wire, 1 << 20), Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn another_secret_is_another_key() {
        let ours = Session::new(ClusterKey::new(b"secret"), hello(1), hello(2));
        let theirs = Session::new(ClusterKey::new(b"other"), hello(1), hello(2));
        assert!(ours.verify_dialer(&theirs.dialer_proof()).is_err());
        assert!(ours.verify_listener(&theirs.listener_proof()).is_err());
        assert!(ours.verify_dialer(&ours.dialer_proof()).is_ok());
        // A proof of one side does not serve as the other's.
        assert!(ours.verify_dialer(&ours.listener_proof()).is_err());
    }

    #[test]
    fn ranges_that_meet_are_taken_and_nobody_in_between_narrows_them() {
        let of = |oldest, newest| Hello { versions: Versions { oldest, newest }, ..hello(1) };
        assert_eq!(Hello::decode(&of(6, 7).encode()).expect("a hello"), of(6, 7));
        assert!(of(6, 7).check(&of(7, 8)).is_ok() && of(7, 8).check(&of(6, 7)).is_ok());
        let refused = of(6, 6).check(&of(7, 8)).expect_err("nothing in common").to_string();
        assert!(
            refused.contains("understands versions 7 to 8") && refused.contains("this node version 6"),
            "{refused}"
        );
        let old = [b'M', b'R', b'M', b'T', 5];
        let refused = check_start(&old, Versions { oldest: 6, newest: 6 }).expect_err("too old").to_string();
        assert!(refused.contains("understands version 5"), "{refused}");
        let session = |dialer| Session::new(ClusterKey::new(b"secret"), dialer, hello(2));
        assert!(session(of(6, 7)).verify_dialer(&session(of(6, 6)).dialer_proof()).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (_, mut open) = pair();
            let _ = open.open(&mut BytesMut::from(&bytes[..]), 1 << 16);
            let _ = decode_payload(&bytes);
            let _ = Hello::decode(&bytes);
        }

        #[test]
        fn an_altered_frame_is_refused(at in 4usize..40, bit in 0u8..8) {
            let (mut seal, mut open) = pair();
            let mut wire = BytesMut::new();
            seal.seal(&carrying(&[5]), &mut wire);
            let at = at % wire.len();
            prop_assume!(at >= 4);
            wire[at] ^= 1 << bit;
            prop_assert!(open.open(&mut wire, 1 << 16).is_err());
        }
    }
}
