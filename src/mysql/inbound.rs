//! Bytes from the client: decompressed if that was agreed, cut into packets, with sequence numbers and sizes checked
//! before anything is buffered.

use super::error::{NET_PACKET_TOO_LARGE, NET_PACKETS_OUT_OF_ORDER, NET_UNCOMPRESS_ERROR, SqlError};
use super::packet::FRAME_PAYLOAD_MAX;
use flate2::{Decompress, FlushDecompress, Status};
use std::ops::Range;

/// A buffer that grew beyond this for a large packet is given back once it is consumed.
const KEEP_CAPACITY: usize = 1 << 20;

/// Why the stream cannot be read on. The client is told, then the connection is closed: packet boundaries are lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Beyond `max_allowed_packet`.
    TooLarge,
    /// A packet or frame has another number than expected.
    OutOfOrder,
    /// A compressed frame is not what its header says.
    Compression,
}

impl From<Broken> for SqlError {
    fn from(broken: Broken) -> SqlError {
        match broken {
            Broken::TooLarge => NET_PACKET_TOO_LARGE.with(&[]),
            Broken::OutOfOrder => NET_PACKETS_OUT_OF_ORDER.with(&[]),
            Broken::Compression => NET_UNCOMPRESS_ERROR.with(&[]),
        }
    }
}

/// Incoming packets of one connection.
///
/// **Invariants**: `plain[..consumed]` has been handed out; a packet is handed out only when it is complete; memory stays
/// below the packet limit plus one frame and what one `feed` brought.
#[derive(Debug)]
pub struct Inbound {
    plain: Vec<u8>,
    consumed: usize,
    /// Where the current packet's payload is.
    current: Range<usize>,
    /// Number that the next packet must have.
    sequence: u8,
    limit: usize,
    /// Bytes still to come of the frame that is being skipped, and whether another belongs to the same packet.
    skipping: Option<(usize, bool)>,
    decompressor: Option<Decompressor>,
}

#[derive(Debug)]
struct Decompressor {
    zlib: Decompress,
    raw: Vec<u8>,
    consumed: usize,
    /// The next frame's number; `None` if any will do.
    sequence: Option<u8>,
}

