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
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, TrimWhereField,
    UnaryOperator, Value,
};

/// How tightly an expression holds together; higher binds more. The order is that of the manual's "Operator
/// Precedence".
type Binding = u8;
const OR: Binding = 10;
const XOR: Binding = 12;
const AND: Binding = 15;
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

/// Prints expressions, with a way of its own to print the names of columns.
pub struct Speller<'a> {
    /// The text of a column's name; `None`: it cannot be told which column it is.
    names: &'a dyn Fn(&[Ident]) -> Option<String>,
}

impl<'a> Speller<'a> {
    pub fn new(names: &'a dyn Fn(&[Ident]) -> Option<String>) -> Speller<'a> {
        Speller { names }
    }

    /// The text of an expression; `None` where it holds something that this cannot print.
    pub fn spell(&self, expression: &Expr) -> Option<String> {
        self.print(expression, 0)
    }

    /// The expression where something that binds as tightly as `around` may stand.
    fn print(&self, expression: &Expr, around: Binding) -> Option<String> {
        let (text, binding) = stacker::maybe_grow(64 << 10, 1 << 20, || self.node(expression))?;
        Some(if binding < around { format!("({text})") } else { text })
    }

    fn node(&self, expression: &Expr) -> Option<(String, Binding)> {
        let atom = |text: String| Some((text, ATOM));
        match expression {
            Expr::Nested(inner) => self.node(inner),
            Expr::Identifier(name) => atom((self.names)(std::slice::from_ref(name))?),
            Expr::CompoundIdentifier(path) => atom((self.names)(path)?),
            Expr::Value(value) => atom(literal(&value.value)?),
            Expr::Function(function) => self.call(function),
            Expr::UnaryOp { op, expr } => self.unary(op, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right),
            Expr::IsNull(e) | Expr::IsUnknown(e) => self.suffix(e, "is null"),
            Expr::IsNotNull(e) | Expr::IsNotUnknown(e) => self.suffix(e, "is not null"),
            Expr::IsTrue(e) => self.suffix(e, "is true"),
            Expr::IsNotTrue(e) => self.suffix(e, "is not true"),
            Expr::IsFalse(e) => self.suffix(e, "is false"),
            Expr::IsNotFalse(e) => self.suffix(e, "is not false"),
            Expr::InList { expr, list, negated } => {
                let list = self.prints(list)?.join(",");
                Some((format!("{}{} in ({list})", self.print(expr, PREDICATE + 1)?, not(*negated)), PREDICATE))
            }
            Expr::Between { expr, negated, low, high } => {
                let (low, high) = (self.print(low, PREDICATE + 1)?, self.print(high, PREDICATE + 1)?);
                let text = format!("{}{} between {low} and {high}", self.print(expr, PREDICATE + 1)?, not(*negated));
                Some((text, PREDICATE))
            }
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                let mut text = format!(
                    "{}{} like {}",
                    self.print(expr, PREDICATE + 1)?,
                    not(*negated),
                    self.print(pattern, PREDICATE + 1)?
                );
                if let Some(escape) = escape_char {
                    text.push_str(&format!(" escape {}", self.print(escape, PREDICATE + 1)?));
                }
                Some((text, PREDICATE))
            }
            Expr::RLike { negated, expr, pattern, .. } => {
                let (value, pattern) = (self.print(expr, PREDICATE + 1)?, self.print(pattern, PREDICATE + 1)?);
                let text = format!("{value} regexp {pattern}");
                Some(if *negated { (format!("!({text})"), SIGN) } else { (text, PREDICATE) })
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                atom(self.case(operand.as_deref(), conditions, else_result.as_deref())?)
            }
            Expr::Tuple(all) => atom(format!("({})", self.prints(all)?.join(","))),
            Expr::Collate { expr, collation } => {
                let name = collation.to_string();
                Some((format!("{} collate {}", self.print(expr, COLLATE)?, name.trim_matches('`')), COLLATE))
            }
            Expr::Ceil { expr, .. } => atom(format!("ceiling({})", self.print(expr, 0)?)),
            Expr::Floor { expr, .. } => atom(format!("floor({})", self.print(expr, 0)?)),
            Expr::Position { expr, r#in } => atom(format!("locate({},{})", self.print(expr, 0)?, self.print(r#in, 0)?)),
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let parts = [Some(expr), substring_from.as_ref(), substring_for.as_ref()];
                let parts: Option<Vec<String>> = parts.into_iter().flatten().map(|e| self.print(e, 0)).collect();
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
                    (Some(what), _) => format!("{} from ", self.print(what, 0)?),
                    (None, "") => String::new(),
                    (None, _) => "from ".to_string(),
                };
                atom(format!("trim({side}{from}{})", self.print(expr, 0)?))
            }
            // Queries, and what only a session or another construct gives meaning to.
            _ => None,
        }
    }

    fn prints(&self, all: &[Expr]) -> Option<Vec<String>> {
        all.iter().map(|e| self.print(e, 0)).collect()
    }

    fn suffix(&self, operand: &Expr, test: &str) -> Option<(String, Binding)> {
        Some((format!("{} {test}", self.print(operand, COMPARISON)?), COMPARISON))
    }

    fn unary(&self, op: &UnaryOperator, operand: &Expr) -> Option<(String, Binding)> {
        Some(match op {
            UnaryOperator::Plus => self.node(operand)?,
            UnaryOperator::Minus => {
                let text = self.print(operand, SIGN)?;
                // Two of them begin a comment.
                (if text.starts_with('-') { format!("-({text})") } else { format!("-{text}") }, SIGN)
            }
            UnaryOperator::BitwiseNot => (format!("~{}", self.print(operand, SIGN)?), SIGN),
            UnaryOperator::Not => match opposite(operand) {
                Some(opposite) => self.node(&opposite)?,
                None => (format!("!{}", self.print(operand, SIGN)?), SIGN),
            },
            _ => return None,
        })
    }

    fn binary(&self, left: &Expr, op: &BinaryOperator, right: &Expr) -> Option<(String, Binding)> {
        use BinaryOperator as B;
        let (word, binding) = match op {
            B::Or => return self.condition(left, "or", right, OR),
            B::Xor => ("xor", XOR),
            B::And => return self.condition(left, "and", right, AND),
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
            B::StringConcat => {
                return Some((format!("concat({},{})", self.print(left, 0)?, self.print(right, 0)?), ATOM));
            }
            B::Arrow => {
                return Some((format!("json_extract({},{})", self.print(left, 0)?, self.print(right, 0)?), ATOM));
            }
            B::LongArrow => {
                let text = format!("json_unquote(json_extract({},{}))", self.print(left, 0)?, self.print(right, 0)?);
                return Some((text, ATOM));
            }
            _ => return None,
        };
        Some((format!("{} {word} {}", self.print(left, binding)?, self.print(right, binding + 1)?), binding))
    }

    /// AND and OR, whose operands are truth values.
    fn condition(&self, left: &Expr, word: &str, right: &Expr, binding: Binding) -> Option<(String, Binding)> {
        let side = |operand: &Expr, around: Binding| match column(operand) {
            Some(column) => Some(format!("{} <> 0", self.print(column, COMPARISON)?)),
            None => self.print(operand, around),
        };
        Some((format!("{} {word} {}", side(left, binding)?, side(right, binding + 1)?), binding))
    }

    fn case(&self, operand: Option<&Expr>, arms: &[CaseWhen], otherwise: Option<&Expr>) -> Option<String> {
        let mut text = String::from("case");
        if let Some(operand) = operand {
            text.push_str(&format!(" {}", self.print(operand, 0)?));
        }
        for arm in arms {
            text.push_str(&format!(" when {} then {}", self.print(&arm.condition, 0)?, self.print(&arm.result, 0)?));
        }
        if let Some(otherwise) = otherwise {
            text.push_str(&format!(" else {}", self.print(otherwise, 0)?));
        }
        text.push_str(" end");
        Some(text)
    }

    fn call(&self, function: &Function) -> Option<(String, Binding)> {
        let plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
        let FunctionArguments::List(list) = &function.args else { return None };
        if !plain || list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
            return None;
        }
        if let [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] = list.args.as_slice()
            && function.name.to_string().eq_ignore_ascii_case("count")
        {
            return Some(("count(0)".to_string(), ATOM));
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
            ("#interval", [amount, unit]) => {
                atom(format!("interval {} {}", self.print(amount, ATOM)?, constant(unit)?))
            }
            ("#cast", [value, target]) => {
                let target =
                    constant(target)?.replace(" (", "(").replace("( ", "(").replace(" )", ")").replace(" , ", ",");
                let target = match target.as_str() {
                    "signed integer" | "signed int" => "signed",
                    "unsigned integer" | "unsigned int" => "unsigned",
                    other => other,
                };
                let target = match target.strip_prefix("binary") {
                    Some(length) if !target.contains("charset") => format!("char{length} charset binary"),
                    _ => target.to_string(),
                };
                atom(format!("cast({} as {target})", self.print(value, 0)?))
            }
            ("#extract", [value, unit]) => atom(format!("extract({} from {})", constant(unit)?, self.print(value, 0)?)),
            ("#binary", [value]) => atom(format!("cast({} as char charset binary)", self.print(value, 0)?)),
            ("#date" | "#time" | "#timestamp", [value]) => {
                atom(format!("{}{}", name[1..].to_uppercase(), self.print(value, 0)?))
            }
            ("date_add" | "adddate" | "date_sub" | "subdate", [date, amount]) => {
                let sign = if name.ends_with("sub") || name.starts_with("sub") { "-" } else { "+" };
                let amount = match amount {
                    Expr::Function(f) if f.name.to_string().contains("#interval") => self.print(amount, ATOM)?,
                    days => format!("interval {} day", self.print(days, ATOM)?),
                };
                Some((format!("{} {sign} {amount}", self.print(date, SUM)?), SUM))
            }
            ("mod", [left, right]) => self.binary(left, &BinaryOperator::Modulo, right),
            ("isnull", [value]) => self.suffix(value, "is null"),
            ("timestampdiff" | "timestampadd", [Expr::Identifier(unit), rest @ ..]) => {
                atom(format!("{name}({},{})", unit.value.to_uppercase(), self.prints(rest)?.join(",")))
            }
            (internal, _) if internal.starts_with('#') => None,
            // Their first argument is a word of its own.
            ("get_format" | "row", _) => None,
            _ => {
                let name = SYNONYMS.iter().find(|(n, _)| *n == name).map_or(name.as_str(), |(_, usual)| usual);
                atom(format!("{name}({})", self.prints(&arguments)?.join(",")))
            }
        }
    }
}

