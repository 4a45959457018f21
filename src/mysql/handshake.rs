//! The first packets: greeting, TLS request, handshake response; and COM_CHANGE_USER, which repeats the last.

use super::auth::{Plugin, Salt};
use super::column::collation;
use super::error::{HANDSHAKE_ERROR, SqlError};
use super::handler::StatusFlags;
use super::packet::{Malformed, Payload, Reader};
use mysql_common::constants::CapabilityFlags;

/// Bytes a client may send before it is authenticated, per packet: names, proof and attributes (at most 64 KB).
pub const LOGIN_PACKET_MAX: usize = 128 << 10;
/// Connection attributes kept; more are dropped.
const ATTRIBUTES_MAX: usize = 64;

/// What this server can do. TLS is added when there is a certificate.
pub const CAPABILITIES: CapabilityFlags = CapabilityFlags::CLIENT_LONG_PASSWORD
    .union(CapabilityFlags::CLIENT_FOUND_ROWS)
    .union(CapabilityFlags::CLIENT_LONG_FLAG)
    .union(CapabilityFlags::CLIENT_CONNECT_WITH_DB)
    .union(CapabilityFlags::CLIENT_COMPRESS)
    .union(CapabilityFlags::CLIENT_ODBC)
    .union(CapabilityFlags::CLIENT_LOCAL_FILES)
    .union(CapabilityFlags::CLIENT_IGNORE_SPACE)
    .union(CapabilityFlags::CLIENT_PROTOCOL_41)
    .union(CapabilityFlags::CLIENT_INTERACTIVE)
    .union(CapabilityFlags::CLIENT_IGNORE_SIGPIPE)
    .union(CapabilityFlags::CLIENT_TRANSACTIONS)
    .union(CapabilityFlags::CLIENT_SECURE_CONNECTION)
    .union(CapabilityFlags::CLIENT_MULTI_STATEMENTS)
    .union(CapabilityFlags::CLIENT_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PS_MULTI_RESULTS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH)
    .union(CapabilityFlags::CLIENT_CONNECT_ATTRS)
    .union(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA)
    .union(CapabilityFlags::CLIENT_SESSION_TRACK)
    .union(CapabilityFlags::CLIENT_DEPRECATE_EOF)
    .union(CapabilityFlags::CLIENT_QUERY_ATTRIBUTES);

/// The server's first packet (protocol version 10).
#[derive(Clone, Debug)]
pub struct Greeting<'a> {
    pub server_version: &'a str,
    pub connection: u32,
    pub salt: Salt,
    pub capabilities: CapabilityFlags,
}

impl Greeting<'_> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let capabilities = self.capabilities.bits();
        out.put_u8(10);
        out.put_nul_text(self.server_version);
        out.put_u32(self.connection);
        out.put_bytes(&self.salt[..8]);
        out.put_u8(0);
        out.put_u16(capabilities as u16);
        out.put_u8(collation::UTF8MB4_GENERAL_CI as u8);
        out.put_u16(StatusFlags::SERVER_STATUS_AUTOCOMMIT.bits());
        out.put_u16((capabilities >> 16) as u16);
        out.put_u8(self.salt.len() as u8 + 1);
        out.put_bytes(&[0; 10]);
        out.put_bytes(&self.salt[8..]);
        out.put_u8(0);
        out.put_nul_text(Plugin::CachingSha2.name());
    }
}

/// The client's first packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// It wants TLS first; then its real response comes.
    Tls,
    Response(Response),
}

/// A handshake response, or COM_CHANGE_USER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What both sides can do.
    pub capabilities: CapabilityFlags,
    pub collation: u16,
    pub user: String,
    pub proof: Vec<u8>,
    pub database: Option<String>,
    pub plugin: Option<String>,
    pub attributes: Vec<(String, String)>,
}

impl Hello {
    /// Reads the client's first packet; `offered` is what the greeting announced. A client without protocol 4.1, or a
    /// packet that makes no sense, is a bad handshake (1043).
    pub fn parse(payload: &[u8], offered: CapabilityFlags) -> Result<Hello, SqlError> {
        parse_hello(payload, offered).map_err(|Malformed| HANDSHAKE_ERROR.with(&[]))
    }
}

fn parse_hello(payload: &[u8], offered: CapabilityFlags) -> Result<Hello, Malformed> {
    let mut r = Reader::new(payload);
    let capabilities = CapabilityFlags::from_bits_truncate(r.u32()?) & offered;
    if !capabilities.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
        return Err(Malformed);
    }
    r.u32()?;
    let collation = u16::from(r.u8()?);
    r.bytes(23)?;
    if r.is_empty() && capabilities.contains(CapabilityFlags::CLIENT_SSL) {
        return Ok(Hello::Tls);
    }
    let user = text(r.nul_bytes()?)?;
    let proof = if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        r.lenenc_bytes()?
    } else if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        let n = r.u8()?;
        r.bytes(n.into())?
    } else {
        r.nul_or_rest()
    };
    let mut database = None;
    if capabilities.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB) {
        database = name(r.nul_or_rest())?;
    }
    let mut plugin = None;
    if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) {
        plugin = Some(text(r.nul_or_rest())?);
    }
    let attributes = attributes(&mut r, capabilities)?;
    Ok(Hello::Response(Response { capabilities, collation, user, proof: proof.to_vec(), database, plugin, attributes }))
}

