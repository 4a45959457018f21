//! Digests, UUIDs and addresses (manual, "Encryption and Compression Functions", "Miscellaneous Functions").

use super::argument::{bytes, integer, maybe_text, text};
use super::registry::{Function, FunctionContext};
use crate::sql::error::Error;
use crate::types::Value;
use md5::Digest;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "marmot_md5",
        arity: 1,
        deterministic: true,
        eval: |_, a| Ok(maybe_text(bytes(&a[0]).map(|b| lower_hex(&md5::Md5::digest(b.as_ref()))))),
    },
    Function {
        name: "marmot_sha1",
        arity: 1,
        deterministic: true,
        eval: |_, a| Ok(maybe_text(bytes(&a[0]).map(|b| lower_hex(&sha1::Sha1::digest(b.as_ref()))))),
    },
    Function { name: "marmot_password", arity: 1, deterministic: true, eval: |_, a| Ok(password(&a[0])) },
    Function { name: "marmot_sha2", arity: 2, deterministic: true, eval: |_, a| Ok(sha2(a)) },
    Function { name: "marmot_uuid", arity: 0, deterministic: false, eval: uuid },
    Function {
        name: "marmot_uuid_short",
        arity: 0,
        deterministic: false,
        eval: |c, _| Ok(Value::Int((c.next_random() >> 1) as i64)),
    },
    Function {
        name: "marmot_is_uuid",
        arity: 1,
        deterministic: true,
        eval: |_, a| Ok(text(&a[0]).map_or(Value::Null, |t| Value::Int(i64::from(uuid_digits(&t).is_some())))),
    },
    Function { name: "marmot_uuid_to_bin", arity: -1, deterministic: true, eval: uuid_to_bin },
    Function { name: "marmot_bin_to_uuid", arity: -1, deterministic: true, eval: bin_to_uuid },
    Function {
        name: "marmot_random_bytes",
        arity: 1,
        deterministic: false,
        eval: |c, a| {
            let Some(count) = integer(&a[0]) else { return Ok(Value::Null) };
            let count = Some(count).filter(|n| (1..=1024).contains(n)).ok_or_else(|| Error {
                code: 1690,
                state: "22003",
                message: "length value is out of range in 'random_bytes'".into(),
            })?;
            let mut out = Vec::new();
            while out.len() < count as usize {
                out.extend_from_slice(&c.next_random().to_le_bytes());
            }
            out.truncate(count as usize);
            Ok(Value::Blob(out.into()))
        },
    },
    Function {
        name: "marmot_inet_aton",
        arity: 1,
        deterministic: true,
        eval: |_, a| Ok(text(&a[0]).and_then(|t| inet_aton(&t)).map_or(Value::Null, Value::Int)),
    },
    Function {
        name: "marmot_inet_ntoa",
        arity: 1,
        deterministic: true,
        eval: |_, a| {
            let number = integer(&a[0]).and_then(|n| u32::try_from(n).ok());
            Ok(maybe_text(number.map(|n| core::net::Ipv4Addr::from(n).to_string())))
        },
    },
    Function {
        name: "marmot_inet6_aton",
        arity: 1,
        deterministic: true,
        eval: |_, a| {
            let address = text(&a[0]).and_then(|t| t.trim().parse::<core::net::IpAddr>().ok());
            Ok(match address {
                Some(core::net::IpAddr::V4(a)) => Value::Blob(a.octets().as_slice().into()),
                Some(core::net::IpAddr::V6(a)) => Value::Blob(a.octets().as_slice().into()),
                None => Value::Null,
            })
        },
    },
    Function {
        name: "marmot_inet6_ntoa",
        arity: 1,
        deterministic: true,
        eval: |_, a| {
            let Some(b) = bytes(&a[0]) else { return Ok(Value::Null) };
            let v4 = <[u8; 4]>::try_from(b.as_ref()).map(|o| core::net::Ipv4Addr::from(o).to_string());
            let v6 = <[u8; 16]>::try_from(b.as_ref()).map(|o| core::net::Ipv6Addr::from(o).to_string());
            Ok(maybe_text(v4.or(v6).ok()))
        },
    },
];

fn lower_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What `mysql_native_password` stores of a password; empty for none.
fn password(value: &Value) -> Value {
    match bytes(value) {
        Some(word) if word.is_empty() => Value::from(""),
        Some(word) => {
            let twice = sha1::Sha1::digest(sha1::Sha1::digest(word.as_ref()));
            Value::text(format!("*{}", lower_hex(&twice).to_uppercase()))
        }
        None => Value::from(""),
    }
}

