//! String functions (manual, "String Functions and Operators").

use super::argument::{bytes, integer, maybe_int, maybe_text, nth, real, text, text_or_blob};
use super::registry::{Function, FunctionContext, LONGEST};
use crate::sql::collate::CollationOrder;
use crate::sql::error::Error;
use crate::types::Value;

type Result = std::result::Result<Value, Error>;

macro_rules! functions {
    ($($name:literal $arity:literal $eval:expr;)+) => {
        pub(super) const FUNCTIONS: &[Function] =
            &[$(Function { name: $name, arity: $arity, deterministic: true, eval: $eval }),+];
    };
}

functions! {
    "marmot_concat" -1 |c, a| Ok(concat(c, a));
    "marmot_concat_ws" -1 |c, a| Ok(concat_ws(c, a));
    "marmot_upper" 1 |_, a| Ok(maybe_text(text(&a[0]).map(|t| t.to_uppercase())));
    "marmot_lower" 1 |_, a| Ok(maybe_text(text(&a[0]).map(|t| t.to_lowercase())));
    "marmot_char_length" 1 |_, a| Ok(char_length(&a[0]));
    "marmot_substring" -1 |_, a| Ok(substring(a));
    "marmot_left" 2 |_, a| Ok(left(a));
    "marmot_right" 2 |_, a| Ok(right(a));
    "marmot_trim" 3 |_, a| Ok(trim(a));
    "marmot_locate" -1 |_, a| Ok(locate(a));
    "marmot_locate_ci" -1 |_, a| Ok(locate_ci(a));
    "marmot_lpad" -1 |c, a| Ok(pad(c, a, true));
    "marmot_rpad" -1 |c, a| Ok(pad(c, a, false));
    "marmot_repeat" 2 |c, a| Ok(repeated(c, "repeat", a));
    "marmot_reverse" 1 |_, a| Ok(reverse(&a[0]));
    "marmot_space" 1 |c, a| Ok(repeated(c, "space", &[Value::from(" "), a[0].clone()]));
    "marmot_field" -1 |_, a| Ok(field(a, equal));
    "marmot_field_exact" -1 |_, a| Ok(field(a, |x, y| *x != Value::Null && x == y));
    "marmot_find_in_set" -1 |_, a| Ok(find_in_set(a));
    "marmot_elt" -1 |_, a| Ok(elt(a));
    "marmot_hex" 1 |c, a| Ok(hex(c, &a[0]));
    "marmot_unhex" 1 |_, a| Ok(unhex(&a[0]));
    "marmot_ascii" 1 |_, a| Ok(maybe_int(bytes(&a[0]).map(|b| b.first().map_or(0, |c| i64::from(*c)))));
    "marmot_ord" 1 |_, a| Ok(ord(&a[0]));
    "marmot_char" -1 |_, a| Ok(Value::Blob(char_bytes(a).into()));
    "marmot_char_using" -1 |_, a| Ok(String::from_utf8(char_bytes(a)).map_or(Value::Null, Value::text));
    "marmot_insert" 4 |_, a| Ok(insert(a));
    "marmot_substring_index" 3 |_, a| Ok(substring_index(a));
    "marmot_strcmp" -1 |_, a| Ok(strcmp(a));
    "marmot_weight_string" 2 |_, a| Ok(weight_string(a));
    "marmot_quote" 1 |_, a| Ok(quote(&a[0]));
    "marmot_soundex" 1 |_, a| Ok(maybe_text(text(&a[0]).map(|t| soundex(&t))));
    "marmot_like" 4 like;
    "marmot_conv" 3 |_, a| Ok(conv(a));
    "marmot_bin" 1 |_, a| Ok(maybe_text(whole_bits(&a[0]).map(|n| format!("{n:b}"))));
    "marmot_oct" 1 |_, a| Ok(maybe_text(whole_bits(&a[0]).map(|n| format!("{n:o}"))));
    "marmot_make_set" -1 |_, a| Ok(make_set(a));
    "marmot_export_set" -1 |_, a| Ok(export_set(a));
}

