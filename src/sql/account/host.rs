//! Host parts of accounts (manual, "Specifying Account Names", "Access Control, Stage 1").
//!
//! Names are not looked up: a peer has an address, and `localhost` is every loopback address and the Unix socket.

// The addresses alone: `core` has no sockets.
use ::core::net::{IpAddr, Ipv4Addr};
use std::cmp::Reverse;

const LOCAL: &str = "localhost";

/// Whether a peer is this machine. `host` is an address, or `localhost` for the Unix socket.
pub fn is_loopback(host: &str) -> bool {
    host == LOCAL || host.parse::<IpAddr>().is_ok_and(|ip| ip.to_canonical().is_loopback())
}

/// Whether an account's host part is that of a peer.
pub fn matches(pattern: &str, peer: &str) -> bool {
    if let Some(network) = Network::parse(pattern) {
        return peer.parse::<IpAddr>().is_ok_and(|ip| network.contains(ip.to_canonical()));
    }
    like(pattern, peer) || is_loopback(peer) && like(pattern, LOCAL)
}

/// Orders host parts: what says most about a peer comes first.
pub fn rank(pattern: &str) -> impl Ord + use<> {
    match (Network::parse(pattern), pattern.find(['%', '_'])) {
        (Some(network), _) => (1, Reverse(network.mask.count_ones() as usize)),
        (None, None) if pattern.is_empty() => (4, Reverse(0)),
        (None, None) => (0, Reverse(0)),
        (None, Some(0)) if pattern == "%" => (3, Reverse(0)),
        // The later the first wildcard, the more it says.
        (None, Some(at)) => (2, Reverse(at)),
    }
}

/// `address/mask` or `address/bits`, of IPv4.
struct Network {
    address: u32,
    mask: u32,
}

impl Network {
    fn parse(pattern: &str) -> Option<Network> {
        let (address, mask) = pattern.split_once('/')?;
        let address = u32::from(address.parse::<Ipv4Addr>().ok()?);
        let mask = match mask.parse::<u32>() {
            Ok(bits @ 0..=32) => u32::MAX.checked_shl(32 - bits).unwrap_or(0),
            Ok(_) => return None,
            Err(_) => u32::from(mask.parse::<Ipv4Addr>().ok()?),
        };
        Some(Network { address, mask })
    }

    fn contains(&self, peer: IpAddr) -> bool {
        matches!(peer, IpAddr::V4(ip) if u32::from(ip) & self.mask == self.address)
    }
}

/// LIKE without case.
fn like(pattern: &str, host: &str) -> bool {
    let folded = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    pattern.is_empty() || crate::sql::functions::matches_like(&folded(host), &folded(pattern), Some('\\'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_the_hosts_that_mysql_gives_it() {
        for (pattern, peer) in [
            ("%", "10.0.1.2"),
            ("", "10.0.1.2"),
            ("10.0.%", "10.0.1.2"),
            ("10.0.1.2", "10.0.1.2"),
            ("10.0.1._", "10.0.1.2"),
            ("10.0.0.0/255.255.0.0", "10.0.1.2"),
            ("10.0.0.0/16", "10.0.1.2"),
            ("localhost", "localhost"),
            ("LocalHost", "127.0.0.1"),
            ("localhost", "::1"),
            ("localhost", "127.3.4.5"),
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0/0", "10.0.1.2"),
        ] {
            assert!(matches(pattern, peer), "{pattern} {peer}");
        }
        for (pattern, peer) in [
            ("10.0.%", "10.1.0.2"),
            ("localhost", "10.0.1.2"),
            ("127.0.0.1", "localhost"),
            ("10.0.0.0/255.255.0.0", "10.1.1.2"),
            ("10.0.1.0/24", "10.0.2.1"),
            ("10.0.0.0/16", "localhost"),
            ("10.0.0.0/33", "10.0.0.1"),
        ] {
            assert!(!matches(pattern, peer), "{pattern} {peer}");
        }
    }

    #[test]
    fn what_says_most_comes_first() {
        let order = ["10.0.1.2", "10.0.1.0/24", "10.0.0.0/255.255.0.0", "10.0.1.%", "10.0.%", "%.example.org", "%", ""];
        assert!(order.windows(2).all(|w| rank(w[0]) < rank(w[1])), "{order:?}");
    }
}
