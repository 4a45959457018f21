//! Frames between nodes: versioned, length-limited, authenticated by the cluster secret, within TLS or without.
//!
//! ```text
//!  dialer                                   listener
//!    │── hello_d ─────────────────────────────▶│   hello   = MAGIC newest oldest nonce transport, in the clear; whoever
//!    │◀─ hello_l ──────────────────────────────│   has no version in common, or another transport, is refused by both
//!    │◀═ TLS 1.3, if the transport is TLS ════▶│   binding = its exporter (RFC 9266, tls-exporter), else zeros
//!    │── proof_d ─────────────────────────────▶│   proof_d = HMAC(secret, "dialer" context)
//!    │◀─ proof_l ──────────────────────────────│   proof_l = HMAC(secret, "listener" context)
//!    │── frame 0, frame 1, … ─────────────────▶│   key     = HMAC(secret, "frames" context)
//!
//!  context: hello_d, hello_l, binding
//!  frame:   length u32 LE │ tag 16 bytes │ postcard(Header) postcard(Message) …      tag = HMAC(key, counter payload), cut
//! ```
//!
//! Each side says which versions it understands. If there is none in common, both say so in their logs and hang up. A node
//! of a cluster understands nothing older than what its cluster speaks, see `core::members::version`: so none that is too old
//! gets in. Versions up to 5 had one byte; it was where `newest` is, and is refused by number.
//!
//! A frame carries what a node has to say to another after a round: one tag, one write.
//! A connection carries messages one way, from the dialer; answers travel on the other node's own connection. One that
//! is for copying a snapshot, or for comparing rows, says so by its magic, and carries questions one way and answers the other
//! (`snapshot`, `verify`), with a key for each. The counter in the tag makes a replayed, dropped or reordered frame fail.
//!
//! **Why the secret alone is enough for TLS between nodes.** A proof can be made only by who knows the secret, for this pair of
//! fresh nonces, this role and this TLS connection: two TLS connections never have the same exporter, so whoever sits in the
//! middle of two of them has no proof that either end takes. So after the proofs both ends know that the other end *of this TLS
//! connection* knows the secret, whatever certificates were shown; those of nodes without files are made at start and say nothing.
//! TLS's keys come from a fresh Diffie-Hellman exchange: a secret that leaks later opens nothing recorded before. The dialer proves
//! first, so that whoever only knocks gets nothing to try guesses of the secret on. With certificates (`cluster.tls_*`) TLS
//! demands, on both sides, one of the cluster's authority before any proof is looked at.
//!
//! While the secret is being replaced (`keyring`) a listener takes proofs by either of two; its own proof and the keys are made
//! of the one that the dialer has proven. The argument is the same for each of them.

use crate::core::Address;
use crate::core::message::{Envelope, Life, Message};
use crate::sqlite::{HostBug, HostPlanted};
use crate::types::{Hlc, NodeId, Versions, Wall};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

const MAGIC: &[u8; 4] = b"MRMT";
const COPY_MAGIC: &[u8; 4] = b"MRMC";
const VERIFY_MAGIC: &[u8; 4] = b"MRMV";
const TAG: usize = 16;
/// Length and tag.
pub const HEADER: usize = 4 + TAG;
pub const NONCE: usize = 32;
pub const PROOF: usize = 32;
/// Bytes of each side's first message: magic, newest and oldest version, nonce, transport.
pub const HELLO: usize = HELLO_START + 1 + NONCE + 1;
/// Bytes of it that were the same in every version: magic and newest version.
pub const HELLO_START: usize = 4 + 1;
/// The first version whose hello says a range, and a transport.
const FIRST_WITH_RANGE: u8 = 6;
/// Bytes of the exporter that proofs and keys are bound to.
pub const BINDING: usize = 32;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What a node has to say.
    Messages,
    /// Copying a snapshot.
    Copy,
    /// Comparing rows. A node that has never heard of it hangs up.
    Verify,
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
    #[error(
        "the other side demands TLS between nodes and this node has none: give both the same cluster.tls, and the cluster secret"
    )]
    WantsTls,
    #[error(
        "the other side has no TLS between nodes and this node demands it: give both the same cluster.tls, and the cluster secret"
    )]
    HasNoTls,
    #[error(
        "TLS with the other side failed: {0}; compare cluster.tls_ca, cluster.tls_cert and cluster.tls_key of both"
    )]
    Tls(String),
    #[error("the other side does not know the cluster secret: give all nodes the same MARMOT_CLUSTER_SECRET")]
    WrongSecret,
    #[error(
        "the other side hung up in the middle of the handshake: it may have another cluster secret, or another setting of \
         cluster.tls; its log says which"
    )]
    HungUp,
    #[error("the other side has proven a cluster secret that is taken no more: give it the new one")]
    RetiredSecret,
    #[error("the other side did not finish the handshake in time")]
    Slow,
    #[error("too many connections wait for their handshake: the oldest of the address that has most of them is closed")]
    Crowded,
    #[error("nodes have too many connections to this one: the oldest of the address that has most of them is closed")]
    TooMany,
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

