//! An expression as SHOW CREATE prints it: names in backquotes, functions under their usual names, parentheses only
//! where precedence asks for them.
//!
//! What is printed means the same in every SQL mode, so a definition is kept in this form: CHECK conditions, defaults
//! and generated columns. Every MySQL and MariaDB reads it.

use super::dialect::MarmotDialect;
use super::modes::Modes;
use super::parse::Reader;
use super::tokens::{Tokens, tokenise};
use super::translate::{backquoted, placeholder_bytes};
use sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, TrimWhereField,
    UnaryOperator, Value,
};

/// How tightly an expression holds together; higher binds more. The order is that of the manual's "Operator
/// Precedence".
type Binding = u8;
const OR: Binding = 10;
const XOR: Binding = 12;
const AND: Binding = 15;
const NOT: Binding = 20;
const COMPARISON: Binding = 25;
const PREDICATE: Binding = 30;
const BIT_OR: Binding = 34;
const BIT_AND: Binding = 36;
const SHIFT: Binding = 40;
const SUM: Binding = 45;
const PRODUCT: Binding = 50;
const CARET: Binding = 60;
const SIGN: Binding = 70;
const COLLATE: Binding = 90;
const ATOM: Binding = 100;

/// The text of `expression`; `written` where it holds something that no definition can, or that this cannot print.
pub fn spelled(expression: &Expr, written: &str) -> String {
    let again = |text: &str| {
        let tokens: Tokens = tokenise(text, Modes::NONE).ok()?;
        let dialect = MarmotDialect::default();
        let mut reader = Reader::new(&dialect, &tokens);
        let expression = reader.expression().ok().filter(|_| reader.at_end())?;
        print(&expression, 0)
    };
    match print(expression, 0) {
        // Only what reads back as itself is trusted.
        Some(text) if again(&text).as_ref() == Some(&text) => text,
        _ => written.to_string(),
    }
}

/// The expression where something that binds as tightly as `around` may stand.
fn print(expression: &Expr, around: Binding) -> Option<String> {
    let (text, binding) = stacker::maybe_grow(64 << 10, 1 << 20, || node(expression))?;
    Some(if binding < around { format!("({text})") } else { text })
}

fn node(expression: &Expr) -> Option<(String, Binding)> {
    let atom = |text: String| Some((text, ATOM));
    match expression {
        Expr::Nested(inner) => node(inner),
        Expr::Identifier(name) => atom(backquoted(&name.value)),
        // There is one table, whose name may change.
        Expr::CompoundIdentifier(path) => atom(backquoted(&path.last()?.value)),
        Expr::Value(value) => atom(literal(&value.value)?),
        Expr::Function(function) => call(function),
        Expr::UnaryOp { op, expr } => unary(op, expr),
        Expr::BinaryOp { left, op, right } => binary(left, op, right),
        Expr::IsNull(e) | Expr::IsUnknown(e) => suffix(e, "is null"),
        Expr::IsNotNull(e) | Expr::IsNotUnknown(e) => suffix(e, "is not null"),
        Expr::IsTrue(e) => suffix(e, "is true"),
        Expr::IsNotTrue(e) => suffix(e, "is not true"),
        Expr::IsFalse(e) => suffix(e, "is false"),
        Expr::IsNotFalse(e) => suffix(e, "is not false"),
        Expr::InList { expr, list, negated } => {
            let list = prints(list)?.join(",");
            Some((format!("{}{} in ({list})", print(expr, PREDICATE + 1)?, not(*negated)), PREDICATE))
        }
        Expr::Between { expr, negated, low, high } => {
            let (low, high) = (print(low, PREDICATE + 1)?, print(high, PREDICATE + 1)?);
            let text = format!("{}{} between {low} and {high}", print(expr, PREDICATE + 1)?, not(*negated));
            Some((text, PREDICATE))
        }
        Expr::Like { negated, any: false, expr, pattern, escape_char } => {
            let mut text =
                format!("{}{} like {}", print(expr, PREDICATE + 1)?, not(*negated), print(pattern, PREDICATE + 1)?);
            if let Some(escape) = escape_char {
                text.push_str(&format!(" escape {}", print(escape, PREDICATE + 1)?));
            }
            Some((text, PREDICATE))
        }
        Expr::RLike { negated, expr, pattern, .. } => {
            let (value, pattern) = (print(expr, PREDICATE + 1)?, print(pattern, PREDICATE + 1)?);
            Some((format!("{value}{} regexp {pattern}", not(*negated)), PREDICATE))
        }
        Expr::Case { operand, conditions, else_result, .. } => {
            atom(case(operand.as_deref(), conditions, else_result.as_deref())?)
        }
        Expr::Tuple(all) => atom(format!("({})", prints(all)?.join(","))),
        Expr::Collate { expr, collation } => {
            let name = collation.to_string();
            Some((format!("{} collate {}", print(expr, COLLATE)?, name.trim_matches('`')), COLLATE))
        }
        Expr::Ceil { expr, .. } => atom(format!("ceiling({})", print(expr, 0)?)),
        Expr::Floor { expr, .. } => atom(format!("floor({})", print(expr, 0)?)),
        Expr::Position { expr, r#in } => atom(format!("locate({},{})", print(expr, 0)?, print(r#in, 0)?)),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            let parts = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
            let parts: Option<Vec<String>> = parts.into_iter().flatten().map(|e| print(e, 0)).collect();
            atom(format!("substr({})", parts?.join(",")))
        }
        Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
            let side = match trim_where {
                None => "",
                Some(TrimWhereField::Both) => "both ",
                Some(TrimWhereField::Leading) => "leading ",
                Some(TrimWhereField::Trailing) => "trailing ",
            };
            let from = match (trim_what, side) {
                (Some(what), _) => format!("{} from ", print(what, 0)?),
                (None, "") => String::new(),
                (None, _) => "from ".to_string(),
            };
            atom(format!("trim({side}{from}{})", print(expr, 0)?))
        }
        // Queries, and what only a session or another construct gives meaning to.
        _ => None,
    }
}

