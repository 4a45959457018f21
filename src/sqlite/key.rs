//! Keys as bytes.
//!
//! A tuple of cells is encoded so that
//! * two tuples that SQLite calls equal under the columns' collations are equal bytes, and
//! * unequal tuples are unequal bytes, and no encoding is the beginning of another (so tuples concatenate safely), and
//! * byte order is SQLite's order under `BINARY` (NULL < numbers < text < blobs).
//!
//! | cell | bytes |
//! |---|---|
//! | NULL | `01` |
//! | number | `02` + f64 below `i64`, `03` + floor as i64 + (`00` whole, or `01` + all of it as f64), `04` + f64 above |
//! | text | `05` + bytes with `00` as `00 ff` + `00 01`; NOCASE folds ASCII, RTRIM drops trailing spaces, MySQL's collations give sort keys |
//! | blob | `06` + bytes as for text |
//!
//! Numbers are big-endian with the sign bit flipped. An integer and a REAL of the same value are the same key.
//! `NOCASE` compares only up to a NUL character and then the lengths, so that is what is encoded of such text.

use crate::sql::CollationOrder;
use crate::types::Value;

/// SQLite's built-in collations, and MySQL's: what makes two texts one key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Collation {
    #[default]
    Binary,
    NoCase,
    RTrim,
    Mysql(&'static CollationOrder),
}

impl Collation {
    /// The collation named so in SQL, or `None` for one that is neither built in nor MySQL's.
    pub fn named(name: &str) -> Option<Collation> {
        [Collation::Binary, Collation::NoCase, Collation::RTrim]
            .into_iter()
            .find(|collation| collation.name().eq_ignore_ascii_case(name))
            .or_else(|| CollationOrder::named(name).map(Collation::Mysql))
    }

    /// Its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Collation::Binary => "BINARY",
            Collation::NoCase => "NOCASE",
            Collation::RTrim => "RTRIM",
            Collation::Mysql(order) => order.name(),
        }
    }
}

/// Appends the encoding of one cell.
pub fn encode_cell(value: &Value, collation: Collation, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(1),
        Value::Int(i) => {
            out.push(3);
            out.extend_from_slice(&(*i as u64 ^ 1 << 63).to_be_bytes());
            out.push(0);
        }
        Value::Real(x) => encode_real(x.0, out),
        Value::Text(text) => {
            out.push(5);
            encode_text(text, collation, out);
            out.extend_from_slice(&[0, 1]);
        }
        Value::Blob(bytes) => {
            out.push(6);
            bytes.iter().for_each(|b| escape(*b, out));
            out.extend_from_slice(&[0, 1]);
        }
    }
}

/// The encoding of a tuple.
pub fn encode<'v>(cells: impl IntoIterator<Item = (&'v Value, Collation)>) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    cells.into_iter().for_each(|(value, collation)| encode_cell(value, collation, &mut out));
    out
}

fn encode_real(x: f64, out: &mut Vec<u8>) {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if x < -LIMIT || x.is_nan() {
        out.push(2);
        out.extend_from_slice(&(!x.to_bits()).to_be_bytes());
    } else if x >= LIMIT {
        out.push(4);
        out.extend_from_slice(&x.to_bits().to_be_bytes());
    } else {
        let floor = x.floor();
        out.push(3);
        out.extend_from_slice(&(floor as i64 as u64 ^ 1 << 63).to_be_bytes());
        if x == floor {
            out.push(0);
        } else {
            // Not the fraction: of small negative numbers that is rounded to 1.
            out.push(1);
            let bits = if x < 0.0 { !x.to_bits() } else { x.to_bits() };
            out.extend_from_slice(&bits.to_be_bytes());
        }
    }
}

