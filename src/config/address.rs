//! `HOST:PORT` as people write it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// A host and a port. The host is an IP address or a name; it is resolved only when used.
///
/// Text form: `host:port`, `1.2.3.4:port`, `[::1]:port`; an empty host (`:port`) means all IPv4 interfaces.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// Without brackets, never empty.
    pub host: String,
    pub port: u16,
}

impl HostPort {
    pub fn new(host: impl Into<String>, port: u16) -> HostPort {
        HostPort { host: host.into(), port }
    }

    /// Only processes of this machine can reach it. A name other than `localhost` counts as not loopback: what it
    /// resolves to may change.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// "All interfaces" (`0.0.0.0`, `::`): one can listen there, but nobody can connect to it.
    pub fn is_unspecified(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
    }

    /// Listening on both would collide.
    pub fn overlaps(&self, other: &HostPort) -> bool {
        self.port == other.port
            && self.port != 0
            && (self.host == other.host
                || self.is_unspecified()
                || other.is_unspecified()
                || (self.is_loopback() && other.is_loopback()))
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for HostPort {
    type Err = String;

    /// The error is a sentence with the text and an example.
    fn from_str(text: &str) -> Result<HostPort, String> {
        let wrong = |why: &str| format!("'{text}' is not HOST:PORT: {why} (example: 127.0.0.1:8081)");
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(wrong("there is no port"));
        };
        let Ok(port) = port.parse::<u16>() else {
            return Err(wrong("the port must be a number from 0 to 65535"));
        };
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(|| wrong("the closing ']' is missing"))?,
            None if host.contains(':') => return Err(wrong("an IPv6 address is written in brackets, [::1]:8081")),
            None => host,
        };
        check_host(host).map_err(|why| wrong(&why))?;
        Ok(HostPort::new(if host.is_empty() { "0.0.0.0" } else { host }, port))
    }
}

/// Whether `host` can be an IP address or a name; the error is half a sentence. Empty is allowed (all interfaces).
pub(super) fn check_host(host: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    match host.chars().find(|c| !allowed(*c)) {
        Some(c) => Err(format!("a host name cannot contain {c:?}")),
        None if host.contains(':') && host.split('%').next().is_some_and(|ip| ip.parse::<IpAddr>().is_err()) => {
            Err("this is not an IPv6 address".to_string())
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms_round_trip() {
        for text in ["127.0.0.1:3306", "node-1.example.org:8081", "[::1]:8081", "localhost:0"] {
            assert_eq!(text.parse::<HostPort>().map(|a| a.to_string()), Ok(text.to_string()));
        }
        assert_eq!(":8081".parse(), Ok(HostPort::new("0.0.0.0", 8081)));
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        for (text, why) in [
            ("localhost", "there is no port"),
            ("localhost:", "number from 0 to 65535"),
            ("a:70000", "number from 0 to 65535"),
            ("::1:8081", "brackets"),
            ("[::1:8081", "closing"),
            ("[nonsense:1]:2", "not an IPv6 address"),
            ("a b:1", "cannot contain ' '"),
            ("http://x:1", "brackets"),
        ] {
            let error = text.parse::<HostPort>().expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn loopback_and_collisions() {
        let at = |text: &str| text.parse::<HostPort>().expect("a valid address");
        assert!(at("127.0.0.5:1").is_loopback() && at("[::1]:1").is_loopback() && at("localhost:1").is_loopback());
        assert!(!at("0.0.0.0:1").is_loopback() && !at("10.0.0.1:1").is_loopback() && !at("node1:1").is_loopback());
        assert!(at(":1").is_unspecified() && at("[::]:1").is_unspecified() && !at("node1:1").is_unspecified());
        assert!(at("0.0.0.0:1").overlaps(&at("127.0.0.1:1")) && at("localhost:1").overlaps(&at("127.0.0.1:1")));
        assert!(!at("10.0.0.1:1").overlaps(&at("10.0.0.2:1")) && !at("a:1").overlaps(&at("a:2")));
    }
}