impl Inbound {
    /// A stream whose packets may have at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Inbound {
            plain: Vec::new(),
            consumed: 0,
            current: 0..0,
            sequence: 0,
            limit,
            skipping: None,
            decompressor: None,
        }
    }

    /// From the next packet on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// A new command begins: packets count from 0, compressed frames from whatever the client's next one says (clients
    /// differ), unless the command is already here, in the previous one's frame.
    pub fn start_command(&mut self) {
        self.sequence = 0;
        if self.plain.len() == self.consumed
            && let Some(decompressor) = &mut self.decompressor
        {
            decompressor.sequence = None;
        }
    }

    /// The number the next packet from the client must have: one after our own last one.
    pub fn expect_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// The number of the packet after the last one handed out: that of the answer. Under compression packets take part in
    /// the frames' numbering: an answer begins with the number of its frame.
    pub fn next_sequence(&self) -> u8 {
        if self.decompressor.is_some() { self.next_compressed_sequence() } else { self.sequence }
    }

    /// The number of the compressed frame after the last one read.
    pub fn next_compressed_sequence(&self) -> u8 {
        self.decompressor.as_ref().and_then(|d| d.sequence).unwrap_or(0)
    }

    /// From the next byte on, frames are zlib-compressed; what is buffered beyond the last packet is taken as such.
    pub fn start_compression(&mut self) {
        let raw = self.plain.split_off(self.consumed);
        self.plain.clear();
        self.consumed = 0;
        self.decompressor = Some(Decompressor { zlib: Decompress::new(true), raw, consumed: 0, sequence: Some(0) });
    }

    /// Takes bytes read from the socket.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer().extend_from_slice(bytes);
    }

    /// Where bytes from the socket are appended, without a copy in between. Handed-out packets are dropped.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        compact(&mut self.plain, &mut self.consumed);
        match &mut self.decompressor {
            None => &mut self.plain,
            Some(d) => {
                compact(&mut d.raw, &mut d.consumed);
                &mut d.raw
            }
        }
    }

    /// Whether part of a packet is here already: then the client is in the middle of sending it.
    pub fn is_midway(&self) -> bool {
        self.plain.len() > self.consumed || self.decompressor.as_ref().is_some_and(|d| d.raw.len() > d.consumed)
    }

    /// How many bytes are known to be missing from the current frame, as a hint for reading.
    pub fn wanted(&self) -> usize {
        let (buffer, consumed, header) = match &self.decompressor {
            None => (&self.plain, self.consumed, 4),
            Some(d) => (&d.raw, d.consumed, 7),
        };
        let rest = &buffer[consumed..];
        let frame = length_of(rest).map_or(0, |length| length + header);
        frame.saturating_sub(rest.len())
    }

    /// Everything received but not handed out yet, raw: for TLS, which starts after a packet.
    pub fn take_rest(&mut self) -> Vec<u8> {
        let rest = self.plain.split_off(self.consumed);
        self.plain.clear();
        self.consumed = 0;
        rest
    }

    /// Makes the next complete packet the current one, if it is here.
    pub fn advance(&mut self) -> Result<bool, Broken> {
        loop {
            if let Some(frames) = self.whole_packet()? {
                let start = self.consumed + 4;
                let length = self.join(frames);
                self.current = start..start + length;
                return Ok(true);
            }
            let Some(decompressor) = &mut self.decompressor else { return Ok(false) };
            compact(&mut self.plain, &mut self.consumed);
            if !decompressor.frame(&mut self.plain)? {
                return Ok(false);
            }
        }
    }

    /// The current packet's payload. It stays in place until the next `advance`, `buffer` or `feed`.
    pub fn payload(&self) -> &[u8] {
        self.plain.get(self.current.clone()).unwrap_or_default()
    }

    /// The next complete packet's payload, if it is here.
    pub fn packet(&mut self) -> Result<Option<&[u8]>, Broken> {
        Ok(if self.advance()? { Some(self.payload()) } else { None })
    }

    /// Throws away what is here of a packet that is too large, however long it is. True at its end: then
    /// [`Inbound::next_sequence`] is what the client expects the answer to be numbered. A compressed packet is left.
    pub fn skip(&mut self) -> bool {
        if self.decompressor.is_some() {
            return true;
        }
        loop {
            let rest = &self.plain[self.consumed..];
            match self.skipping {
                Some((left, more)) => {
                    let here = left.min(rest.len());
                    self.consumed += here;
                    self.skipping = Some((left - here, more));
                    if here < left {
                        return false;
                    }
                    self.skipping = None;
                    if !more {
                        return true;
                    }
                }
                None => {
                    let Some(length) = length_of(rest).filter(|_| rest.len() >= 4) else { return false };
                    self.consumed += 4;
                    self.sequence = self.sequence.wrapping_add(1);
                    self.skipping = Some((length, length == FRAME_PAYLOAD_MAX));
                }
            }
        }
    }

    /// The number of frames of the packet at `consumed`, if all are here. Sizes and numbers are checked from the headers
    /// alone, as soon as those are here.
    fn whole_packet(&self) -> Result<Option<usize>, Broken> {
        let (mut at, mut total, mut frames) = (self.consumed, 0usize, 0usize);
        loop {
            let Some(length) = length_of(&self.plain[at..]) else { return Ok(None) };
            let Some(number) = self.plain.get(at + 3) else { return Ok(None) };
            // Under compression the frames around the packets are checked instead; clients number what is inside differently.
            if self.decompressor.is_none() && *number != self.sequence.wrapping_add(frames as u8) {
                return Err(Broken::OutOfOrder);
            }
            total += length;
            if total > self.limit {
                return Err(Broken::TooLarge);
            }
            at += 4 + length;
            if at > self.plain.len() {
                return Ok(None);
            }
            frames += 1;
            if length < FRAME_PAYLOAD_MAX {
                return Ok(Some(frames));
            }
        }
    }

    /// Consumes a packet of that many frames; its payload is moved together behind its first header. Returns its length.
    fn join(&mut self, frames: usize) -> usize {
        let start = self.consumed + 4;
        let mut length = 0;
        for _ in 0..frames {
            let frame = length_of(&self.plain[self.consumed..]).unwrap_or(0);
            let from = self.consumed + 4;
            if length > 0 {
                self.plain.copy_within(from..from + frame, start + length);
            }
            length += frame;
            self.consumed = from + frame;
            self.sequence = self.sequence.wrapping_add(1);
        }
        length
    }
}

fn length_of(header: &[u8]) -> Option<usize> {
    let [a, b, c, ..] = header else { return None };
    Some(usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16)
}

fn compact(buffer: &mut Vec<u8>, consumed: &mut usize) {
    if *consumed > 0 {
        buffer.drain(..*consumed);
        *consumed = 0;
        if buffer.len() < KEEP_CAPACITY {
            buffer.shrink_to(KEEP_CAPACITY);
        }
    }
}

impl Decompressor {
    /// Appends the content of the next compressed frame; false if it is not here yet.
    fn frame(&mut self, plain: &mut Vec<u8>) -> Result<bool, Broken> {
        let rest = &self.raw[self.consumed..];
        let Some((header, body)) = rest.split_first_chunk::<7>() else { return Ok(false) };
        let length = usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16;
        let before = usize::from(header[4]) | usize::from(header[5]) << 8 | usize::from(header[6]) << 16;
        if self.sequence.is_some_and(|expected| expected != header[3]) {
            return Err(Broken::OutOfOrder);
        }
        let Some(body) = body.get(..length) else { return Ok(false) };
        if before == 0 {
            plain.extend_from_slice(body);
        } else {
            inflate(&mut self.zlib, body, before, plain)?;
        }
        self.consumed += 7 + length;
        self.sequence = Some(header[3].wrapping_add(1));
        Ok(true)
    }
}