fn sha2(a: &[Value]) -> Value {
    let (Some(b), Some(bits)) = (bytes(&a[0]), integer(&a[1])) else { return Value::Null };
    Value::text(match bits {
        0 | 256 => lower_hex(&sha2::Sha256::digest(b.as_ref())),
        224 => lower_hex(&sha2::Sha224::digest(b.as_ref())),
        384 => lower_hex(&sha2::Sha384::digest(b.as_ref())),
        512 => lower_hex(&sha2::Sha512::digest(b.as_ref())),
        _ => return Value::Null,
    })
}

/// A version-1 UUID: time, a random clock sequence, this node.
fn uuid(context: &FunctionContext, _: &[Value]) -> Result<Value, Error> {
    const EPOCH_1582: i64 = 12_219_292_800;
    let random = context.next_random();
    let ticks = ((context.now.get() + EPOCH_1582) as u64).wrapping_mul(10_000_000).wrapping_add(random % 10_000_000);
    let node = context.node.get() & 0xffff_ffff_ffff;
    Ok(Value::text(format!(
        "{:08x}-{:04x}-1{:03x}-{:04x}-{node:012x}",
        ticks as u32,
        (ticks >> 32) as u16,
        ticks >> 48 & 0xfff,
        0x8000 | (random >> 32 & 0x3fff),
    )))
}

fn uuid_digits(text: &str) -> Option<Vec<u8>> {
    let plain: String = text.trim_start_matches('{').trim_end_matches('}').replace('-', "");
    if plain.len() != 32 || !plain.bytes().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    (0..16).map(|i| u8::from_str_radix(&plain[2 * i..2 * i + 2], 16).ok()).collect()
}

fn swaps(a: &[Value]) -> bool {
    a.get(1).and_then(integer).is_some_and(|n| n != 0)
}

fn uuid_to_bin(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(text) = a.first().and_then(text) else { return Ok(Value::Null) };
    let Some(b) = uuid_digits(&text) else {
        let message = format!("Incorrect string value: '{text}' for function uuid_to_bin");
        return Err(Error { code: 1411, state: "HY000", message });
    };
    let swapped = || [&b[6..8], &b[4..6], &b[0..4], &b[8..16]].concat();
    Ok(Value::Blob(if swaps(a) { swapped() } else { b }.into()))
}

fn bin_to_uuid(_: &FunctionContext, a: &[Value]) -> Result<Value, Error> {
    let Some(b) = a.first().and_then(bytes) else { return Ok(Value::Null) };
    if b.len() != 16 {
        let message = "Incorrect string value for function bin_to_uuid".to_string();
        return Err(Error { code: 1411, state: "HY000", message });
    }
    let ordered = if swaps(a) { [&b[4..8], &b[2..4], &b[0..2], &b[8..16]].concat() } else { b.to_vec() };
    let h = lower_hex(&ordered);
    Ok(Value::text(format!("{}-{}-{}-{}-{}", &h[..8], &h[8..12], &h[12..16], &h[16..20], &h[20..])))
}

/// An IPv4 address as a number; of fewer parts than four the last stands at the end (manual, INET_ATON()).
fn inet_aton(address: &str) -> Option<i64> {
    let parts: Vec<i64> =
        address.split('.').map(|part| part.parse::<u8>().ok().map(i64::from)).collect::<Option<_>>()?;
    let (last, first) = parts.split_last().filter(|_| parts.len() <= 4)?;
    Some(first.iter().zip([24, 16, 8]).fold(*last, |sum, (part, shift)| sum | part << shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digests() {
        let call = |name: &str, a: &[Value]| {
            (FUNCTIONS.iter().find(|f| f.name == name).unwrap().eval)(&FunctionContext::default(), a).unwrap()
        };
        assert_eq!(call("marmot_md5", &[Value::from("testing")]), Value::from("ae2b1fca515949e5d54fb22b8ed95575"));
        assert_eq!(call("marmot_sha1", &[Value::from("abc")]), Value::from("a9993e364706816aba3e25717850c26c9cd0d89d"));
        let uuid = "6ccd780c-baba-1026-9564-5b8c656024db";
        let bin = call("marmot_uuid_to_bin", &[Value::from(uuid), Value::Int(1)]);
        assert_eq!(call("marmot_bin_to_uuid", &[bin, Value::Int(1)]), Value::from(uuid));
        assert_eq!(call("marmot_inet_aton", &[Value::from("10.0.5.9")]), Value::Int(167_773_449));
        assert_eq!(call("marmot_inet_aton", &[Value::from("127.1")]), Value::Int(0x7f00_0001));
        assert_eq!(call("marmot_inet_aton", &[Value::from("1.2.3.4.5")]), Value::Null);
        assert_eq!(call("marmot_inet_aton", &[Value::from("256.1")]), Value::Null);
        let made = call("marmot_uuid", &[]);
        assert_eq!(call("marmot_is_uuid", &[made]), Value::Int(1));
    }
}