/// By the secret, in constant time.
impl PartialEq for ClusterKey {
    fn eq(&self, other: &ClusterKey) -> bool {
        self.secret.ct_eq(&other.secret).into()
    }
}

impl ClusterKey {
    pub fn new(secret: &[u8]) -> ClusterKey {
        ClusterKey { secret: secret.to_vec(), planted: HostPlanted::none() }
    }

    /// The same key with a rule broken, for the proof that it is seen.
    pub fn plant(self, planted: HostPlanted) -> ClusterKey {
        ClusterKey { planted, ..self }
    }

    fn mac(&self, role: &[u8], context: &Context) -> Hmac<Sha256> {
        let mut mac = keyed(&self.secret);
        // What follows the role has one length, so no two roles and contexts are the same bytes.
        mac.update(role);
        mac.update(&context.dialer.encode());
        mac.update(&context.listener.encode());
        mac.update(&[u8::from(context.binding.is_some())]);
        mac.update(&context.binding.unwrap_or_default());
        mac
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// What tells a connection from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// What both sides said first.
    pub dialer: Hello,
    pub listener: Hello,
    /// The exporter of the TLS connection that carries it; `None`: nothing is encrypted.
    pub binding: Option<[u8; BINDING]>,
}

/// What both sides know once the connection stands.
pub struct Session {
    key: ClusterKey,
    context: Context,
}

impl Session {
    pub fn new(key: ClusterKey, context: Context) -> Session {
        Session { key, context }
    }
    /// What both sides have proven.
    pub fn key(&self) -> &ClusterKey {
        &self.key
    }
    pub fn dialer_proof(&self) -> [u8; PROOF] {
        self.key.mac(b"dialer", &self.context).finalize().into_bytes().into()
    }
    pub fn listener_proof(&self) -> [u8; PROOF] {
        self.key.mac(b"listener", &self.context).finalize().into_bytes().into()
    }
    pub fn verify_dialer(&self, proof: &[u8]) -> Result<(), FrameError> {
        self.key.mac(b"dialer", &self.context).verify_slice(proof).map_err(|_| FrameError::WrongSecret)
    }
    pub fn verify_listener(&self, proof: &[u8]) -> Result<(), FrameError> {
        self.key.mac(b"listener", &self.context).verify_slice(proof).map_err(|_| FrameError::WrongSecret)
    }
    /// The key of this connection's frames.
    pub fn frames(&self) -> FrameKey {
        self.frame_key(b"frames")
    }
    /// The key of the frames that the listener sends, on a connection for copying or comparing.
    pub fn answers(&self) -> FrameKey {
        self.frame_key(b"answers")
    }
    fn frame_key(&self, role: &[u8]) -> FrameKey {
        let key = self.key.mac(role, &self.context).finalize().into_bytes();
        FrameKey { mac: keyed(&key), counter: 0, planted: self.key.planted }
    }
}

/// What each side says first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    pub purpose: Purpose,
    pub versions: Versions,
    pub nonce: [u8; NONCE],
    /// TLS follows.
    pub encrypted: bool,
}