/// Appends exactly `length` bytes inflated from `body`.
fn inflate(zlib: &mut Decompress, body: &[u8], length: usize, plain: &mut Vec<u8>) -> Result<(), Broken> {
    zlib.reset(true);
    let start = plain.len();
    plain.resize(start + length, 0);
    let status =
        zlib.decompress(body, &mut plain[start..], FlushDecompress::Finish).map_err(|_| Broken::Compression)?;
    if status == Status::StreamEnd && zlib.total_out() == length as u64 { Ok(()) } else { Err(Broken::Compression) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packets_come_whole_in_order_and_one_by_one() {
        let mut inbound = Inbound::new(100);
        inbound.feed(b"\x03\0\0\0ab");
        assert_eq!(inbound.packet(), Ok(None));
        assert!(inbound.is_midway());
        assert_eq!(inbound.wanted(), 1);
        inbound.feed(b"c\x01\0\0\0d");
        assert_eq!(inbound.packet(), Ok(Some(&b"abc"[..])));
        assert_eq!(inbound.next_sequence(), 1);
        inbound.start_command();
        assert_eq!(inbound.packet(), Ok(Some(&b"d"[..])));
        inbound.start_command();
        assert_eq!(inbound.packet(), Ok(None));
        assert!(!inbound.is_midway());
    }

    #[test]
    fn a_packet_that_is_too_large_is_skipped_to_its_last_frame() {
        let mut inbound = Inbound::new(100);
        inbound.feed(b"\xff\xff\xff\0");
        assert_eq!(inbound.packet(), Err(Broken::TooLarge));
        for _ in 0..255 {
            inbound.feed(&[7; 1 << 16]);
            assert!(!inbound.skip());
        }
        inbound.feed(&[7; (1 << 16) - 1]);
        assert!(!inbound.skip() && inbound.buffer().is_empty());
        inbound.feed(b"\x02\0\0");
        assert!(!inbound.skip());
        inbound.feed(b"\x01a");
        assert!(!inbound.skip());
        inbound.feed(b"b");
        assert!(inbound.skip());
        assert_eq!(inbound.next_sequence(), 2);
    }

    #[test]
    fn sizes_and_numbers_are_checked_from_the_header() {
        let mut inbound = Inbound::new(100);
        inbound.feed(b"\x65\0\0\0");
        assert_eq!(inbound.packet(), Err(Broken::TooLarge));
        let mut inbound = Inbound::new(100);
        inbound.feed(b"\x64\0\0\x01");
        assert_eq!(inbound.packet(), Err(Broken::OutOfOrder));
    }

    #[test]
    fn a_long_packet_is_joined() {
        let mut inbound = Inbound::new(40 << 20);
        let mut wire = vec![0xff, 0xff, 0xff, 0];
        wire.resize(4 + FRAME_PAYLOAD_MAX, 1);
        wire.extend_from_slice(&[0xff, 0xff, 0xff, 1]);
        wire.resize(8 + 2 * FRAME_PAYLOAD_MAX, 2);
        wire.extend_from_slice(&[1, 0, 0, 2, 3]);
        wire.extend_from_slice(&[1, 0, 0, 3, 4]);
        inbound.feed(&wire);
        let packet = inbound.packet().unwrap().unwrap();
        assert_eq!(packet.len(), 2 * FRAME_PAYLOAD_MAX + 1);
        assert!(packet[..FRAME_PAYLOAD_MAX].iter().all(|b| *b == 1));
        assert!(packet[FRAME_PAYLOAD_MAX..2 * FRAME_PAYLOAD_MAX].iter().all(|b| *b == 2));
        assert_eq!(packet.last(), Some(&3));
        assert_eq!(inbound.packet(), Ok(Some(&[4][..])));
        let mut small = Inbound::new(FRAME_PAYLOAD_MAX);
        small.feed(&wire);
        assert_eq!(small.packet(), Err(Broken::TooLarge));
    }

    #[test]
    fn a_lying_compressed_frame_is_refused() {
        for frame in [&b"\x03\0\0\0\x05\0\0abc"[..], b"\x03\0\0\x01\0\0\0abc"] {
            let mut inbound = Inbound::new(100);
            inbound.start_compression();
            inbound.feed(frame);
            assert!(matches!(inbound.packet(), Err(Broken::Compression | Broken::OutOfOrder)));
        }
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_packets(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..10), cuts in prop::collection::vec(1usize..20, 1..100)) {
            let mut wire = Vec::new();
            for (i, payload) in payloads.iter().enumerate() {
                wire.extend_from_slice(&[payload.len() as u8, 0, 0, i as u8]);
                wire.extend_from_slice(payload);
            }
            let mut inbound = Inbound::new(1000);
            let (mut got, mut at) = (Vec::new(), 0);
            for cut in cuts.iter().cycle() {
                let end = (at + cut).min(wire.len());
                inbound.feed(&wire[at..end]);
                at = end;
                while let Some(packet) = inbound.packet().unwrap() {
                    got.push(packet.to_vec());
                }
                if at == wire.len() { break; }
            }
            prop_assert_eq!(got, payloads);
        }
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, compressed: bool) {
            let mut inbound = Inbound::new(1000);
            if compressed { inbound.start_compression(); }
            inbound.feed(&bytes);
            while let Ok(Some(_)) = inbound.packet() {}
        }
    }
}