fn is_binary(value: &Value) -> bool {
    matches!(value, Value::Blob(_))
}

fn concat(context: &FunctionContext, a: &[Value]) -> Value {
    let mut out = Vec::new();
    for value in a {
        match bytes(value) {
            Some(part) if out.len() + part.len() <= LONGEST => out.extend_from_slice(&part),
            Some(_) => return context.too_long("concat"),
            None => return Value::Null,
        }
    }
    text_or_blob(a.iter().any(is_binary), out)
}

fn concat_ws(context: &FunctionContext, a: &[Value]) -> Value {
    let Some(separator) = bytes(nth(a, 0)) else { return Value::Null };
    let parts: Vec<_> = a.iter().skip(1).filter_map(bytes).collect();
    if parts.iter().map(|p| p.len() + separator.len()).sum::<usize>() > LONGEST {
        return context.too_long("concat_ws");
    }
    text_or_blob(a.iter().any(is_binary), parts.join(&*separator))
}

fn char_length(value: &Value) -> Value {
    match value {
        Value::Blob(bytes) => Value::Int(bytes.len() as i64),
        other => maybe_int(text(other).map(|t| t.chars().count() as i64)),
    }
}

/// The characters `from .. from + length`, by characters of text and by bytes of BLOBs.
fn slice(value: &Value, from: usize, length: usize) -> Value {
    if let Value::Blob(bytes) = value {
        let from = from.min(bytes.len());
        let to = from.saturating_add(length).min(bytes.len());
        return Value::Blob(bytes[from..to].into());
    }
    maybe_text(text(value).map(|t| t.chars().skip(from).take(length).collect()))
}

fn length_of(value: &Value) -> usize {
    match value {
        Value::Blob(bytes) => bytes.len(),
        other => text(other).map_or(0, |t| t.chars().count()),
    }
}

fn substring(a: &[Value]) -> Value {
    let (Some(position), Some(length)) = (integer(nth(a, 1)), a.get(2).map_or(Some(i64::MAX), integer)) else {
        return Value::Null;
    };
    if a[0] == Value::Null {
        return Value::Null;
    }
    let total = length_of(&a[0]) as i64;
    let from = if position > 0 { position - 1 } else { total.saturating_add(position) };
    if position == 0 || from < 0 || from >= total || length <= 0 {
        return slice(&a[0], 0, 0);
    }
    slice(&a[0], from as usize, usize::try_from(length).unwrap_or(usize::MAX))
}

fn left(a: &[Value]) -> Value {
    match integer(&a[1]) {
        Some(n) => slice(&a[0], 0, usize::try_from(n).unwrap_or(0)),
        None => Value::Null,
    }
}

fn right(a: &[Value]) -> Value {
    let Some(n) = integer(&a[1]) else { return Value::Null };
    let total = length_of(&a[0]);
    let n = usize::try_from(n).unwrap_or(0).min(total);
    slice(&a[0], total - n, n)
}

/// `trim(where, what, text)`, where is 1 leading, 2 trailing, 3 both.
fn trim(a: &[Value]) -> Value {
    let (Some(sides), Some(what), Some(whole)) = (integer(&a[0]), text(&a[1]), text(&a[2])) else { return Value::Null };
    let mut rest: &str = &whole;
    if what.is_empty() {
        return Value::text(rest);
    }
    if sides & 1 != 0 {
        rest = rest.trim_start_matches(&*what);
    }
    if sides & 2 != 0 {
        rest = rest.trim_end_matches(&*what);
    }
    Value::text(rest)
}

