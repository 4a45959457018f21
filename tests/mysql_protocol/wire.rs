//! Hand-written packets: what no client library would send, and what it would not show.

use super::server::{PACKET_MAX, Server, limits};
use marmot::mysql::{CAPABILITIES, CapabilityFlags, StatusFlags};
use mysql_common::auth::plugins::mysql_native_password::scramble_native;
use std::io::{Read, Write};
use std::net::TcpStream;

/// A client made of bytes.
struct Wire {
    stream: TcpStream,
    /// The number of the last packet read.
    sequence: u8,
}

const PLAIN: CapabilityFlags = CAPABILITIES
    .difference(CapabilityFlags::CLIENT_COMPRESS)
    .difference(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES)
    .difference(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .difference(CapabilityFlags::CLIENT_CONNECT_WITH_DB);

impl Wire {
    fn connect(server: &Server) -> (Wire, [u8; 20]) {
        let mut wire = Wire { stream: TcpStream::connect(server.address).unwrap(), sequence: 0 };
        let greeting = wire.read().unwrap();
        let version = greeting.iter().position(|b| *b == 0).unwrap();
        let mut salt = [0; 20];
        salt[..8].copy_from_slice(&greeting[version + 5..version + 13]);
        salt[8..].copy_from_slice(&greeting[version + 32..version + 44]);
        (wire, salt)
    }

    fn response(capabilities: CapabilityFlags, user: &str, proof: &[u8]) -> Vec<u8> {
        let mut packet = capabilities.bits().to_le_bytes().to_vec();
        packet.extend_from_slice(&(1u32 << 24).to_le_bytes());
        packet.push(45);
        packet.extend_from_slice(&[0; 23]);
        packet.extend_from_slice(user.as_bytes());
        packet.extend_from_slice(&[0, proof.len() as u8]);
        packet.extend_from_slice(proof);
        if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            packet.extend_from_slice(b"mysql_native_password\0");
        }
        packet
    }

    fn login(server: &Server, capabilities: CapabilityFlags) -> Wire {
        let (mut wire, salt) = Wire::connect(server);
        let proof = scramble_native(&salt, b"secret").unwrap();
        wire.send(1, &Wire::response(capabilities, "root", &proof));
        assert_eq!(wire.read().unwrap()[0], 0, "logged in");
        wire
    }

    fn frame(sequence: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
        bytes[3] = sequence;
        bytes.extend_from_slice(payload);
        bytes
    }

    fn send(&mut self, sequence: u8, payload: &[u8]) {
        self.stream.write_all(&Wire::frame(sequence, payload)).unwrap();
    }

    /// The next packet, or `None` at the end.
    fn read(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 4];
        self.stream.read_exact(&mut header).ok()?;
        self.sequence = header[3];
        let mut payload = vec![0; u32::from_le_bytes([header[0], header[1], header[2], 0]) as usize];
        self.stream.read_exact(&mut payload).ok()?;
        Some(payload)
    }

    /// Sends a command and reads the first packet of its answer.
    fn command(&mut self, payload: &[u8]) -> Vec<u8> {
        self.send(0, payload);
        let answer = self.read().expect("an answer");
        assert_eq!(self.sequence, 1);
        answer
    }

    fn prepare(&mut self, sql: &str) -> [u8; 4] {
        let answer = self.command(&[&[0x16], sql.as_bytes()].concat());
        assert_eq!(answer[0], 0);
        let parameters = u16::from_le_bytes([answer[7], answer[8]]);
        for _ in 0..parameters {
            self.read().unwrap();
        }
        answer[1..5].try_into().unwrap()
    }

    fn rows(&mut self, sql: &str) -> Vec<Vec<u8>> {
        let mut packets = vec![self.command(&[&[3], sql.as_bytes()].concat())];
        while !(packets.len() > 2 && packets.last().unwrap()[0] == 0xfe) {
            packets.push(self.read().unwrap());
        }
        packets
    }
}

