//! Bytes on their way to the client: packets are framed, numbered, and compressed if that was agreed, in one buffer that
//! is written out only when it is large or the loop is about to wait.

use super::packet::{FRAME_PAYLOAD_MAX, Payload};
use flate2::{Compress, Compression, FlushCompress};

/// Below this many bytes compressing is not worth it (MySQL's `MIN_COMPRESS_LENGTH`).
const COMPRESS_MIN: usize = 50;
/// A buffer that grew beyond this for a large result is given back after it was sent.
const KEEP_CAPACITY: usize = 1 << 20;

/// Outgoing packets of one connection.
///
/// **Invariant**: between `begin` and `end` (or `abandon`) exactly one packet is open, at the end of `buffer`.
#[derive(Debug, Default)]
pub struct Outbound {
    buffer: Vec<u8>,
    packet_start: usize,
    sequence: u8,
    compressor: Option<Compressor>,
}

#[derive(Debug)]
struct Compressor {
    zlib: Compress,
    sequence: u8,
    wire: Vec<u8>,
}

impl Outbound {
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of the next packet: one more than that of the packet being answered.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }
    pub fn sequence(&self) -> u8 {
        self.sequence
    }

    /// The number of the next compressed frame.
    pub fn set_compressed_sequence(&mut self, sequence: u8) {
        if let Some(compressor) = &mut self.compressor {
            compressor.sequence = sequence;
        }
    }

    /// From the next byte on, frames are zlib-compressed. What is buffered must be sent before.
    pub fn start_compression(&mut self) {
        let zlib = Compress::new(Compression::fast(), true);
        self.compressor = Some(Compressor { zlib, sequence: 0, wire: Vec::new() });
    }

    /// Bytes waiting, before compression.
    pub fn len(&self) -> usize {
        self.buffer.len()
    }
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Opens a packet; what is pushed to the returned payload is its content.
    pub(super) fn begin(&mut self) -> &mut Vec<u8> {
        self.packet_start = self.buffer.len();
        self.buffer.put_u32(0);
        &mut self.buffer
    }

    /// Closes the open packet: writes its header, and those of the frames it must be split into.
    pub(super) fn end(&mut self) {
        let start = self.packet_start;
        let length = self.buffer.len() - start - 4;
        if length < FRAME_PAYLOAD_MAX {
            self.header(start, length);
            return;
        }
        let payload = self.buffer.split_off(start + 4);
        self.buffer.truncate(start);
        self.buffer.reserve(length + 4 * (length / FRAME_PAYLOAD_MAX + 1));
        for frame in payload.chunks(FRAME_PAYLOAD_MAX) {
            let at = self.buffer.len();
            self.buffer.put_u32(0);
            self.buffer.put_bytes(frame);
            self.header(at, frame.len());
        }
        if length.is_multiple_of(FRAME_PAYLOAD_MAX) {
            let at = self.buffer.len();
            self.buffer.put_u32(0);
            self.header(at, 0);
        }
    }

    /// Drops the open packet.
    pub(super) fn abandon(&mut self) {
        self.buffer.truncate(self.packet_start);
    }

    fn header(&mut self, at: usize, length: usize) {
        let length = (length as u32).to_le_bytes();
        self.buffer[at..at + 4].copy_from_slice(&[length[0], length[1], length[2], self.sequence]);
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// The bytes to write to the socket now. Call [`sent`](Self::sent) once they are written; until then this may be
    /// called again only if nothing was added.
    pub fn wire(&mut self) -> &[u8] {
        match &mut self.compressor {
            None => &self.buffer,
            Some(compressor) => {
                if compressor.wire.is_empty() {
                    for chunk in self.buffer.chunks(FRAME_PAYLOAD_MAX) {
                        compressor.frame(chunk);
                    }
                }
                &compressor.wire
            }
        }
    }

    /// All of [`wire`](Self::wire) has been written.
    pub fn sent(&mut self) {
        release(&mut self.buffer);
        if let Some(compressor) = &mut self.compressor {
            release(&mut compressor.wire);
        }
    }
}