/// `locate(needle, haystack[, position])`, exactly.
fn locate(a: &[Value]) -> Value {
    let (Some(needle), Some(haystack), Some(position)) =
        (text(&a[0]), text(nth(a, 1)), a.get(2).map_or(Some(1), integer))
    else {
        return Value::Null;
    };
    let Some(skip) = usize::try_from(position).ok().and_then(|p| p.checked_sub(1)) else { return Value::Int(0) };
    let mut starts = haystack.char_indices().map(|(i, _)| i).chain([haystack.len()]);
    let Some(from) = starts.nth(skip) else { return Value::Int(0) };
    match haystack[from..].find(&*needle) {
        Some(found) => Value::Int((skip + haystack[from..from + found].chars().count() + 1) as i64),
        None => Value::Int(0),
    }
}

fn locate_ci(a: &[Value]) -> Value {
    let lower = |v: &Value| maybe_text(text(v).map(|t| t.to_lowercase()));
    let mut folded: Vec<Value> = a.iter().take(2).map(lower).collect();
    folded.extend(a.iter().skip(2).cloned());
    locate(&folded)
}

fn pad(context: &FunctionContext, a: &[Value], on_left: bool) -> Value {
    let filler = a.get(2).map_or(Some(" ".into()), text);
    let (Some(whole), Some(length), Some(filler)) = (text(nth(a, 0)), integer(nth(a, 1)), filler) else {
        return Value::Null;
    };
    let Ok(length) = usize::try_from(length) else { return Value::Null };
    if length > LONGEST {
        return context.too_long(if on_left { "lpad" } else { "rpad" });
    }
    let have = whole.chars().count();
    if have >= length {
        return Value::text(whole.chars().take(length).collect::<String>());
    }
    if filler.is_empty() {
        return Value::from("");
    }
    let padding: String = filler.chars().cycle().take(length - have).collect();
    Value::text(if on_left { padding + &whole } else { whole.into_owned() + &padding })
}

/// REPEAT and SPACE.
fn repeated(context: &FunctionContext, name: &str, a: &[Value]) -> Value {
    let (Some(part), Some(count)) = (bytes(&a[0]), integer(&a[1])) else { return Value::Null };
    let count = usize::try_from(count).unwrap_or(0);
    match part.len().checked_mul(count) {
        Some(length) if length <= LONGEST => text_or_blob(is_binary(&a[0]), part.repeat(count)),
        _ => context.too_long(name),
    }
}

fn reverse(value: &Value) -> Value {
    match value {
        Value::Blob(bytes) => Value::Blob(bytes.iter().rev().copied().collect()),
        other => maybe_text(text(other).map(|t| t.chars().rev().collect())),
    }
}

fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Int(_) | Value::Real(_), _) | (_, Value::Int(_) | Value::Real(_)) => {
            real(a) == real(b) && real(a).is_some()
        }
        _ => match (text(a), text(b)) {
            (Some(a), Some(b)) => a.to_lowercase() == b.to_lowercase(),
            _ => false,
        },
    }
}

fn field(a: &[Value], same: fn(&Value, &Value) -> bool) -> Value {
    let found = a.iter().skip(1).position(|v| same(nth(a, 0), v));
    Value::Int(found.map_or(0, |i| i as i64 + 1))
}

fn find_in_set(a: &[Value]) -> Value {
    let (Some(needle), Some(list)) = (text(nth(a, 0)), text(nth(a, 1))) else { return Value::Null };
    if list.is_empty() || needle.contains(',') {
        return Value::Int(0);
    }
    let exact = nth(a, 2) == &Value::Int(1) || a.iter().any(is_binary);
    if exact {
        return Value::Int(list.split(',').position(|p| p == needle).map_or(0, |i| i as i64 + 1));
    }
    let needle = needle.to_lowercase();
    Value::Int(list.split(',').position(|p| p.to_lowercase() == needle).map_or(0, |i| i as i64 + 1))
}

fn elt(a: &[Value]) -> Value {
    let index = integer(nth(a, 0)).and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0);
    index.and_then(|n| a.get(n)).cloned().unwrap_or(Value::Null)
}

pub(super) fn hex_text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}