fn encode_text(text: &str, collation: Collation, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    match collation {
        Collation::Mysql(order) => {
            let mut key = Vec::with_capacity(bytes.len());
            order.sort_key(text, &mut key);
            key.into_iter().for_each(|b| escape(b, out));
        }
        Collation::Binary => bytes.iter().for_each(|b| escape(*b, out)),
        Collation::RTrim => {
            let end = bytes.iter().rposition(|b| *b != b' ').map_or(0, |i| i + 1);
            bytes[..end].iter().for_each(|b| escape(*b, out));
        }
        Collation::NoCase => {
            let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
            bytes[..end].iter().for_each(|b| escape(b.to_ascii_lowercase(), out));
            if end < bytes.len() {
                escape(0, out);
                (bytes.len() as u64).to_be_bytes().into_iter().for_each(|b| escape(b, out));
            }
        }
    }
}

fn escape(byte: u8, out: &mut Vec<u8>) {
    out.push(byte);
    if byte == 0 {
        out.push(0xff);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        let real = prop_oneof![
            prop::sample::select(vec![0.0, -0.0, 0.5, 9.3e18, -9.3e18, i64::MIN as f64, f64::INFINITY, 1e300]),
            any::<f64>().prop_filter("SQLite stores NaN as NULL", |x| !x.is_nan()),
            (-8i32..8).prop_map(|n| f64::from(n) / 2.0),
        ];
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Int),
            (-3i64..3).prop_map(Value::Int),
            real.prop_map(Value::real),
            prop::collection::vec(prop::sample::select(vec!['a', 'A', 'b', ' ', '\0', 'é']), 0..4)
                .prop_map(|c| Value::text(c.into_iter().collect::<String>())),
            prop::collection::vec(0u8..3, 0..4).prop_map(|b| Value::Blob(b.into())),
        ]
    }

    fn parameter(value: &Value) -> rusqlite::types::Value {
        match value {
            Value::Null => rusqlite::types::Value::Null,
            Value::Int(i) => (*i).into(),
            Value::Real(x) => x.0.into(),
            Value::Text(t) => t.to_string().into(),
            Value::Blob(b) => b.to_vec().into(),
        }
    }

    proptest! {
        #[test]
        fn equality_and_order_are_sqlites(
            a in value(),
            b in value(),
            collation in prop::sample::select(vec![Collation::Binary, Collation::NoCase, Collation::RTrim]),
        ) {
            let name = collation.name();
            let connection = rusqlite::Connection::open_in_memory().unwrap();
            let sql = format!(
                "SELECT ?1 IS ?2 COLLATE {name}, x < y FROM (SELECT 1) \
                 JOIN (SELECT rank() OVER (ORDER BY v) AS x, i FROM (SELECT ?1 AS v, 1 AS i UNION ALL SELECT ?2, 2)) f ON f.i = 1 \
                 JOIN (SELECT rank() OVER (ORDER BY v) AS y, i FROM (SELECT ?1 AS v, 1 AS i UNION ALL SELECT ?2, 2)) s ON s.i = 2"
            );
            let (equal, less): (bool, bool) = connection
                .query_row(&sql, [parameter(&a), parameter(&b)], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
            let (x, y) = (encode([(&a, collation)]), encode([(&b, collation)]));
            prop_assert_eq!(x == y, equal);
            if collation == Collation::Binary {
                prop_assert_eq!(x < y, less);
            }
        }

        #[test]
        fn small_negative_numbers_are_different_keys(a in -1e-17f64..-1e-300, b in -1e-17f64..-1e-300) {
            let key = |x: f64| encode([(&Value::real(x), Collation::Binary)]);
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
        }

        #[test]
        fn tuples_are_equal_only_cell_by_cell(
            a in prop::collection::vec(value(), 0..4),
            b in prop::collection::vec(value(), 0..4),
        ) {
            let each = |t: &[Value]| t.iter().map(|v| encode([(v, Collation::Binary)])).collect::<Vec<_>>();
            let whole = |t: &[Value]| encode(t.iter().map(|v| (v, Collation::Binary)));
            prop_assert_eq!(whole(&a) == whole(&b), each(&a) == each(&b));
        }
    }
}