fn code(error: &[u8]) -> u16 {
    assert_eq!(error[0], 0xff, "an error: {:?}", String::from_utf8_lossy(error));
    u16::from_le_bytes([error[1], error[2]])
}

/// The status flags of an OK packet with small numbers.
fn status(ok: &[u8]) -> StatusFlags {
    StatusFlags::from_bits_truncate(u16::from_le_bytes([ok[3], ok[4]]))
}

#[test]
fn status_flags_are_on_every_ending() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    let auto = StatusFlags::SERVER_STATUS_AUTOCOMMIT;
    assert_eq!(status(&wire.command(b"\x0e")), auto);
    assert_eq!(status(&wire.command(b"\x03BEGIN")), auto | StatusFlags::SERVER_STATUS_IN_TRANS);
    let rows = wire.rows("ROWS 1");
    assert_eq!(status(rows.last().unwrap()), auto | StatusFlags::SERVER_STATUS_IN_TRANS);
    assert_eq!(status(&wire.command(b"\x0e")), auto | StatusFlags::SERVER_STATUS_IN_TRANS);
    assert_eq!(status(&wire.command(b"\x1f")), auto, "reset");
    let more = status(&wire.command(b"\x03COMMIT;COMMIT"));
    assert_eq!(more, auto | StatusFlags::SERVER_MORE_RESULTS_EXISTS);
    assert_eq!(status(&wire.read().unwrap()), auto);
}

#[test]
fn old_clients_get_eof_packets_and_need_no_plugins() {
    let server = Server::start();
    let old = PLAIN
        - CapabilityFlags::CLIENT_DEPRECATE_EOF
        - CapabilityFlags::CLIENT_PLUGIN_AUTH
        - CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA;
    let mut wire = Wire::login(&server, old);
    wire.send(0, b"\x03ROWS 1");
    let packets: Vec<Vec<u8>> = (0..5).map(|_| wire.read().unwrap()).collect();
    assert_eq!(packets[2], [0xfe, 0, 0, 2, 0], "after the columns");
    assert_eq!(packets[3], b"\x010");
    assert_eq!(packets[4], [0xfe, 0, 0, 2, 0], "after the rows");
    // COM_SET_OPTION: the same kind of EOF.
    assert_eq!(wire.command(&[0x1b, 1, 0]), [0xfe, 0, 0, 2, 0]);
    let one = wire.command(b"\x03COMMIT;COMMIT");
    assert_eq!(one, b"\x01", "one row set: the text was not split");
}

#[test]
fn a_close_and_a_query_in_one_write_are_two_commands() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    let id = wire.prepare("ECHO ?");
    let close = Wire::frame(0, &[&[0x19], &id[..]].concat());
    let query = Wire::frame(0, b"\x03STATE");
    wire.stream.write_all(&[close.clone(), close, query.clone(), query].concat()).unwrap();
    for _ in 0..2 {
        let packets: Vec<Vec<u8>> = (0..4).map(|_| wire.read().unwrap()).collect();
        assert_eq!(packets[2], b"\x100 open, 1 closed");
        assert_eq!(wire.sequence, 4);
    }
}