fn hex(context: &FunctionContext, value: &Value) -> Value {
    match value {
        Value::Int(n) => Value::text(format!("{n:X}")),
        // Beyond 64 bits all of them are set.
        Value::Real(x) if x.0.abs() >= 1.8446744073709552e19 => Value::text(format!("{:X}", u64::MAX)),
        Value::Real(x) if x.0 > 0.0 => Value::text(format!("{:X}", x.0.round() as u64)),
        Value::Real(x) => Value::text(format!("{:X}", x.0.round() as i64)),
        Value::Text(cell) if crate::sql::unsigned::parse(cell).is_some() => {
            Value::text(format!("{:X}", crate::sql::unsigned::parse(cell).unwrap_or(0)))
        }
        Value::Text(cell) if crate::sql::decimal::digits(cell).is_some() => Value::text(format!("{:X}", u64::MAX)),
        other => match bytes(other) {
            Some(bytes) if bytes.len() > LONGEST / 2 => context.too_long("hex"),
            bytes => maybe_text(bytes.map(|b| hex_text(&b))),
        },
    }
}

fn unhex(value: &Value) -> Value {
    let Some(digits) = text(value) else { return Value::Null };
    let padded = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits.into_owned() };
    let nibble = |c: u8| char::from(c).to_digit(16).map(|d| d as u8);
    let pairs = padded.as_bytes().chunks_exact(2);
    let decoded: Option<Vec<u8>> = pairs.map(|p| Some(nibble(p[0])? << 4 | nibble(p[1])?)).collect();
    decoded.map_or(Value::Null, |b| Value::Blob(b.into()))
}

fn ord(value: &Value) -> Value {
    let first = text(value).map(|t| t.chars().next().map(|c| c.to_string()).unwrap_or_default());
    maybe_int(first.map(|c| c.bytes().fold(0, |n, b| n << 8 | i64::from(b))))
}

fn char_bytes(a: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in a.iter().filter_map(integer) {
        let bytes = (number as u32).to_be_bytes();
        let zeros = bytes.iter().take(3).take_while(|b| **b == 0).count();
        out.extend_from_slice(&bytes[zeros..]);
    }
    out
}

fn insert(a: &[Value]) -> Value {
    let (Some(whole), Some(position), Some(length), Some(new)) =
        (text(&a[0]), integer(&a[1]), integer(&a[2]), text(&a[3]))
    else {
        return Value::Null;
    };
    let characters: Vec<char> = whole.chars().collect();
    let Some(from) = usize::try_from(position).ok().and_then(|p| p.checked_sub(1)) else { return Value::text(&*whole) };
    if from >= characters.len() {
        return Value::text(&*whole);
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let to = from.saturating_add(length).min(characters.len());
    let head: String = characters[..from].iter().collect();
    let tail: String = characters[to..].iter().collect();
    Value::text(format!("{head}{new}{tail}"))
}

fn substring_index(a: &[Value]) -> Value {
    let (Some(whole), Some(separator), Some(count)) = (text(&a[0]), text(&a[1]), integer(&a[2])) else {
        return Value::Null;
    };
    if separator.is_empty() || count == 0 {
        return Value::from("");
    }
    let n = usize::try_from(count.unsigned_abs()).unwrap_or(usize::MAX);
    let cut = if count > 0 {
        whole.match_indices(&*separator).nth(n - 1).map(|(i, _)| &whole[..i])
    } else {
        whole.rmatch_indices(&*separator).nth(n - 1).map(|(i, s)| &whole[i + s.len()..])
    };
    Value::text(cut.unwrap_or(&whole))
}

fn strcmp(a: &[Value]) -> Value {
    let exact = nth(a, 2) == &Value::Int(1) || a.iter().any(is_binary);
    let order = order_of(nth(a, 2)).filter(|_| !exact);
    match (text(nth(a, 0)), text(nth(a, 1))) {
        (Some(x), Some(y)) if order.is_some() => Value::Int(order.map_or(0, |o| o.compare(&x, &y) as i64)),
        (Some(x), Some(y)) if exact => Value::Int(x.cmp(&y) as i64),
        (Some(x), Some(y)) => Value::Int(x.to_lowercase().cmp(&y.to_lowercase()) as i64),
        _ => Value::Null,
    }
}

/// WEIGHT_STRING: a binary string is its own weight.
fn weight_string(a: &[Value]) -> Value {
    let order = text(nth(a, 1)).and_then(|name| CollationOrder::named(&name));
    match (nth(a, 0), order) {
        (Value::Null, _) => Value::Null,
        (value, Some(order)) if !is_binary(value) => {
            text(value).map_or(Value::Null, |text| Value::Blob(order.weights(&text).into()))
        }
        (value, _) => bytes(value).map_or(Value::Null, |bytes| Value::Blob(bytes.into_owned().into())),
    }
}

fn quote(value: &Value) -> Value {
    let Some(whole) = text(value) else { return Value::from("NULL") };
    let mut out = String::from("'");
    for c in whole.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\u{1a}' => out.push_str("\\Z"),
            c => out.push(c),
        }
    }
    out.push('\'');
    Value::text(out)
}