/// Reads COM_CHANGE_USER after its command byte. Without a collation of its own it keeps `collation`.
pub(super) fn parse_change_user(
    mut r: Reader<'_>,
    capabilities: CapabilityFlags,
    collation: u16,
) -> Result<Response, Malformed> {
    let user = text(r.nul_bytes()?)?;
    let proof = if capabilities.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        let n = r.u8()?;
        r.bytes(n.into())?
    } else {
        r.nul_bytes()?
    };
    let database = name(r.nul_or_rest())?;
    let collation = if r.is_empty() { collation } else { r.u16()? };
    let mut plugin = None;
    if capabilities.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) && !r.is_empty() {
        plugin = Some(text(r.nul_or_rest())?);
    }
    let attributes = attributes(&mut r, capabilities)?;
    Ok(Response { capabilities, collation, user, proof: proof.to_vec(), database, plugin, attributes })
}

fn attributes(r: &mut Reader<'_>, capabilities: CapabilityFlags) -> Result<Vec<(String, String)>, Malformed> {
    let mut attributes = Vec::new();
    if capabilities.contains(CapabilityFlags::CLIENT_CONNECT_ATTRS) && !r.is_empty() {
        let mut list = Reader::new(r.lenenc_bytes()?);
        while !list.is_empty() {
            let (key, value) = (list.lenenc_bytes()?, list.lenenc_bytes()?);
            if attributes.len() < ATTRIBUTES_MAX {
                let lossy = |bytes| String::from_utf8_lossy(bytes).into_owned();
                attributes.push((lossy(key), lossy(value)));
            }
        }
    }
    Ok(attributes)
}

fn text(bytes: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Malformed)
}

fn name(bytes: &[u8]) -> Result<Option<String>, Malformed> {
    Ok(Some(text(bytes)?).filter(|name| !name.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn response(capabilities: CapabilityFlags, tail: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_u32(capabilities.bits());
        out.put_u32(1 << 24);
        out.put_u8(45);
        out.put_bytes(&[0; 23]);
        out.put_bytes(tail);
        out
    }

    #[test]
    fn the_greeting_is_what_a_real_client_parses() {
        use mysql_common::io::ParseBuf;
        use mysql_common::packets::HandshakePacket;
        let salt = *b"12345678abcdefghijkl";
        let greeting = Greeting { server_version: "8.0.40-marmot", connection: 77, salt, capabilities: CAPABILITIES };
        let mut out = Vec::new();
        greeting.encode(&mut out);
        let parsed: HandshakePacket<'_> = ParseBuf(&out).parse(()).unwrap();
        assert_eq!(parsed.server_version_parsed(), Some((8, 0, 40)));
        assert_eq!(parsed.connection_id(), 77);
        assert_eq!(parsed.nonce(), salt);
        assert_eq!(parsed.capabilities(), CAPABILITIES);
        assert_eq!(parsed.auth_plugin_name_ref(), Some(&b"caching_sha2_password"[..]));
    }

    #[test]
    fn a_full_response_is_read() {
        let tail = b"bob\0\x03abcshop\0mysql_native_password\0\x08\x03_os\x03Lin";
        let hello = Hello::parse(&response(CAPABILITIES, tail), CAPABILITIES).unwrap();
        let Hello::Response(response) = hello else { panic!() };
        assert_eq!((response.user.as_str(), &response.proof[..]), ("bob", &b"abc"[..]));
        assert_eq!(response.database.as_deref(), Some("shop"));
        assert_eq!(response.plugin.as_deref(), Some("mysql_native_password"));
        assert_eq!(response.attributes, [("_os".to_owned(), "Lin".to_owned())]);
        assert_eq!(response.collation, 45);
    }

    #[test]
    fn tls_is_asked_for_by_a_short_packet_only_if_it_was_offered() {
        let wish = CAPABILITIES | CapabilityFlags::CLIENT_SSL;
        assert_eq!(Hello::parse(&response(wish, b""), wish), Ok(Hello::Tls));
        let refused = Hello::parse(&response(wish, b""), CAPABILITIES);
        assert_eq!(refused.map_err(|e| e.code), Err(1043));
    }

    #[test]
    fn old_and_broken_clients_are_bad_handshakes() {
        let old = CAPABILITIES - CapabilityFlags::CLIENT_PROTOCOL_41;
        assert!(Hello::parse(&response(old, b"bob\0\0"), CAPABILITIES).is_err());
        assert!(Hello::parse(b"", CAPABILITIES).is_err());
        assert!(Hello::parse(&response(CAPABILITIES, b"bob"), CAPABILITIES).is_err());
        assert!(Hello::parse(&response(CAPABILITIES, b"b\xffb\0\0"), CAPABILITIES).is_err());
        assert!(Hello::parse(&response(CAPABILITIES, b"bob\0\x09abc"), CAPABILITIES).is_err());
    }

    #[test]
    fn change_user_may_stop_after_the_database() {
        let short = parse_change_user(Reader::new(b"eve\0\0shop\0"), CAPABILITIES, 45).unwrap();
        assert_eq!((short.user.as_str(), short.collation, short.plugin), ("eve", 45, None));
        let long = parse_change_user(Reader::new(b"eve\0\x01p\0\xff\0x\0\0"), CAPABILITIES, 45).unwrap();
        assert_eq!((long.database, long.collation, long.plugin.as_deref()), (None, 255, Some("x")));
        assert!(parse_change_user(Reader::new(b"eve\0\x09p"), CAPABILITIES, 45).is_err());
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes: Vec<u8>, tail: Vec<u8>) {
            let _ = Hello::parse(&bytes, CAPABILITIES);
            let _ = Hello::parse(&response(CAPABILITIES, &tail), CAPABILITIES);
            let _ = parse_change_user(Reader::new(&bytes), CAPABILITIES, 1);
        }
    }
}