/// The text of `expression`; `written` where it holds something that no definition can, or that this cannot print.
pub fn spelled(expression: &Expr, written: &str) -> String {
    // There is one table, whose name may change.
    let names = |path: &[Ident]| Some(backquoted(&path.last()?.value));
    let speller = Speller::new(&names);
    let again = |text: &str| {
        let tokens: Tokens = tokenise(text, Modes::NONE).ok()?;
        let dialect = MarmotDialect::default();
        let mut reader = Reader::new(&dialect, &tokens);
        let expression = reader.expression().ok().filter(|_| reader.at_end())?;
        speller.spell(&expression)
    };
    match speller.spell(expression) {
        // Only what reads back as itself is trusted.
        Some(text) if again(&text).as_ref() == Some(&text) => text,
        _ => written.to_string(),
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

/// The column that `expression` is.
fn column(expression: &Expr) -> Option<&Expr> {
    match expression {
        Expr::Nested(inner) => column(inner),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => Some(expression),
        _ => None,
    }
}

/// What holds where `operand` does not, without a NOT around it; NULL stays NULL.
fn opposite(operand: &Expr) -> Option<Expr> {
    use BinaryOperator as B;
    match operand {
        Expr::Nested(inner) => opposite(inner),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
            let (left, right) = (Box::new(operand.clone()), Value::Number("0".to_string(), false));
            Some(Expr::BinaryOp { left, op: B::Eq, right: Box::new(Expr::Value(right.into())) })
        }
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
            let left = Box::new(column(expr)?.clone());
            let right = Value::Number("0".to_string(), false);
            Some(Expr::BinaryOp { left, op: B::NotEq, right: Box::new(Expr::Value(right.into())) })
        }
        Expr::IsNull(e) => Some(Expr::IsNotNull(e.clone())),
        Expr::IsNotNull(e) => Some(Expr::IsNull(e.clone())),
        Expr::InList { expr, list, negated } => {
            Some(Expr::InList { expr: expr.clone(), list: list.clone(), negated: !negated })
        }
        Expr::Between { expr, negated, low, high } => {
            let (expr, low, high) = (expr.clone(), low.clone(), high.clone());
            Some(Expr::Between { expr, negated: !negated, low, high })
        }
        Expr::Like { negated, any, expr, pattern, escape_char } => {
            let (expr, pattern, escape_char) = (expr.clone(), pattern.clone(), escape_char.clone());
            Some(Expr::Like { negated: !negated, any: *any, expr, pattern, escape_char })
        }
        Expr::BinaryOp { left, op: op @ (B::And | B::Or), right } => {
            let not = |side: &Expr| {
                let negation = || Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(side.clone()) };
                Box::new(opposite(side).unwrap_or_else(negation))
            };
            let op = if *op == B::And { B::Or } else { B::And };
            Some(Expr::BinaryOp { left: not(left), op, right: not(right) })
        }
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
            ("(a+b)*2>3 AND ((c))", "(`a` + `b`) * 2 > 3 and `c` <> 0"),
            ("a-(b-1)-1", "`a` - (`b` - 1) - 1"),
            ("(a OR b) AND NOT (c AND d)", "(`a` <> 0 or `b` <> 0) and (`c` = 0 or `d` = 0)"),
            ("a|b&1 ^ 2 << 3", "`a` | `b` & 1 ^ 2 << 3"),
            ("NOT (a=1)", "`a` <> 1"),
            ("!a AND ~b AND - -1 < 0", "`a` = 0 and ~`b` and -(-1) < 0"),
            ("NOT (a = 1 OR a IN (2,3)) AND NOT !1", "`a` <> 1 and `a` not in (2,3) and !!1"),
            ("NOT s REGEXP 'a' AND s NOT LIKE 'b' = !2", "!(`s` regexp 'a') and `s` not like 'b' = !2"),
            ("(a between 1 and 2) = 1", "`a` between 1 and 2 = 1"),
            ("a = (b < 2)", "`a` = (`b` < 2)"),
            ("(a = 1) is false", "`a` = 1 is false"),
            ("(a is null) is null", "`a` is null is null"),
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