fn soundex(whole: &str) -> String {
    let code = |c: char| match c {
        'B' | 'F' | 'P' | 'V' => '1',
        'C' | 'G' | 'J' | 'K' | 'Q' | 'S' | 'X' | 'Z' => '2',
        'D' | 'T' => '3',
        'L' => '4',
        'M' | 'N' => '5',
        'R' => '6',
        _ => '0',
    };
    let mut letters = whole.chars().filter(|c| c.is_alphabetic()).map(|c| c.to_ascii_uppercase());
    let Some(first) = letters.next() else { return String::new() };
    let mut out = String::from(first);
    let mut last = code(first);
    for letter in letters {
        let digit = code(letter);
        // MySQL's own rule: letters without a code do not part equal codes.
        if digit != '0' && digit != last {
            out.push(digit);
            last = digit;
        }
    }
    while out.chars().count() < 4 {
        out.push('0');
    }
    out
}

/// `like(text, pattern, escape, how)`. `%` and `_` as in MySQL; a pattern that ends in the escape means it. `how`: 0 respects
/// case, 1 ignores it, a collation's name compares character by character under it.
fn like(_: &FunctionContext, a: &[Value]) -> Result {
    let (Some(whole), Some(pattern), Some(escape)) = (text(&a[0]), text(&a[1]), text(&a[2])) else {
        return Ok(Value::Null);
    };
    if escape.chars().count() > 1 {
        return Err(Error::wrong_arguments("ESCAPE"));
    }
    if let Some(order) = order_of(&a[3]) {
        let (whole, pattern): (Vec<char>, Vec<char>) = (whole.chars().collect(), pattern.chars().collect());
        let same = |x, y| order.same_character(x, y);
        return Ok(Value::Int(i64::from(matches_like_by(&whole, &pattern, escape.chars().next(), same))));
    }
    let fold = a[3] == Value::Int(1);
    let folded = |t: &str| -> Vec<char> { if fold { t.to_lowercase().chars().collect() } else { t.chars().collect() } };
    Ok(Value::Int(i64::from(matches_like(&folded(&whole), &folded(&pattern), escape.chars().next()))))
}

/// The collation that an argument names.
fn order_of(argument: &Value) -> Option<&'static CollationOrder> {
    match argument {
        Value::Text(name) => CollationOrder::named(name),
        _ => None,
    }
}

/// Whether `text` is like `pattern`, characters being equal when they are the same.
pub fn matches_like(text: &[char], pattern: &[char], escape: Option<char>) -> bool {
    matches_like_by(text, pattern, escape, |x, y| x == y)
}

