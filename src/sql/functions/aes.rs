//! AES_ENCRYPT and AES_DECRYPT as MySQL has them by default (`block_encryption_mode = aes-128-ecb`): AES-128 (FIPS 197),
//! block by block, with padding (PKCS 7), under a key folded to sixteen bytes. Good enough to read and write what other
//! MySQL servers have encrypted; it hides neither repeated blocks nor timing.

use super::argument::bytes;
use super::registry::Function;
use crate::types::Value;

const BLOCK: usize = 16;
const ROUNDS: usize = 10;

type Block = [u8; BLOCK];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "marmot_aes_encrypt",
        arity: -1,
        deterministic: true,
        eval: |_, a| Ok(apply(a, |schedule, data| Some(encrypt(schedule, data)))),
    },
    Function { name: "marmot_aes_decrypt", arity: -1, deterministic: true, eval: |_, a| Ok(apply(a, decrypt)) },
];

const BOXES: ([u8; 256], [u8; 256]) = boxes();

/// The substitution and its inverse: the multiplicative inverse in GF(2^8), then an affine transformation.
const fn boxes() -> ([u8; 256], [u8; 256]) {
    let (mut forth, mut back) = ([0u8; 256], [0u8; 256]);
    let (mut p, mut q) = (1u8, 1u8);
    loop {
        // p runs through all numbers but zero, q through their inverses.
        p ^= double(p);
        q ^= q << 1;
        q ^= q << 2;
        q ^= q << 4;
        if q & 0x80 != 0 {
            q ^= 0x09;
        }
        let s = q ^ q.rotate_left(1) ^ q.rotate_left(2) ^ q.rotate_left(3) ^ q.rotate_left(4) ^ 0x63;
        forth[p as usize] = s;
        back[s as usize] = p;
        if p == 1 {
            break;
        }
    }
    forth[0] = 0x63;
    back[0x63] = 0;
    (forth, back)
}

/// Twice a number in GF(2^8).
const fn double(x: u8) -> u8 {
    (x << 1) ^ (if x & 0x80 != 0 { 0x1b } else { 0 })
}

fn product(mut x: u8, mut factor: u8) -> u8 {
    let mut sum = 0;
    while factor != 0 {
        if factor & 1 != 0 {
            sum ^= x;
        }
        x = double(x);
        factor >>= 1;
    }
    sum
}

fn apply(a: &[Value], f: fn(&[Block], &[u8]) -> Option<Vec<u8>>) -> Value {
    let [data, key, ..] = a else { return Value::Null };
    let (Some(data), Some(key)) = (bytes(data), bytes(key)) else { return Value::Null };
    let mut folded = [0; BLOCK];
    key.iter().enumerate().for_each(|(i, b)| folded[i % BLOCK] ^= b);
    f(&schedule(folded), &data).map_or(Value::Null, |out| Value::Blob(out.into()))
}

/// The keys of all rounds.
fn schedule(key: Block) -> Vec<Block> {
    let (mut keys, mut constant) = (vec![key], 1);
    for round in 0..ROUNDS {
        let before = keys[round];
        let mut next = before;
        for i in 0..4 {
            next[i] ^= BOXES.0[usize::from(before[12 + (i + 1) % 4])];
        }
        next[0] ^= constant;
        constant = double(constant);
        for i in 4..BLOCK {
            next[i] ^= next[i - 4];
        }
        keys.push(next);
    }
    keys
}

fn add(state: &mut Block, key: &Block) {
    state.iter_mut().zip(key).for_each(|(s, k)| *s ^= k);
}

/// Multiplies every column by a circulant matrix.
fn mix(state: &mut Block, factors: [u8; 4]) {
    for column in state.chunks_exact_mut(4) {
        let old = [column[0], column[1], column[2], column[3]];
        for (i, cell) in column.iter_mut().enumerate() {
            *cell = (0..4).fold(0, |sum, j| sum ^ product(old[(i + j) % 4], factors[j]));
        }
    }
}

/// Substitutes every byte, and rotates row `r` by `r` columns.
fn substitute(state: &Block, forth: bool) -> Block {
    let mut out = [0; BLOCK];
    for (i, cell) in out.iter_mut().enumerate() {
        let (row, column) = (i % 4, i / 4);
        let (table, from) = match forth {
            true => (&BOXES.0, (column + row) % 4),
            false => (&BOXES.1, (column + 4 - row) % 4),
        };
        *cell = table[usize::from(state[from * 4 + row])];
    }
    out
}

fn encrypt_block(keys: &[Block], mut state: Block) -> Block {
    add(&mut state, &keys[0]);
    for (round, key) in keys.iter().enumerate().skip(1) {
        state = substitute(&state, true);
        if round < ROUNDS {
            mix(&mut state, [2, 3, 1, 1]);
        }
        add(&mut state, key);
    }
    state
}

fn decrypt_block(keys: &[Block], mut state: Block) -> Block {
    for (round, key) in keys.iter().enumerate().skip(1).rev() {
        add(&mut state, key);
        if round < ROUNDS {
            mix(&mut state, [14, 11, 13, 9]);
        }
        state = substitute(&state, false);
    }
    add(&mut state, &keys[0]);
    state
}

fn encrypt(keys: &[Block], data: &[u8]) -> Vec<u8> {
    let padding = BLOCK - data.len() % BLOCK;
    let mut padded = data.to_vec();
    padded.resize(data.len() + padding, padding as u8);
    let blocks = padded.chunks_exact(BLOCK).filter_map(|b| Block::try_from(b).ok());
    blocks.flat_map(|block| encrypt_block(keys, block)).collect()
}

/// `None` for what this key did not encrypt.
fn decrypt(keys: &[Block], data: &[u8]) -> Option<Vec<u8>> {
    if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
        return None;
    }
    let blocks = data.chunks_exact(BLOCK).filter_map(|b| Block::try_from(b).ok());
    let mut out: Vec<u8> = blocks.flat_map(|block| decrypt_block(keys, block)).collect();
    let padding = usize::from(*out.last()?);
    let end = out.len().checked_sub(padding)?;
    let sound = (1..=BLOCK).contains(&padding) && out[end..].iter().all(|b| usize::from(*b) == padding);
    out.truncate(end);
    sound.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 197, appendix C.1.
    #[test]
    fn the_standards_example() {
        let key: Block = std::array::from_fn(|i| i as u8);
        let plain: Block = std::array::from_fn(|i| (i * 0x11) as u8);
        let cipher = [0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30, 0xd8, 0xcd, 0xb7, 0x80, 0x70, 0xb4, 0xc5, 0x5a];
        let keys = schedule(key);
        assert_eq!(encrypt_block(&keys, plain), cipher);
        assert_eq!(decrypt_block(&keys, cipher), plain);
    }

    #[test]
    fn back_and_forth() {
        let keys = schedule([7; BLOCK]);
        for length in [0, 1, 15, 16, 17, 100] {
            let data = vec![b'x'; length];
            let cipher = encrypt(&keys, &data);
            assert_eq!(cipher.len(), (length / BLOCK + 1) * BLOCK);
            assert_eq!(decrypt(&keys, &cipher), Some(data));
        }
        assert_eq!(decrypt(&keys, b"0123456789abcdef"), None);
        assert_eq!(decrypt(&keys, b""), None);
    }
}
