//! Bytes from a MySQL client: cut into packets, the first read as a login, the others as commands. Used by the fuzz target
//! and by `tests/fuzz_corpus.rs`.

use marmot::mysql::{Broken, CAPABILITIES, CapabilityFlags, Command, Hello, Inbound, Statements};

/// Largest packet; small, so that the fuzzer reaches the limit.
const LIMIT: usize = 1 << 14;

const COMPRESSED: u8 = 1;
const ATTRIBUTES: u8 = 2;

/// The first byte chooses compression, query attributes, and in its upper half the size of the pieces in which the rest
/// arrives. How bytes arrive must not matter, and no packet may cause a panic.
pub fn run(data: &[u8]) {
    let Some((options, stream)) = data.split_first() else { return };
    let whole = packets(*options, stream, stream.len());
    let pieces = packets(*options, stream, 1 + usize::from(options >> 4));
    assert_eq!(whole, pieces, "how bytes arrive must not matter");
    let mut capabilities = CAPABILITIES;
    capabilities.set(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES, options & ATTRIBUTES != 0);
    let mut statements = Statements::new();
    for (i, packet) in whole.0.iter().enumerate() {
        if i == 0 {
            // Refused or not, nothing else may happen.
            let _ = Hello::parse(packet, CAPABILITIES | CapabilityFlags::CLIENT_SSL);
        } else {
            command(packet, capabilities, &mut statements);
        }
    }
}

/// The packets up to the end or to what breaks the stream.
fn packets(options: u8, stream: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<Broken>) {
    let mut inbound = Inbound::new(LIMIT);
    if options & COMPRESSED != 0 {
        inbound.start_compression();
    }
    let mut found = Vec::new();
    for bytes in stream.chunks(piece.max(1)) {
        inbound.feed(bytes);
        loop {
            match inbound.packet() {
                Ok(Some(packet)) => {
                    assert!(packet.len() <= LIMIT, "a packet of {} bytes is above the limit", packet.len());
                    found.push(packet.to_vec());
                    inbound.start_command();
                }
                Ok(None) => break,
                Err(broken) => return (found, Some(broken)),
            }
        }
    }
    (found, None)
}

fn command(packet: &[u8], capabilities: CapabilityFlags, statements: &mut Statements) {
    match Command::parse(packet, capabilities, 45) {
        Ok(Command::Prepare(sql)) => {
            if let Ok(id) = statements.next_id() {
                statements.insert(id, u16::try_from(sql.len() % 300).unwrap_or(0));
            }
        }
        Ok(Command::SendLongData { id, parameter, chunk }) => statements.append(id, parameter, chunk, LIMIT),
        Ok(Command::Execute(execution)) => {
            let _ = statements.parameters(&execution, capabilities);
        }
        Ok(Command::Reset(id)) => {
            let _ = statements.reset(id);
        }
        Ok(Command::Close(id)) => {
            statements.remove(id);
        }
        Ok(Command::ResetConnection) => statements.clear(),
        Ok(_) | Err(_) => {}
    }
}