/// Greedy matching with one point to fall back to: linear in practice, quadratic at worst.
fn matches_like_by(text: &[char], pattern: &[char], escape: Option<char>, same: impl Fn(char, char) -> bool) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        let matched = match pattern.get(p) {
            Some('%') if escape != Some('%') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            None => t == text.len(),
            Some('_') if escape != Some('_') => {
                p += 1;
                t < text.len()
            }
            Some(c) => {
                let literal = if Some(*c) == escape && p + 1 < pattern.len() {
                    p += 1;
                    &pattern[p]
                } else {
                    c
                };
                p += 1;
                text.get(t).is_some_and(|c| same(*c, *literal))
            }
        };
        if matched {
            if p >= pattern.len() && t >= text.len() {
                return true;
            }
            t += 1;
            continue;
        }
        match retry {
            Some((after, at)) if at < text.len() => {
                retry = Some((after, at + 1));
                p = after;
                t = at + 1;
            }
            _ => return false,
        }
    }
}

/// The whole number that a value begins with: decimals are cut off.
/// A number without its decimals, as 64 bits.
fn whole_bits(value: &Value) -> Option<u64> {
    let unsigned = match value {
        Value::Text(cell) => crate::sql::unsigned::parse(cell),
        _ => None,
    };
    unsigned.or_else(|| cut(value).map(i64::cast_unsigned))
}

fn cut(value: &Value) -> Option<i64> {
    match crate::sql::store::to_number(value) {
        Value::Real(x) => integer(&Value::real(x.0.trunc())),
        number => integer(&number),
    }
}

fn conv(a: &[Value]) -> Value {
    let (Some(digits), Some(from), Some(to)) = (text(&a[0]), integer(&a[1]), integer(&a[2])) else {
        return Value::Null;
    };
    let (Ok(from), Ok(radix)) = (u32::try_from(from.unsigned_abs()), u32::try_from(to.unsigned_abs())) else {
        return Value::Null;
    };
    if !(2..=36).contains(&from) || !(2..=36).contains(&radix) {
        return Value::Null;
    }
    let trimmed = digits.trim();
    let (negative, body) = trimmed.strip_prefix('-').map_or((false, trimmed), |b| (true, b));
    let magnitude = body
        .chars()
        .map_while(|c| c.to_digit(from))
        .fold(0u64, |n, d| n.saturating_mul(u64::from(from)).saturating_add(u64::from(d)));
    let number = if negative { magnitude.wrapping_neg() } else { magnitude };
    let (sign, mut rest) =
        if to < 0 && (number as i64) < 0 { ("-", (number as i64).unsigned_abs()) } else { ("", number) };
    let mut out = Vec::new();
    loop {
        out.push(char::from_digit((rest % u64::from(radix)) as u32, radix).unwrap_or('0').to_ascii_uppercase());
        rest /= u64::from(radix);
        if rest == 0 {
            break;
        }
    }
    Value::text(format!("{sign}{}", out.iter().rev().collect::<String>()))
}

fn make_set(a: &[Value]) -> Value {
    let Some(bits) = integer(nth(a, 0)) else { return Value::Null };
    let chosen = a.iter().skip(1).take(64).enumerate().filter(|(i, _)| bits >> i & 1 == 1);
    let parts: Vec<String> = chosen.filter_map(|(_, v)| text(v).map(|t| t.into_owned())).collect();
    Value::text(parts.join(","))
}