impl Hello {
    /// `MAGIC newest oldest nonce transport`.
    pub fn encode(&self) -> [u8; HELLO] {
        let mut hello = [0; HELLO];
        hello[..4].copy_from_slice(match self.purpose {
            Purpose::Messages => MAGIC,
            Purpose::Copy => COPY_MAGIC,
            Purpose::Verify => VERIFY_MAGIC,
        });
        hello[4] = self.versions.newest;
        hello[HELLO_START] = self.versions.oldest;
        hello[HELLO_START + 1..HELLO - 1].copy_from_slice(&self.nonce);
        hello[HELLO - 1] = u8::from(self.encrypted);
        hello
    }

    /// What the bytes that every version begins with say: the purpose, and the newest version. Of one that is older than any
    /// with a hello of today there are no more bytes; `ours` is understood here.
    ///
    /// # Errors
    /// They are not Marmot's, or of a version that is too old.
    pub fn decode_start(start: [u8; HELLO_START], ours: Versions) -> Result<(Purpose, u8), FrameError> {
        let [magic @ .., newest] = start;
        let purpose = match &magic {
            MAGIC => Purpose::Messages,
            COPY_MAGIC => Purpose::Copy,
            VERIFY_MAGIC => Purpose::Verify,
            _ => return Err(FrameError::NotMarmot),
        };
        if newest < FIRST_WITH_RANGE {
            return Err(FrameError::Version { theirs: Versions { oldest: newest, newest }, ours });
        }
        Ok((purpose, newest))
    }

    /// The rest of a hello.
    ///
    /// # Errors
    /// An unknown transport.
    pub fn decode_rest((purpose, newest): (Purpose, u8), rest: [u8; HELLO - HELLO_START]) -> Result<Hello, FrameError> {
        let [oldest, nonce @ .., transport] = rest;
        match transport {
            0 | 1 => Ok(Hello { purpose, versions: Versions { oldest, newest }, nonce, encrypted: transport == 1 }),
            _ => Err(FrameError::NotMarmot),
        }
    }