#[test]
fn prepared_statements_that_do_not_exist_or_do_not_parse() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    let execute = |id: [u8; 4], rest: &[u8]| [&[0x17], &id[..], &[0, 1, 0, 0, 0], rest].concat();
    assert_eq!(code(&wire.command(&execute([9, 0, 0, 0], b""))), 1243);
    assert_eq!(code(&wire.command(b"\x1a\x09\0\0\0")), 1243, "reset");
    let id = wire.prepare("ECHO ?");
    assert_eq!(code(&wire.command(&execute(id, b""))), 1835);
    assert_eq!(code(&wire.command(&execute(id, &[0, 0]))), 1210, "no types yet");
    assert_eq!(code(&wire.command(&execute(id, &[0, 1, 253, 0, 200, b'x']))), 1835, "value cut short");
    assert_eq!(code(&wire.command(&execute(id, &[0, 1, 99, 0]))), 1210, "no such type");
    assert_eq!(code(&wire.command(&[&[0x1c], &id[..], &[1, 0, 0, 0]].concat())), 1421, "no cursor to fetch from");
    assert_eq!(code(&wire.command(&[0x17, 1])), 1835);
    // Types bound once hold for the next execution.
    assert_eq!(wire.command(&execute(id, &[0, 1, 1, 0, 7])), [1]);
    while wire.read().unwrap()[0] != 0xfe {}
    assert_eq!(wire.command(&execute(id, &[0, 0, 8])), [1]);
    wire.read().unwrap();
    assert_eq!(wire.read().unwrap(), [0, 0, 8]);
    wire.read().unwrap();
    // Long data comes in pieces, counts for one execution, and is dropped by reset.
    for piece in [&b"a"[..], &[b'b'; 3000], b"c"] {
        wire.send(0, &[&[0x18], &id[..], &[0, 0], piece].concat());
    }
    assert_eq!(wire.command(&execute(id, &[0, 1, 252, 0])), [1]);
    wire.read().unwrap();
    let row = wire.read().unwrap();
    assert_eq!((row.len(), &row[..7], row.last()), (2 + 3 + 3002, &b"\0\0\xfc\xba\x0bab"[..], Some(&b'c')));
    wire.read().unwrap();
    wire.send(0, &[&[0x18], &id[..], &[0, 0], b"abc"].concat());
    assert_eq!(wire.command(&[&[0x1a], &id[..]].concat())[0], 0);
    assert_eq!(wire.command(&execute(id, &[1, 1, 252, 0])), [1]);
    wire.read().unwrap();
    assert_eq!(wire.read().unwrap(), [0, 0b100], "NULL, not abc");
}

#[test]
fn commands_beyond_queries() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    assert_eq!(wire.command(b"\x09"), b"Uptime: 1");
    let field = wire.command(b"\x04t\0a%");
    assert!(field.windows(4).any(|w| w == b"t/a%"));
    assert_eq!(field.last(), Some(&0xfb));
    assert_eq!(wire.read().unwrap()[0], 0xfe);
    assert_eq!(code(&wire.command(b"\x0c\x01\0\0\0")), 1235);
    assert_eq!(code(&wire.command(b"\x05db")), 1047);
    assert_eq!(code(&wire.command(b"")), 1835);
    assert_eq!(wire.command(b"\x02shop")[0], 0);
    assert_eq!(code(&wire.command(b"\x02nowhere")), 1049);
    wire.send(0, b"\x01");
    assert_eq!(wire.read(), None, "quit has no answer");
}

#[test]
fn query_attributes_are_skipped() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN | CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);
    wire.send(0, b"\x03\x01\x01\x00\x01\xfd\x00\x01n\x01vhello");
    let packets: Vec<Vec<u8>> = (0..3).map(|_| wire.read().unwrap()).collect();
    assert_eq!(packets[2], b"\x05hello");
}

#[test]
fn packets_out_of_order_or_too_large_end_the_connection() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    wire.send(3, b"\x0e");
    assert_eq!(code(&wire.read().unwrap()), 1156);
    assert_eq!(wire.read(), None);
    let mut wire = Wire::login(&server, PLAIN);
    let huge = vec![b' '; PACKET_MAX + 100];
    for (frame, sequence) in huge.chunks(0xff_ffff).zip(0..) {
        wire.send(sequence, frame);
    }
    assert_eq!(code(&wire.read().unwrap()), 1153, "the error arrives although everything was sent first");
    assert_eq!(wire.read(), None);
}

#[test]
fn nothing_large_is_taken_before_the_login() {
    let server = Server::start();
    let (mut wire, _) = Wire::connect(&server);
    wire.stream.write_all(&[0, 0, 3, 1]).unwrap();
    assert_eq!(code(&wire.read().unwrap()), 1153);
    let (mut wire, _) = Wire::connect(&server);
    wire.send(1, b"\x00\x00");
    assert_eq!(code(&wire.read().unwrap()), 1043);
    assert_eq!(wire.read(), None);
}