fn release(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.shrink_to(KEEP_CAPACITY);
}

impl Compressor {
    /// Appends one compressed frame: length, number, length before compression (0: not compressed), content.
    fn frame(&mut self, chunk: &[u8]) {
        let at = self.wire.len();
        self.wire.extend_from_slice(&[0; 7]);
        let compressed = chunk.len() >= COMPRESS_MIN && self.deflate(chunk);
        if !compressed {
            self.wire.truncate(at + 7);
            self.wire.put_bytes(chunk);
        }
        let length = ((self.wire.len() - at - 7) as u32).to_le_bytes();
        let plain = if compressed { chunk.len() as u32 } else { 0 }.to_le_bytes();
        self.wire[at..at + 7].copy_from_slice(&[
            length[0],
            length[1],
            length[2],
            self.sequence,
            plain[0],
            plain[1],
            plain[2],
        ]);
        self.sequence = self.sequence.wrapping_add(1);
    }

    /// Appends `chunk` deflated; false (and garbage at the end) if that would not make it smaller.
    fn deflate(&mut self, chunk: &[u8]) -> bool {
        self.zlib.reset();
        self.wire.reserve(chunk.len());
        let limit = self.wire.len() + chunk.len();
        loop {
            let done = usize::try_from(self.zlib.total_in()).unwrap_or(usize::MAX);
            let Some(rest) = chunk.get(done..) else { return false };
            match self.zlib.compress_vec(rest, &mut self.wire, FlushCompress::Finish) {
                Ok(flate2::Status::StreamEnd) => return self.wire.len() < limit,
                Ok(flate2::Status::Ok) if self.wire.len() < limit && self.wire.len() < self.wire.capacity() => {}
                _ => return false,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::inbound::Inbound;
    use super::*;

    fn packet(out: &mut Outbound, payload: &[u8]) {
        out.begin().extend_from_slice(payload);
        out.end();
    }

    #[test]
    fn packets_are_numbered_and_abandoned_ones_leave_nothing() {
        let mut out = Outbound::new();
        out.set_sequence(255);
        packet(&mut out, b"a");
        out.begin().push(9);
        out.abandon();
        packet(&mut out, b"bc");
        assert_eq!(out.wire(), b"\x01\0\0\xffa\x02\0\0\0bc");
        out.sent();
        assert!(out.is_empty());
    }

    #[test]
    fn a_packet_of_exactly_one_full_frame_is_followed_by_an_empty_one() {
        let mut out = Outbound::new();
        packet(&mut out, &vec![7; FRAME_PAYLOAD_MAX]);
        let wire = out.wire();
        assert_eq!(wire.len(), FRAME_PAYLOAD_MAX + 8);
        assert_eq!(wire[..4], [0xff, 0xff, 0xff, 0]);
        assert_eq!(wire[wire.len() - 4..], [0, 0, 0, 1]);
        assert_eq!(out.sequence(), 2);
    }

    #[test]
    fn compressed_frames_give_back_what_was_written() {
        let mut out = Outbound::new();
        out.start_compression();
        let long = "select ".repeat(5000);
        let noise: Vec<u8> = (0..4000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        packet(&mut out, long.as_bytes());
        packet(&mut out, b"x");
        packet(&mut out, &noise);
        let wire = out.wire().to_vec();
        assert!(wire.len() < long.len() + noise.len());
        let mut inbound = Inbound::new(1 << 20);
        inbound.start_compression();
        inbound.feed(&wire);
        assert_eq!(inbound.packet(), Ok(Some(long.as_bytes())));
        assert_eq!(inbound.packet(), Ok(Some(&b"x"[..])));
        assert_eq!(inbound.packet(), Ok(Some(&noise[..])));
        assert_eq!(inbound.packet(), Ok(None));
    }
}
