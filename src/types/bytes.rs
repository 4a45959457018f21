//! `#[serde(with = "…::bytes")]` for shared bytes: copied as a whole. Derived, each byte would be a value of its own; in
//! postcard both are the same on the wire.

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::ser::Serializer;
use std::fmt;
use std::sync::Arc;

pub fn serialize<S: Serializer>(bytes: &Arc<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bytes(bytes)
}

pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[u8]>, D::Error> {
    deserializer.deserialize_bytes(Bytes)
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Arc<[u8]>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Arc<[u8]>, E> {
        Ok(bytes.into())
    }
    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Arc<[u8]>, E> {
        Ok(bytes.into())
    }
    /// Formats without a type for bytes write a list of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Arc<[u8]>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use std::sync::Arc;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Whole(#[serde(with = "super")] Arc<[u8]>);
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Derived(Arc<[u8]>);

    #[test]
    fn the_wire_is_the_same_as_derived() {
        let bytes: Arc<[u8]> = (0..=255).collect::<Vec<u8>>().into();
        let whole = postcard::to_stdvec(&Whole(bytes.clone())).unwrap();
        assert_eq!(whole, postcard::to_stdvec(&Derived(bytes.clone())).unwrap());
        assert_eq!(postcard::from_bytes::<Whole>(&whole).unwrap(), Whole(bytes));
        assert!(postcard::from_bytes::<Whole>(&whole[..100]).is_err());
    }
}
