//! A statement's text as logs and other sessions may see it: what may be a password is hidden.

/// What stands for a text that may be a password.
const HIDDEN: &str = "'***'";
/// Whatever text follows one of these words in a statement may be a password.
const SECRET_WORDS: &[&str] = &["identified", "passwd", "password", "passphrase", "pwd", "secret", "token"];

/// The pieces of `text`, in order, with [`HIDDEN`] for those that may be passwords.
pub(super) fn without_passwords(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    let mut secret = false;
    let mut ended = false;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        if ended {
            rest = "";
            return Some("…");
        }
        let (token, after) = rest.split_at(token_length(rest, first));
        rest = after;
        let is_text = matches!(first, '\'' | '"');
        let mentions = mentions_secret(token);
        let hidden = is_text && (secret || mentions) || secret && token.starts_with("0x");
        secret |= mentions;
        // A statement within the text, or a quote that was read otherwise than the server did: no more of it.
        ended = is_text && mentions;
        Some(if hidden { HIDDEN } else { token })
    })
}

/// The bytes of the comment, literal, word or single character that `rest` begins with. What has no end goes to the end.
fn token_length(rest: &str, first: char) -> usize {
    match first {
        '/' if rest.starts_with("/*") && !rest.starts_with("/*!") => rest.find("*/").map_or(rest.len(), |at| at + 2),
        '#' => rest.find('\n').unwrap_or(rest.len()),
        '-' if rest.starts_with("-- ") => rest.find('\n').unwrap_or(rest.len()),
        '\'' | '"' => literal_length(rest, first),
        c if is_word(c) => rest.find(|c: char| !is_word(c)).unwrap_or(rest.len()),
        c => c.len_utf8(),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Up to its closing quote: a doubled one, and one after a backslash, are of the text.
fn literal_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => drop(chars.next()),
                _ => return at + c.len_utf8(),
            }
        }
    }
    rest.len()
}

fn mentions_secret(token: &str) -> bool {
    let token = token.to_ascii_lowercase();
    SECRET_WORDS.iter().any(|word| token.contains(word))
}
