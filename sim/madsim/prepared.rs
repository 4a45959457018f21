//! Prepared statements in a client's bytes: what is sent for parameters, and rows of the binary protocol.

use crate::client::{Row, length};
use std::fmt;

pub const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;
const LONGLONG: u8 = 8;
const VAR_STRING: u8 = 0xfd;

/// A value for a `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    Int(i64),
    Text(String),
}

impl fmt::Display for Parameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Parameter::Int(i) => write!(f, "{i}"),
            Parameter::Text(text) => write!(f, "'{text}'"),
        }
    }
}

/// What the server said about a statement it compiled.
#[derive(Clone, Copy, Debug)]
pub struct Prepared {
    pub id: u32,
    pub columns: u16,
    pub parameters: u16,
}

impl Prepared {
    /// Reads the answer to [`COM_STMT_PREPARE`].
    pub fn read(packet: &[u8]) -> Option<Prepared> {
        let word = |at: usize| Some(u16::from_le_bytes([*packet.get(at)?, *packet.get(at + 1)?]));
        let id = u32::from(word(1)?) | u32::from(word(3)?) << 16;
        (packet.first() == Some(&0)).then_some(())?;
        Some(Prepared { id, columns: word(5)?, parameters: word(7)? })
    }

    /// The command that runs it.
    pub fn execute(self, parameters: &[Parameter]) -> Vec<u8> {
        let mut command = vec![COM_STMT_EXECUTE];
        command.extend(self.id.to_le_bytes());
        command.extend([0, 1, 0, 0, 0]);
        if parameters.is_empty() {
            return command;
        }
        command.extend(vec![0; parameters.len().div_ceil(8)]);
        command.push(1);
        for parameter in parameters {
            let kind = match parameter {
                Parameter::Int(_) => LONGLONG,
                Parameter::Text(_) => VAR_STRING,
            };
            command.extend([kind, 0]);
        }
        for parameter in parameters {
            match parameter {
                Parameter::Int(i) => command.extend(i.to_le_bytes()),
                Parameter::Text(text) => {
                    command.push(0xfd);
                    command.extend(&(text.len() as u32).to_le_bytes()[..3]);
                    command.extend(text.as_bytes());
                }
            }
        }
        command
    }
}

/// The type in a column's definition.
pub fn column_type(definition: &[u8]) -> Option<u8> {
    let mut rest = definition;
    // Catalog, schema, table and column, the last two under both names.
    for _ in 0..6 {
        let len = usize::try_from(length(&mut rest)?).ok()?;
        rest = rest.get(len..)?;
    }
    // The length of what follows, character set, display width.
    rest.get(1 + 2 + 4).copied()
}

/// A row of the binary protocol, as the text protocol would show it.
pub fn row(packet: &[u8], types: &[u8]) -> Option<Row> {
    let bitmap = packet.get(1..1 + (types.len() + 9) / 8)?;
    let mut rest = packet.get(1 + bitmap.len()..)?;
    let mut cells = Row::new();
    for (i, kind) in types.iter().enumerate() {
        if bitmap[(i + 2) / 8] >> ((i + 2) % 8) & 1 == 1 {
            cells.push(None);
            continue;
        }
        let size = match kind {
            1 => 1,
            2 | 13 => 2,
            3 | 9 => 4,
            8 => 8,
            _ => 0,
        };
        if size == 0 {
            let len = usize::try_from(length(&mut rest)?).ok()?;
            cells.push(Some(String::from_utf8_lossy(rest.get(..len)?).into_owned()));
            rest = &rest[len..];
            continue;
        }
        let mut word = if rest.get(size - 1)? & 0x80 == 0 { [0; 8] } else { [0xff; 8] };
        word[..size].copy_from_slice(&rest[..size]);
        cells.push(Some(i64::from_le_bytes(word).to_string()));
        rest = &rest[size..];
    }
    rest.is_empty().then_some(cells)
}
