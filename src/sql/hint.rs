//! Optimizer hints, `/*+ ... */` after the first word. They are comments but for one.

/// The milliseconds of `SELECT /*+ MAX_EXECUTION_TIME(n) */`, also after WITH.
pub fn execution_time_hint(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let starts = |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let select = if starts("SELECT") { 0 } else { starts("WITH").then(|| outer_select(text)).flatten()? };
    let rest = text[select + "SELECT".len()..].trim_start();
    let hints = rest.strip_prefix("/*+")?;
    let hints = hints[..hints.find("*/")?].to_ascii_uppercase();
    let after = hints[hints.find("MAX_EXECUTION_TIME")? + "MAX_EXECUTION_TIME".len()..].trim_start();
    let inside = after.strip_prefix('(')?;
    let limit: u32 = inside[..inside.find(')')?].trim().parse().ok()?;
    Some(u64::from(limit))
}

/// Where the SELECT after the common table expressions begins.
fn outer_select(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let past = |end: &[u8]| rest[1..].windows(end.len()).position(|w| w == end).map(|i| at + 1 + i + end.len());
        match bytes[at] {
            b'(' => depth += 1,
            b')' => depth -= 1,
            quote @ (b'\'' | b'"' | b'`') => {
                at = past(&[quote])?;
                continue;
            }
            b'/' if rest.starts_with(b"/*") => {
                at = past(b"*/")?;
                continue;
            }
            b'#' => {
                at = past(b"\n")?;
                continue;
            }
            b'-' if rest.starts_with(b"-- ") => {
                at = past(b"\n")?;
                continue;
            }
            b's' | b'S' if depth == 0 && !bytes[at - 1].is_ascii_alphanumeric() => {
                if rest.get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"SELECT")) {
                    return Some(at);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::execution_time_hint;

    #[test]
    fn only_the_hint_of_a_select_counts() {
        assert_eq!(execution_time_hint(" select /*+ NO_ICP(t) max_execution_time( 20 ) */ 1"), Some(20));
        let with = "WITH a AS (SELECT /*+ MAX_EXECUTION_TIME(1) */ ')'), `select` AS (SELECT 2) select /*+ MAX_EXECUTION_TIME(7) */ 1";
        assert_eq!(execution_time_hint(with), Some(7));
        for text in [
            "WITH a AS (SELECT /*+ MAX_EXECUTION_TIME(1) */ 1) SELECT 2",
            "WITH a AS ('",
            "SELECT 1",
            "SELECT /* MAX_EXECUTION_TIME(1) */ 1",
            "SELECT 1 /*+ MAX_EXECUTION_TIME(1) */",
            "sélect",
            "",
        ] {
            assert_eq!(execution_time_hint(text), None, "{text}");
        }
    }
}
