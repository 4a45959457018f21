pub fn placeholder_bytes(_: &str) -> Option<(Vec<u8>, bool)> { None }