#[test]
fn a_proof_for_an_old_salt_does_not_change_the_user() {
    let server = Server::start();
    let (mut wire, salt) = Wire::connect(&server);
    let proof = scramble_native(&salt, b"secret").unwrap();
    wire.send(1, &Wire::response(PLAIN, "root", &proof));
    assert_eq!(wire.read().unwrap()[0], 0);
    let change_with = |proof: &[u8]| [b"\x11root\0\x14", proof, b"\0\x2d\0mysql_native_password\0"].concat();
    let change = change_with(&proof);
    assert_eq!(wire.command(&change)[0], 0, "the salt given last");
    // A wrong proof brings a fresh salt, and the old one is over.
    let switch = wire.command(&change_with(&[7; 20]));
    assert_eq!(switch[0], 0xfe);
    let fresh = &switch[switch.len() - 21..switch.len() - 1];
    wire.send(2, &scramble_native(fresh, b"secret").unwrap());
    assert_eq!(wire.read().unwrap()[0], 0);
    for attempt in 1..=3 {
        let switch = wire.command(&change);
        assert_eq!(switch[0], 0xfe, "a fresh salt");
        wire.send(2, &proof);
        assert_eq!(code(&wire.read().unwrap()), 1045);
        if attempt < 3 {
            assert_eq!(wire.command(b"\x0e")[0], 0, "the old login stays");
        }
    }
    assert_eq!(wire.read(), None, "but not for endless guessing");
}

#[test]
fn silence_ends_logins_and_sessions() {
    let server = Server::with(|config| limits(config, |l| l.connect_timeout = std::time::Duration::from_millis(1)));
    let (mut wire, _) = Wire::connect(&server);
    assert_eq!(code(&wire.read().unwrap()), 1159);
    assert_eq!(wire.read(), None);
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    assert_eq!(wire.command(b"\x03IMPATIENT")[0], 0);
    assert_eq!(code(&wire.read().unwrap()), 4031);
    assert_eq!(wire.read(), None);
    assert_eq!(server.events().last().map(String::as_str), Some("disconnected root"));
}

#[test]
fn silence_within_a_packet_ends_the_session() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    assert_eq!(wire.command(b"\x03HASTY")[0], 0);
    // A header that promises more than comes.
    wire.stream.write_all(&[200, 0, 0, 0, 3]).unwrap();
    assert_eq!(code(&wire.read().unwrap()), 1159);
    assert_eq!(wire.read(), None);
}

#[test]
fn a_killed_session_is_told_and_ends() {
    let server = Server::start();
    let mut wire = Wire::login(&server, PLAIN);
    assert_eq!(wire.command(b"\x0e")[0], 0);
    server.shared.kill.notify_one();
    assert_eq!(code(&wire.read().unwrap()), 1317);
    assert_eq!(wire.read(), None);
}

#[test]
fn garbage_neither_hangs_nor_kills_the_server() {
    let server = Server::start();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random
    };
    for round in 0..200 {
        let mut wire = if round % 2 == 0 { Wire::login(&server, PLAIN) } else { Wire::connect(&server).0 };
        let garbage: Vec<u8> = (0..next() % 200).map(|_| next() as u8).collect();
        // Half of it inside a sound frame, so that it reaches the parsers behind the framing.
        let frame = if round % 4 < 2 { garbage } else { Wire::frame(round as u8 % 2, &garbage) };
        // The server may close at any byte of it.
        let _ = wire.stream.write_all(&frame);
        let _ = wire.stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = wire.stream.read_to_end(&mut rest);
    }
    let mut wire = Wire::login(&server, PLAIN);
    assert_eq!(wire.command(b"\x0e")[0], 0);
}
