//! Optimizer hints, `/*+ ... */` after the first word. They are comments but for one.

/// The milliseconds of `SELECT /*+ MAX_EXECUTION_TIME(n) */`.
pub fn execution_time_hint(text: &str) -> Option<u64> {
    let text = text.trim_start();
    let rest = text.get(..6).filter(|word| word.eq_ignore_ascii_case("SELECT")).map(|_| text[6..].trim_start())?;
    let hints = rest.strip_prefix("/*+")?;
    let hints = hints[..hints.find("*/")?].to_ascii_uppercase();
    let after = hints[hints.find("MAX_EXECUTION_TIME")? + "MAX_EXECUTION_TIME".len()..].trim_start();
    let inside = after.strip_prefix('(')?;
    let limit: u32 = inside[..inside.find(')')?].trim().parse().ok()?;
    Some(u64::from(limit))
}

#[cfg(test)]
mod tests {
    use super::execution_time_hint;

    #[test]
    fn only_the_hint_of_a_select_counts() {
        assert_eq!(execution_time_hint(" select /*+ NO_ICP(t) max_execution_time( 20 ) */ 1"), Some(20));
        for text in
            ["SELECT 1", "SELECT /* MAX_EXECUTION_TIME(1) */ 1", "SELECT 1 /*+ MAX_EXECUTION_TIME(1) */", "sélect", ""]
        {
            assert_eq!(execution_time_hint(text), None, "{text}");
        }
    }
}