fn export_set(a: &[Value]) -> Value {
    let (Some(bits), Some(on), Some(off)) = (integer(nth(a, 0)), text(nth(a, 1)), text(nth(a, 2))) else {
        return Value::Null;
    };
    let separator = a.get(3).map_or(Some(",".into()), text);
    let count = a.get(4).map_or(Some(64), integer);
    let (Some(separator), Some(count)) = (separator, count) else { return Value::Null };
    let parts: Vec<&str> = (0..count.clamp(0, 64)).map(|i| if bits >> i & 1 == 1 { &*on } else { &*off }).collect();
    Value::text(parts.join(&separator))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, arguments: &[Value]) -> Value {
        let function = FUNCTIONS.iter().find(|f| f.name == name).unwrap();
        (function.eval)(&FunctionContext::default(), arguments).unwrap()
    }
    fn t(s: &str) -> Value {
        Value::from(s)
    }
    fn i(n: i64) -> Value {
        Value::Int(n)
    }

    #[test]
    fn as_the_manual_says() {
        assert_eq!(call("marmot_concat", &[t("My"), t("S"), t("QL")]), t("MySQL"));
        assert_eq!(call("marmot_concat", &[t("My"), Value::Null]), Value::Null);
        assert_eq!(call("marmot_concat_ws", &[t(","), t("a"), Value::Null, t("b")]), t("a,b"));
        assert_eq!(call("marmot_substring", &[t("Quadratically"), i(5)]), t("ratically"));
        assert_eq!(call("marmot_substring", &[t("Sakila"), i(-5), i(3)]), t("aki"));
        assert_eq!(call("marmot_substring", &[t("abc"), i(0)]), t(""));
        assert_eq!(call("marmot_locate", &[t("bar"), t("foobarbar"), i(5)]), i(7));
        assert_eq!(call("marmot_locate_ci", &[t("BAR"), t("foobarbar")]), i(4));
        assert_eq!(call("marmot_lpad", &[t("hi"), i(4), t("??")]), t("??hi"));
        assert_eq!(call("marmot_lpad", &[t("hi"), i(1), t("??")]), t("h"));
        assert_eq!(call("marmot_field", &[t("Bb"), t("Aa"), t("bb")]), i(2));
        assert_eq!(call("marmot_find_in_set", &[t("b"), t("a,b,c,d")]), i(2));
        assert_eq!(call("marmot_hex", &[i(255)]), t("FF"));
        assert_eq!(call("marmot_hex", &[t("abc")]), t("616263"));
        assert_eq!(call("marmot_insert", &[t("Quadratic"), i(3), i(4), t("What")]), t("QuWhattic"));
        assert_eq!(call("marmot_substring_index", &[t("www.mysql.com"), t("."), i(-2)]), t("mysql.com"));
        assert_eq!(call("marmot_trim", &[i(3), t("x"), t("xxbarxx")]), t("bar"));
        assert_eq!(call("marmot_conv", &[t("6E"), i(18), i(8)]), t("172"));
        assert_eq!(call("marmot_soundex", &[t("Quadratically")]), t("Q36324"));
        assert_eq!(call("marmot_soundex", &[t("hello all folks")]), t("H4142"));
        assert_eq!(call("marmot_lpad", &[t("hi"), i(4)]), t("  hi"));
        assert_eq!(call("marmot_left", &[t("hi"), crate::sql::unsigned::cell(u64::MAX)]), t("hi"));
        assert_eq!(call("marmot_char_using", &[i(255)]), Value::Null);
        assert_eq!(call("marmot_hex", &[crate::sql::unsigned::cell(u64::MAX)]), t("FFFFFFFFFFFFFFFF"));
        assert_eq!(call("marmot_strcmp", &[t("a"), t("A"), i(1)]), i(1));
        assert_eq!(call("marmot_repeat", &[t("x"), i(i64::MAX)]), Value::Null);
    }

    #[test]
    fn like_patterns() {
        let like =
            |t: &str, p: &str| matches_like(&t.chars().collect::<Vec<_>>(), &p.chars().collect::<Vec<_>>(), Some('\\'));
        assert!(like("David!", "David_"));
        assert!(like("David!", "%D%v%"));
        assert!(like("", "%") && like("abc", "%%c") && like("aab", "%ab"));
        assert!(!like("David_", "David\\%") && like("David_", "David\\_"));
        assert!(!like("abc", "ab") && !like("ab", "abc") && !like("", "_"));
        assert!(like("a\\", "a\\"));
    }
}