/// Whether the text of an expression is one call: `name(...)`.
pub fn is_call(text: &str) -> bool {
    let Some((name, rest)) = text.split_once('(') else { return false };
    let mut depth = 1usize;
    let mut quoted = None;
    let mut escaped = false;
    let closes = rest.char_indices().find(|(_, c)| {
        match (quoted, *c) {
            _ if escaped => escaped = false,
            (Some('\''), '\\') => escaped = true,
            (Some(quote), c) if c == quote => quoted = None,
            (None, '\'' | '`') => quoted = Some(*c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && closes.is_some_and(|(at, _)| at + 1 == rest.len())
}

fn not(negated: bool) -> &'static str {
    if negated { " not" } else { "" }
}

fn prints(all: &[Expr]) -> Option<Vec<String>> {
    all.iter().map(|e| print(e, 0)).collect()
}

fn suffix(operand: &Expr, test: &str) -> Option<(String, Binding)> {
    Some((format!("{} {test}", print(operand, COMPARISON + 1)?), COMPARISON))
}

/// A string constant of an expression.
pub fn text_literal(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\0' => out.push_str("\\0"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{1a}' => out.push_str("\\Z"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

fn literal(value: &Value) -> Option<String> {
    Some(match value {
        Value::Number(digits, _) => digits.clone(),
        Value::SingleQuotedString(text) => text_literal(text),
        Value::Null => "NULL".to_string(),
        Value::Boolean(on) => u8::from(*on).to_string(),
        Value::Placeholder(text) => {
            let (bytes, _) = placeholder_bytes(text)?;
            if bytes.is_empty() { "x''".to_string() } else { format!("0x{}", super::tokens::hex(&bytes)) }
        }
        _ => return None,
    })
}

fn unary(op: &UnaryOperator, operand: &Expr) -> Option<(String, Binding)> {
    Some(match op {
        UnaryOperator::Plus => node(operand)?,
        UnaryOperator::Minus => {
            let text = print(operand, SIGN)?;
            // Two of them begin a comment.
            (if text.starts_with('-') { format!("-({text})") } else { format!("-{text}") }, SIGN)
        }
        UnaryOperator::BitwiseNot => (format!("~{}", print(operand, SIGN)?), SIGN),
        UnaryOperator::Not => match opposite(operand) {
            Some(opposite) => node(&opposite)?,
            None => (format!("not {}", print(operand, NOT + 1)?), NOT),
        },
        _ => return None,
    })
}

/// The comparison that holds where `operand` does not; NULL stays NULL.
fn opposite(operand: &Expr) -> Option<Expr> {
    use BinaryOperator as B;
    match operand {
        Expr::Nested(inner) => opposite(inner),
        Expr::IsNull(e) => Some(Expr::IsNotNull(e.clone())),
        Expr::IsNotNull(e) => Some(Expr::IsNull(e.clone())),
        Expr::BinaryOp { left, op, right } => {
            let op = match op {
                B::Eq => B::NotEq,
                B::NotEq => B::Eq,
                B::Lt => B::GtEq,
                B::LtEq => B::Gt,
                B::Gt => B::LtEq,
                B::GtEq => B::Lt,
                _ => return None,
            };
            Some(Expr::BinaryOp { left: left.clone(), op, right: right.clone() })
        }
        _ => None,
    }
}

fn binary(left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<(String, Binding)> {
    use BinaryOperator as B;
    let (word, binding) = match op {
        B::Or => ("or", OR),
        B::Xor => ("xor", XOR),
        B::And => ("and", AND),
        B::Eq => ("=", COMPARISON),
        B::NotEq => ("<>", COMPARISON),
        B::Lt => ("<", COMPARISON),
        B::LtEq => ("<=", COMPARISON),
        B::Gt => (">", COMPARISON),
        B::GtEq => (">=", COMPARISON),
        B::Spaceship => ("<=>", COMPARISON),
        B::BitwiseOr => ("|", BIT_OR),
        B::BitwiseAnd => ("&", BIT_AND),
        B::PGBitwiseShiftLeft => ("<<", SHIFT),
        B::PGBitwiseShiftRight => (">>", SHIFT),
        B::Plus => ("+", SUM),
        B::Minus => ("-", SUM),
        B::Multiply => ("*", PRODUCT),
        B::Divide => ("/", PRODUCT),
        B::MyIntegerDivide => ("DIV", PRODUCT),
        B::Modulo => ("MOD", PRODUCT),
        B::BitwiseXor => ("^", CARET),
        // What MariaDB and the default mode do not know has another name.
        B::StringConcat => return Some((format!("concat({},{})", print(left, 0)?, print(right, 0)?), ATOM)),
        B::Arrow => return Some((format!("json_extract({},{})", print(left, 0)?, print(right, 0)?), ATOM)),
        B::LongArrow => {
            let text = format!("json_unquote(json_extract({},{}))", print(left, 0)?, print(right, 0)?);
            return Some((text, ATOM));
        }
        _ => return None,
    };
    Some((format!("{} {word} {}", print(left, binding)?, print(right, binding + 1)?), binding))
}

fn case(operand: Option<&Expr>, arms: &[CaseWhen], otherwise: Option<&Expr>) -> Option<String> {
    let mut text = String::from("case");
    if let Some(operand) = operand {
        text.push_str(&format!(" {}", print(operand, 0)?));
    }
    for arm in arms {
        text.push_str(&format!(" when {} then {}", print(&arm.condition, 0)?, print(&arm.result, 0)?));
    }
    if let Some(otherwise) = otherwise {
        text.push_str(&format!(" else {}", print(otherwise, 0)?));
    }
    text.push_str(" end");
    Some(text)
}

/// Functions that are printed under another of their names.
const SYNONYMS: &[(&str, &str)] = &[
    ("ceil", "ceiling"),
    ("character_length", "char_length"),
    ("current_date", "curdate"),
    ("current_time", "curtime"),
    ("day", "dayofmonth"),
    ("length", "octet_length"),
    ("localtime", "current_timestamp"),
    ("localtimestamp", "current_timestamp"),
    ("lower", "lcase"),
    ("mid", "substr"),
    ("now", "current_timestamp"),
    ("power", "pow"),
    ("schema", "database"),
    ("sha1", "sha"),
    ("substring", "substr"),
    ("upper", "ucase"),
];

fn call(function: &Function) -> Option<(String, Binding)> {
    let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
    let FunctionArguments::List(list) = &function.args else { return None };
    if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
        return None;
    }
    let argument = |a: &'_ FunctionArg| match a {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Some(e.clone()),
        _ => None,
    };
    let arguments: Vec<Expr> = list.args.iter().map(argument).collect::<Option<_>>()?;
    let name = function.name.to_string();
    let name = name.trim_matches('`').to_lowercase();
    let constant = |e: &Expr| match e {
        Expr::Value(v) => match &v.value {
            Value::SingleQuotedString(text) => Some(text.to_lowercase()),
            _ => None,
        },
        _ => None,
    };
    let atom = |text: String| Some((text, ATOM));
    match (name.as_str(), arguments.as_slice()) {
        ("#interval", [amount, unit]) => atom(format!("interval {} {}", print(amount, ATOM)?, constant(unit)?)),
        ("#cast", [value, target]) => {
            let target = constant(target)?.replace(" (", "(").replace("( ", "(").replace(" )", ")").replace(" , ", ",");
            let target = match target.as_str() {
                "signed integer" | "signed int" => "signed",
                "unsigned integer" | "unsigned int" => "unsigned",
                other => other,
            };
            atom(format!("cast({} as {target})", print(value, 0)?))
        }
        ("#extract", [value, unit]) => atom(format!("extract({} from {})", constant(unit)?, print(value, 0)?)),
        ("#binary", [value]) => atom(format!("cast({} as binary)", print(value, 0)?)),
        ("#date" | "#time" | "#timestamp", [value]) => {
            atom(format!("{}{}", name[1..].to_uppercase(), print(value, 0)?))
        }
        ("date_add" | "adddate" | "date_sub" | "subdate", [date, amount]) => {
            let sign = if name.ends_with("sub") || name.starts_with("sub") { "-" } else { "+" };
            let amount = match amount {
                Expr::Function(f) if f.name.to_string().contains("#interval") => print(amount, ATOM)?,
                days => format!("interval {} day", print(days, ATOM)?),
            };
            Some((format!("{} {sign} {amount}", print(date, SUM)?), SUM))
        }
        ("mod", [left, right]) => binary(left, &BinaryOperator::Modulo, right),
        ("isnull", [value]) => suffix(value, "is null"),
        ("timestampdiff" | "timestampadd", [Expr::Identifier(unit), rest @ ..]) => {
            atom(format!("{name}({},{})", unit.value.to_uppercase(), prints(rest)?.join(",")))
        }
        (internal, _) if internal.starts_with('#') => None,
        // Their first argument is a word of its own.
        ("get_format" | "row", _) => None,
        _ => {
            let name = SYNONYMS.iter().find(|(n, _)| *n == name).map_or(name.as_str(), |(_, usual)| usual);
            atom(format!("{name}({})", prints(&arguments)?.join(",")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spell(text: &str) -> String {
        let (expression, _) = super::super::parse::parse_expression(text, Modes::NONE).expect(text);
        spelled(&expression, "as written")
    }

    #[test]
    fn parentheses_stand_where_precedence_asks_for_them() {
        for (written, shown) in [
            ("(a+b)*2>3 AND ((c))", "(`a` + `b`) * 2 > 3 and `c`"),
            ("a-(b-1)-1", "`a` - (`b` - 1) - 1"),
            ("(a OR b) AND NOT (c AND d)", "(`a` or `b`) and not (`c` and `d`)"),
            ("a|b&1 ^ 2 << 3", "`a` | `b` & 1 ^ 2 << 3"),
            ("NOT (a=1)", "`a` <> 1"),
            ("!a AND ~b AND - -1 < 0", "not `a` and ~`b` and -(-1) < 0"),
            ("(a between 1 and 2) = 1", "`a` between 1 and 2 = 1"),
            ("a = (b < 2)", "`a` = (`b` < 2)"),
            ("(a is null) is null", "(`a` is null) is null"),
        ] {
            assert_eq!(spell(written), shown, "{written}");
        }
    }

    #[test]
    fn names_constants_and_calls_in_their_usual_form() {
        for (written, shown) in [
            ("t.A='it''s'", "`A` = 'it\\'s'"),
            ("x'41' = s AND b'11'", "0x41 = `s` and 0x03"),
            ("UPPER(s) LIKE 'a%' ESCAPE '|'", "ucase(`s`) like 'a%' escape '|'"),
            ("substring(s from 2 for 3) NOT IN ('a', \"b\")", "substr(`s`,2,3) not in ('a','b')"),
            ("d + interval 1 day", "`d` + interval 1 day"),
            ("date_sub(d, interval 2 HOUR) < now(3)", "`d` - interval 2 hour < current_timestamp(3)"),
            ("CAST(a AS DECIMAL(10, 2))", "cast(`a` as decimal(10,2))"),
            ("j->>'$.x'", "json_unquote(json_extract(`j`,'$.x'))"),
            ("CASE a WHEN 1 THEN 2 ELSE 3 END", "case `a` when 1 then 2 else 3 end"),
            ("extract(year from d) = TRUE", "extract(year from `d`) = 1"),
            ("trim(leading 'x' from s) is not true", "trim(leading 'x' from `s`) is not true"),
            ("s collate utf8mb4_bin = 'a'", "`s` collate utf8mb4_bin = 'a'"),
            ("timestampdiff(day, d, e)", "timestampdiff(DAY,`d`,`e`)"),
        ] {
            assert_eq!(spell(written), shown, "{written}");
        }
    }

    #[test]
    fn a_call_is_told_from_an_expression() {
        assert!(is_call("concat(`a`,'\\')(')") && is_call("uuid()"));
        assert!(!is_call("f(1) + g(2)") && !is_call("(1)") && !is_call("`a`") && !is_call("1 + f(2)"));
    }

    #[test]
    fn what_cannot_be_printed_stays_as_written() {
        for written in ["a in (select 1)", "@a", "sum(distinct a)", "exists (select 1)"] {
            assert_eq!(spell(written), "as written", "{written}");
        }
    }
}
