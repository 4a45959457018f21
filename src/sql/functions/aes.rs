//! AES_ENCRYPT and AES_DECRYPT as MySQL has them by default (`block_encryption_mode = aes-128-ecb`): AES-128 (FIPS 197),
//! block by block, with padding (PKCS 7), under a key folded to sixteen bytes. Good enough to read and write what other
//! MySQL servers have encrypted; equal blocks stay equal.

use super::argument::bytes;
use super::registry::Function;
use crate::types::Value;
use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};

const BLOCK: usize = 16;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "marmot_aes_encrypt",
        arity: -1,
        deterministic: true,
        eval: |_, a| Ok(apply(a, |cipher, data| Some(encrypt(cipher, data)))),
    },
    Function { name: "marmot_aes_decrypt", arity: -1, deterministic: true, eval: |_, a| Ok(apply(a, decrypt)) },
];

fn apply(a: &[Value], f: fn(&Aes128, &[u8]) -> Option<Vec<u8>>) -> Value {
    let [data, key, ..] = a else { return Value::Null };
    let (Some(data), Some(key)) = (bytes(data), bytes(key)) else { return Value::Null };
    let mut folded = [0; BLOCK];
    key.iter().enumerate().for_each(|(i, b)| folded[i % BLOCK] ^= b);
    f(&Aes128::new(&Array::from(folded)), &data).map_or(Value::Null, |out| Value::Blob(out.into()))
}

fn encrypt(cipher: &Aes128, data: &[u8]) -> Vec<u8> {
    let padding = BLOCK - data.len() % BLOCK;
    let mut padded = data.to_vec();
    padded.resize(data.len() + padding, padding as u8);
    by_blocks(&padded, |block| cipher.encrypt_block(block))
}

/// `None` for what this key did not encrypt.
fn decrypt(cipher: &Aes128, data: &[u8]) -> Option<Vec<u8>> {
    if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut out = by_blocks(data, |block| cipher.decrypt_block(block));
    let padding = usize::from(*out.last()?);
    let end = out.len().checked_sub(padding)?;
    let sound = (1..=BLOCK).contains(&padding) && out[end..].iter().all(|b| usize::from(*b) == padding);
    out.truncate(end);
    sound.then_some(out)
}

fn by_blocks(data: &[u8], change: impl Fn(&mut aes::Block)) -> Vec<u8> {
    let blocks = data.chunks_exact(BLOCK).filter_map(|b| <[u8; BLOCK]>::try_from(b).ok());
    let changed = blocks.flat_map(|block| {
        let mut block = Array::from(block);
        change(&mut block);
        block.0
    });
    changed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_and_forth() {
        let cipher = Aes128::new(&Array::from([7; BLOCK]));
        for length in [0, 1, 15, 16, 17, 100] {
            let data = vec![b'x'; length];
            let encrypted = encrypt(&cipher, &data);
            assert_eq!(encrypted.len(), (length / BLOCK + 1) * BLOCK);
            assert_eq!(decrypt(&cipher, &encrypted), Some(data));
        }
        assert_eq!(decrypt(&cipher, b"0123456789abcdef"), None);
        assert_eq!(decrypt(&cipher, b""), None);
    }

    /// As MySQL prints `HEX(AES_ENCRYPT('abc', 'a key that is longer than sixteen bytes'))`, and with a short key.
    #[test]
    fn as_mysql_does() {
        let hex = |data: &str, key: &str| match apply(&[data.into(), key.into()], |c, d| Some(encrypt(c, d))) {
            Value::Blob(out) => crate::sql::tokens::hex(&out),
            other => format!("{other:?}"),
        };
        assert_eq!(hex("abc", "key"), "DB5F149A7CAF0CD275CA18C203A212C9");
        assert_eq!(hex("abc", "a key that is longer than sixteen bytes"), "0FFC1C8F2043D92AD9E9B7677195F88E");
    }
}