    /// Whether two that said this and `other` can go on. Nobody's wish lowers or raises what is configured.
    ///
    /// # Errors
    /// There is no version that both understand, or one demands TLS and the other has none.
    pub fn check(&self, other: &Hello) -> Result<(), FrameError> {
        let (ours, theirs) = (self.versions, other.versions);
        match (self.encrypted, other.encrypted) {
            _ if !ours.meets(theirs) => Err(FrameError::Version { theirs, ours }),
            (true, false) => Err(FrameError::HasNoTls),
            (false, true) => Err(FrameError::WantsTls),
            (true, true) | (false, false) => Ok(()),
        }
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
    pub wall: Wall,
    pub life: Life,
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
    let (Header { from, from_address, clock, wall, life }, mut rest) = postcard::take_from_bytes(payload)?;
    let mut envelopes = Vec::new();
    while !rest.is_empty() {
        let (message, after) = postcard::take_from_bytes(rest)?;
        envelopes.push(Envelope { from, from_address: from_address.clone(), clock, wall, life, message });
        rest = after;
    }
    Ok(envelopes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::TxnId;
    use proptest::prelude::*;

    fn hello(nonce: u8) -> Hello {
        let versions = Versions { oldest: 6, newest: 7 };
        Hello { purpose: Purpose::Messages, versions, nonce: [nonce; NONCE], encrypted: true }
    }

    fn context() -> Context {
        Context { dialer: hello(1), listener: hello(2), binding: Some([3; BINDING]) }
    }

    fn session(context: Context) -> Session {
        Session::new(ClusterKey::new(b"secret"), context)
    }

    /// A hello from its bytes, as they are read.
    fn decode(bytes: [u8; HELLO]) -> Result<Hello, FrameError> {
        let (start, rest) = bytes.split_at(HELLO_START);
        let start = Hello::decode_start(start.try_into().unwrap(), Versions { oldest: 6, newest: 7 })?;
        Hello::decode_rest(start, rest.try_into().unwrap())
    }

    fn pair() -> (FrameKey, FrameKey) {
        (session(context()).frames(), session(context()).frames())
    }

    fn header() -> Header {
        let life = Life::default();
        Header { from: NodeId(1), from_address: "a:1".into(), clock: Hlc(7), wall: Wall(8), life }
    }

    fn message(sequence: u64) -> Message {
        Message::Inquire { txn: TxnId { origin: NodeId(1), sequence } }
    }

    fn envelope(sequence: u64) -> Envelope {
        let Header { from, from_address, clock, wall, life } = header();
        Envelope { from, from_address, clock, wall, life, message: message(sequence) }
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
        let ours = session(context());
        let theirs = Session::new(ClusterKey::new(b"other"), context());
        assert!(ours.verify_dialer(&theirs.dialer_proof()).is_err());
        assert!(ours.verify_listener(&theirs.listener_proof()).is_err());
        assert!(ours.verify_dialer(&ours.dialer_proof()).is_ok());
        // A proof of one side does not serve as the other's.
        assert!(ours.verify_dialer(&ours.listener_proof()).is_err());
    }

    #[test]
    fn a_proof_is_of_one_connection_alone() {
        let ours = session(context());
        let of = |dialer: Hello, listener: Hello| Context { dialer, listener, ..context() };
        let narrow = Versions { oldest: 6, newest: 6 };
        for other in [
            of(Hello { purpose: Purpose::Copy, ..hello(1) }, hello(2)),
            of(hello(9), hello(2)),
            of(hello(1), hello(9)),
            // Nobody in between narrows what both understand, or takes TLS away.
            of(Hello { versions: narrow, ..hello(1) }, hello(2)),
            of(hello(1), Hello { versions: narrow, ..hello(2) }),
            of(hello(1), Hello { encrypted: false, ..hello(2) }),
            // The man in the middle has another exporter on each side.
            Context { binding: Some([9; BINDING]), ..context() },
            Context { binding: None, ..context() },
        ] {
            let other = session(other);
            assert!(ours.verify_dialer(&other.dialer_proof()).is_err());
            assert!(ours.verify_listener(&other.listener_proof()).is_err());
            assert_ne!(ours.frame_key(b"frames").tag(b"x").finalize(), other.frame_key(b"frames").tag(b"x").finalize());
        }
    }

    #[test]
    fn hellos_say_what_is_wrong_with_them() {
        for purpose in [Purpose::Messages, Purpose::Copy] {
            for encrypted in [false, true] {
                let hello = Hello { purpose, encrypted, ..hello(7) };
                assert_eq!(decode(hello.encode()).unwrap(), hello);
            }
        }
        let with = |at: usize, byte: u8| {
            let mut hello = hello(7).encode();
            hello[at] = byte;
            decode(hello)
        };
        assert!(matches!(with(0, 0x16), Err(FrameError::NotMarmot)));
        let old = with(4, 5).expect_err("too old").to_string();
        assert!(old.contains("understands version 5"), "{old}");
        assert!(matches!(with(HELLO - 1, 2), Err(FrameError::NotMarmot)));
    }

    #[test]
    fn ranges_that_meet_are_taken() {
        let of = |oldest, newest| Hello { versions: Versions { oldest, newest }, ..hello(1) };
        assert!(of(6, 7).check(&of(7, 8)).is_ok() && of(7, 8).check(&of(6, 7)).is_ok());
        let refused = of(6, 6).check(&of(7, 8)).expect_err("nothing in common").to_string();
        assert!(
            refused.contains("understands versions 7 to 8") && refused.contains("this node version 6"),
            "{refused}"
        );
    }

    #[test]
    fn tls_is_of_both_or_of_none() {
        let of = |encrypted| Hello { encrypted, ..hello(1) };
        assert!(of(true).check(&of(true)).is_ok() && of(false).check(&of(false)).is_ok());
        assert!(matches!(of(true).check(&of(false)), Err(FrameError::HasNoTls)));
        assert!(matches!(of(false).check(&of(true)), Err(FrameError::WantsTls)));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let (_, mut open) = pair();
            let _ = open.open(&mut BytesMut::from(&bytes[..]), 1 << 16);
            let _ = decode_payload(&bytes);
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
