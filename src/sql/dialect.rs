//! MySQL as sqlparser is to read it: its own dialect, with the operator precedence of the manual ("Operator
//! Precedence") and the expressions that the stock dialect misreads.
//!
//! Most tokens arrive here already spelled for sqlparser (see [`super::tokens`]). Constructs that its tree has no node
//! for become calls of functions whose names start with `#`, which no text can spell.

use sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident,
    ObjectName, TrimWhereField, UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::dialect::{Dialect, MySqlDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;
use std::any::TypeId;

/// See the module.
#[derive(Debug, Default)]
pub struct MarmotDialect {
    stock: MySqlDialect,
}

const UNARY: u8 = 70;
const BANG: u8 = 80;
const CARET: u8 = 60;
const ASSIGNMENT: u8 = 5;
const CONCAT: u8 = 65;
const SHIFT: u8 = 40;
/// LIKE, IN, BETWEEN and REGEXP.
const PREDICATE: u8 = 30;

/// Reserved words that cannot name anything without quotes (manual, "Keywords and Reserved Words"), as far as taking
/// one for a name would hide an error.
const RESERVED: &[&str] = &[
    "ADD",
    "ALL",
    "ALTER",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BOTH",
    "BY",
    "CASCADE",
    "CASE",
    "CHECK",
    "COLLATE",
    "COLUMN",
    "CONSTRAINT",
    "CREATE",
    "CROSS",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DIV",
    "DROP",
    "ELSE",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FOR",
    "FORCE",
    "FOREIGN",
    "FROM",
    "GRANT",
    "GROUP",
    "HAVING",
    "IGNORE",
    "IN",
    "INDEX",
    "INNER",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "KEY",
    "KEYS",
    "KILL",
    "LEADING",
    "LIKE",
    "LIMIT",
    "LOCK",
    "NATURAL",
    "NOT",
    "ON",
    "OPTIMIZE",
    "OR",
    "ORDER",
    "OUTER",
    "PRIMARY",
    "REFERENCES",
    "REGEXP",
    "RENAME",
    "REVOKE",
    "RLIKE",
    "SELECT",
    "SET",
    "SHOW",
    "TABLE",
    "THEN",
    "TO",
    "TRAILING",
    "TRIGGER",
    "UNION",
    "UNIQUE",
    "UNLOCK",
    "UPDATE",
    "USE",
    "USING",
    "WHEN",
    "WHERE",
    "WITH",
    "XOR",
];
/// Functions that MySQL calls without parentheses.
const BARE_FUNCTIONS: &[&str] = &[
    "CURRENT_TIMESTAMP",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_USER",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "UTC_DATE",
    "UTC_TIME",
    "UTC_TIMESTAMP",
];

/// Whether a word needs quotes to be a name.
pub fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|r| r.eq_ignore_ascii_case(word))
}

fn is_any(word: &str, any: &[&str]) -> bool {
    any.iter().any(|k| k.eq_ignore_ascii_case(word))
}

/// A call of `name`.
pub fn call(name: Ident, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![name]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
        within_group: vec![],
        filter: None,
        null_treatment: None,
        over: None,
    })
}

/// A constant of ours inside the tree: it has no place in the text.
pub fn constant(text: impl Into<String>) -> Expr {
    Expr::Value(ValueWithSpan {
        value: Value::SingleQuotedString(text.into()),
        span: sqlparser::tokenizer::Span::empty(),
    })
}

/// A string constant, in quotes or as bytes.
fn is_string(token: &Token) -> bool {
    match token {
        Token::SingleQuotedString(_) => true,
        Token::Placeholder(text) => text.starts_with('x') || text.starts_with('b'),
        _ => false,
    }
}

fn unexpected<T>(parser: &Parser) -> Result<T, ParserError> {
    let found = parser.peek_token();
    Err(ParserError::ParserError(format!("unexpected {} at Line: 1, Column: {}", found.token, found.span.start.column)))
}

/// Takes the next token if it is the unquoted word `expected`.
pub fn accept_word(parser: &mut Parser, expected: &str) -> bool {
    let found = matches!(&parser.peek_token_ref().token,
        Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(expected));
    if found {
        parser.next_token();
    }
    found
}

/// `SOUNDS LIKE` comes next.
fn is_sounds_like(parser: &Parser) -> bool {
    let is = |n: usize, expected: &str| {
        matches!(&parser.peek_nth_token_ref(n).token,
            Token::Word(w) if w.quote_style.is_none() && w.value.eq_ignore_ascii_case(expected))
    };
    is(0, "SOUNDS") && is(1, "LIKE")
}

/// A query that begins with one in parentheses: `((SELECT 1) UNION SELECT 2)`. `None` for any other expression.
fn nested_query(parser: &mut Parser) -> Result<Option<Expr>, ParserError> {
    let mut ahead = 1;
    while parser.peek_nth_token_ref(ahead).token == Token::LParen {
        ahead += 1;
    }
    let query = matches!(&parser.peek_nth_token_ref(ahead).token,
        Token::Word(w) if matches!(w.keyword, Keyword::SELECT | Keyword::WITH | Keyword::VALUES));
    if !query {
        return Ok(None);
    }
    parser.maybe_parse(|p| {
        p.expect_token(&Token::LParen)?;
        let query = p.parse_query()?;
        p.expect_token(&Token::RParen)?;
        Ok(Expr::Subquery(query))
    })
}

/// `[NOT] IN (query)` or `[NOT] IN (list)`, whose items may be queries in parentheses.
fn in_list(parser: &mut Parser, left: &Expr, negated: bool) -> Result<Expr, ParserError> {
    if negated {
        parser.next_token();
    }
    parser.next_token();
    parser.expect_token(&Token::LParen)?;
    let expr = Box::new(left.clone());
    let query = parser.maybe_parse(|p| {
        let query = p.parse_query()?;
        p.expect_token(&Token::RParen)?;
        Ok(query)
    })?;
    if let Some(subquery) = query {
        return Ok(Expr::InSubquery { expr, subquery, negated });
    }
    let list = parser.parse_comma_separated(Parser::parse_expr)?;
    parser.expect_token(&Token::RParen)?;
    Ok(Expr::InList { expr, list, negated })
}

/// `= ANY (query)`, `= ALL (query)`, where the query may begin with one in parentheses.
fn quantified(parser: &mut Parser, left: &Expr) -> Result<Option<Expr>, ParserError> {
    let compare_op = match &parser.peek_token_ref().token {
        Token::Eq => BinaryOperator::Eq,
        Token::Neq => BinaryOperator::NotEq,
        Token::Lt => BinaryOperator::Lt,
        Token::LtEq => BinaryOperator::LtEq,
        Token::Gt => BinaryOperator::Gt,
        Token::GtEq => BinaryOperator::GtEq,
        _ => return Ok(None),
    };
    let all = match &parser.peek_nth_token_ref(1).token {
        Token::Word(word) if word.keyword == Keyword::ALL => true,
        Token::Word(word) if matches!(word.keyword, Keyword::ANY | Keyword::SOME) => false,
        _ => return Ok(None),
    };
    if (2..4).any(|n| parser.peek_nth_token_ref(n).token != Token::LParen) {
        return Ok(None);
    }
    parser.maybe_parse(|p| {
        p.next_token();
        p.next_token();
        p.expect_token(&Token::LParen)?;
        let right = Box::new(Expr::Subquery(p.parse_query()?));
        p.expect_token(&Token::RParen)?;
        let left = Box::new(left.clone());
        let compare_op = compare_op.clone();
        Ok(match all {
            true => Expr::AllOp { left, compare_op, right },
            false => Expr::AnyOp { left, compare_op, right, is_some: false },
        })
    })
}

/// `[NOT] BETWEEN low AND high`: the upper bound may be a predicate itself, as in `BETWEEN 1 AND 3 LIKE 1`.
fn between(parser: &mut Parser, left: &Expr, negated: bool) -> Result<Expr, ParserError> {
    if negated {
        parser.next_token();
    }
    parser.next_token();
    let low = Box::new(parser.parse_subexpr(PREDICATE)?);
    parser.expect_keyword_is(Keyword::AND)?;
    let high = Box::new(parser.parse_subexpr(PREDICATE - 1)?);
    Ok(Expr::Between { expr: Box::new(left.clone()), negated, low, high })
}

impl MarmotDialect {
    fn word_prefix(&self, parser: &mut Parser, word: &str) -> Option<Result<Expr, ParserError>> {
        let next = parser.peek_nth_token_ref(1).token.clone();
        let parenthesis = next == Token::LParen;
        let upper = word.to_ascii_uppercase();
        match upper.as_str() {
            _ if upper.starts_with('_') && is_string(&next) => {
                let word = parser.next_token();
                let name = Ident::with_span(word.span, "#introduced");
                let charset = constant(upper[1..].to_lowercase());
                return Some(parser.parse_value().map(|v| call(name, vec![charset, Expr::Value(v)])));
            }
            "INTERVAL" => return Some(self.interval(parser)),
            "BINARY" if !matches!(next, Token::Period | Token::Comma | Token::RParen | Token::EOF) => {
                let word = parser.next_token();
                let name = Ident::with_span(word.span, "#binary");
                return Some(parser.parse_subexpr(BANG).map(|e| call(name, vec![e])));
            }
            "CAST" | "CONVERT" if parenthesis => return Some(self.cast(parser, upper == "CAST")),
            "EXTRACT" if parenthesis => return Some(self.extract(parser)),
            "CHAR" if parenthesis => return Some(self.char_function(parser)),
            "MATCH" => return Some(self.match_against(parser)),
            "DATE" | "TIME" | "TIMESTAMP" if matches!(next, Token::SingleQuotedString(_)) => {
                let word = parser.next_token();
                let value = parser.parse_value().map(Expr::Value);
                let name = Ident::with_span(word.span, format!("#{}", upper.to_lowercase()));
                return Some(value.map(|v| call(name, vec![v])));
            }
            "TRIM" if parenthesis => return Some(self.trim(parser)),
            "SUBSTRING" | "SUBSTR" | "MID" | "POSITION" | "ROW" if parenthesis => return None,
            "NULL" | "TRUE" | "FALSE" => return Some(parser.parse_value().map(Expr::Value)),
            "CASE" | "EXISTS" | "NOT" => return None,
            _ => {}
        }
        if is_any(&upper, BARE_FUNCTIONS) && !parenthesis {
            let word = parser.next_token();
            return Some(Ok(call(Ident::with_span(word.span, upper), vec![])));
        }
        if is_reserved(&upper) && !(parenthesis && is_any(&upper, &["DATABASE", "SCHEMA"])) {
            return Some(unexpected(parser));
        }
        Some(self.name_or_call(parser))
    }

    /// A name, or a call if a parenthesis follows, also of a database's function. `a.b` is put together by the caller.
    fn name_or_call(&self, parser: &mut Parser) -> Result<Expr, ParserError> {
        let name = parser.parse_identifier()?;
        let is = |ahead: usize, token: &Token| parser.peek_nth_token_ref(ahead).token == *token;
        let word = matches!(parser.peek_nth_token_ref(1).token, Token::Word(_));
        if is(0, &Token::Period) && word && is(2, &Token::LParen) {
            parser.next_token();
            let function = parser.parse_identifier()?;
            return parser.parse_function(ObjectName::from(vec![name, function]));
        }
        if parser.peek_token_ref().token == Token::LParen && name.quote_style.is_none() {
            return parser.parse_function(ObjectName::from(vec![name]));
        }
        Ok(Expr::Identifier(name))
    }

    /// `INTERVAL expr unit`, or the function INTERVAL(a, b, ...).
    fn interval(&self, parser: &mut Parser) -> Result<Expr, ParserError> {
        let word = parser.next_token();
        let quantity = parser.maybe_parse(|p| {
            let value = p.parse_expr()?;
            match &p.peek_token_ref().token {
                Token::Word(unit) if super::interval::Unit::parse(&unit.value).is_some() => {
                    let unit = unit.value.to_ascii_uppercase();
                    p.next_token();
                    Ok((value, unit))
                }
                _ => unexpected(p),
            }
        })?;
        match quantity {
            Some((value, unit)) => Ok(call(Ident::with_span(word.span, "#interval"), vec![value, constant(unit)])),
            None if parser.peek_token_ref().token == Token::LParen => {
                parser.parse_function(ObjectName::from(vec![Ident::with_span(word.span, "INTERVAL")]))
            }
            None => unexpected(parser),
        }
    }

    /// `CAST(e AS type)`, `CONVERT(e, type)`, `CONVERT(e USING charset)`: `#cast(e, 'TYPE')`.
    fn cast(&self, parser: &mut Parser, cast: bool) -> Result<Expr, ParserError> {
        let word = parser.next_token();
        parser.expect_token(&Token::LParen)?;
        let value = parser.parse_expr()?;
        let name = Ident::with_span(word.span, "#cast");
        if !cast && accept_word(parser, "USING") {
            let charset = parser.parse_identifier()?;
            parser.expect_token(&Token::RParen)?;
            let target = if charset.value.eq_ignore_ascii_case("binary") { "BINARY" } else { "CHAR" };
            return Ok(call(name, vec![value, constant(target)]));
        }
        if cast {
            if !accept_word(parser, "AS") {
                return unexpected(parser);
            }
        } else {
            parser.expect_token(&Token::Comma)?;
        }
        // The type's words and numbers up to the closing parenthesis; the translator reads them.
        let mut target = String::new();
        let mut depth = 0;
        loop {
            let token = parser.next_token();
            match &token.token {
                Token::LParen => depth += 1,
                Token::RParen if depth == 0 => break,
                Token::RParen => depth -= 1,
                Token::Word(_) | Token::Number(..) | Token::Comma => {}
                _ => {
                    parser.prev_token();
                    return unexpected(parser);
                }
            }
            target.push_str(&token.token.to_string().to_ascii_uppercase());
            target.push(' ');
        }
        Ok(call(name, vec![value, constant(target.trim_end())]))
    }

    /// `EXTRACT(unit FROM e)`: `#extract(e, 'UNIT')`.
    fn extract(&self, parser: &mut Parser) -> Result<Expr, ParserError> {
        let word = parser.next_token();
        parser.expect_token(&Token::LParen)?;
        let unit = parser.parse_identifier()?.value.to_ascii_uppercase();
        if super::interval::Unit::parse(&unit).is_none() || !accept_word(parser, "FROM") {
            return unexpected(parser);
        }
        let value = parser.parse_expr()?;
        parser.expect_token(&Token::RParen)?;
        Ok(call(Ident::with_span(word.span, "#extract"), vec![value, constant(unit)]))
    }

    /// `TRIM([BOTH | LEADING | TRAILING] [what] [FROM] e)`.
    fn trim(&self, parser: &mut Parser) -> Result<Expr, ParserError> {
        parser.next_token();
        parser.expect_token(&Token::LParen)?;
        let sides = [
            ("BOTH", TrimWhereField::Both),
            ("LEADING", TrimWhereField::Leading),
            ("TRAILING", TrimWhereField::Trailing),
        ];
        let trim_where = sides.into_iter().find(|(word, _)| accept_word(parser, word)).map(|(_, side)| side);
        let mut trim_what = None;
        if !accept_word(parser, "FROM") {
            let first = parser.parse_expr()?;
            if !accept_word(parser, "FROM") {
                parser.expect_token(&Token::RParen)?;
                if trim_where.is_some() {
                    return unexpected(parser);
                }
                return Ok(Expr::Trim { trim_where, trim_what, expr: Box::new(first), trim_characters: None });
            }
            trim_what = Some(Box::new(first));
        } else if trim_where.is_none() {
            return unexpected(parser);
        }
        let expr = Box::new(parser.parse_expr()?);
        parser.expect_token(&Token::RParen)?;
        Ok(Expr::Trim { trim_where, trim_what, expr, trim_characters: None })
    }

    /// `MATCH (columns) AGAINST (query [modifier])`: `#match('MODE', query, columns...)`.
    fn match_against(&self, parser: &mut Parser) -> Result<Expr, ParserError> {
        let word = parser.next_token();
        let parenthesis = parser.consume_token(&Token::LParen);
        let columns = parser.parse_comma_separated(|p| p.parse_subexpr(PREDICATE))?;
        if parenthesis {
            parser.expect_token(&Token::RParen)?;
        }
        if !accept_word(parser, "AGAINST") {
            return unexpected(parser);
        }
        parser.expect_token(&Token::LParen)?;
        // IN belongs to the modifier.
        let query = parser.parse_subexpr(PREDICATE)?;
        let mut mode = "NATURAL";
        if accept_word(parser, "IN") {
            let words: &[&str] = if accept_word(parser, "BOOLEAN") {
                mode = "BOOLEAN";
                &["MODE"]
            } else {
                &["NATURAL", "LANGUAGE", "MODE"]
            };
            if !words.iter().all(|w| accept_word(parser, w)) {
                return unexpected(parser);
            }
        }
        if mode == "NATURAL" && accept_word(parser, "WITH") {
            return Err(ParserError::ParserError("\u{1}MATCH ... AGAINST ... WITH QUERY EXPANSION".into()));
        }
        parser.expect_token(&Token::RParen)?;
        let mut arguments = vec![constant(mode), query];
        arguments.extend(columns);
        Ok(call(Ident::with_span(word.span, "#match"), arguments))
    }

    /// `CHAR(n, ... [USING charset])`.
    fn char_function(&self, parser: &mut Parser) -> Result<Expr, ParserError> {
        let word = parser.next_token();
        parser.expect_token(&Token::LParen)?;
        let arguments = parser.parse_comma_separated(Parser::parse_expr)?;
        let using = accept_word(parser, "USING");
        if using {
            parser.parse_identifier()?;
        }
        parser.expect_token(&Token::RParen)?;
        let name = if using { "#char_using" } else { "CHAR" };
        Ok(call(Ident::with_span(word.span, name), arguments))
    }
}

impl Dialect for MarmotDialect {
    /// sqlparser asks for its own dialect by type in some places.
    fn dialect(&self) -> TypeId {
        TypeId::of::<MySqlDialect>()
    }
    fn is_identifier_start(&self, ch: char) -> bool {
        self.stock.is_identifier_start(ch)
    }
    fn is_identifier_part(&self, ch: char) -> bool {
        self.stock.is_identifier_part(ch)
    }
    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '`'
    }
    fn identifier_quote_style(&self, _identifier: &str) -> Option<char> {
        Some('`')
    }
    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }
    fn supports_limit_comma(&self) -> bool {
        true
    }
    fn supports_select_modifiers(&self) -> bool {
        true
    }
    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }
    fn supports_table_hints(&self) -> bool {
        true
    }
    fn supports_cross_join_constraint(&self) -> bool {
        true
    }
    fn supports_group_by_with_modifier(&self) -> bool {
        true
    }
    fn supports_left_associative_joins_without_parens(&self) -> bool {
        false
    }
    fn is_table_factor_alias(&self, explicit: bool, kw: &Keyword, parser: &mut Parser) -> bool {
        // OF, NOWAIT and the like may be aliases; what begins the next clause may not.
        self.stock.is_table_factor_alias(explicit, kw, parser) && (explicit || *kw != Keyword::EXCEPT)
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Period => 100,
            Precedence::DoubleColon => 95,
            Precedence::AtTz => 95,
            Precedence::MulDivModOp => 50,
            Precedence::PlusMinus => 45,
            Precedence::Caret => CARET,
            Precedence::Ampersand => 36,
            Precedence::Pipe => 34,
            Precedence::Colon => 34,
            Precedence::PgOther => 90,
            // LIKE, IN and BETWEEN make a predicate before a comparison looks at it.
            Precedence::Between => PREDICATE,
            Precedence::Like => PREDICATE,
            Precedence::Eq => 25,
            Precedence::Is => 25,
            Precedence::UnaryNot => 20,
            Precedence::And => 15,
            Precedence::Xor => 12,
            Precedence::Or => 10,
        }
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match &parser.peek_token_ref().token {
            Token::ShiftLeft | Token::ShiftRight => Some(Ok(SHIFT)),
            Token::Assignment => Some(Ok(ASSIGNMENT)),
            Token::StringConcat => Some(Ok(CONCAT)),
            Token::ExclamationMark | Token::Tilde | Token::Colon | Token::LBrace => Some(Ok(0)),
            Token::Word(word) if word.quote_style.is_some() => Some(Ok(0)),
            Token::Word(_) if is_sounds_like(parser) => Some(Ok(self.prec_value(Precedence::Like))),
            _ => None,
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        let token = parser.peek_token_ref().token.clone();
        let unary = |parser: &mut Parser, op, precedence| {
            parser.next_token();
            Some(parser.parse_subexpr(precedence).map(|e| Expr::UnaryOp { op, expr: Box::new(e) }))
        };
        match &token {
            Token::Minus => unary(parser, UnaryOperator::Minus, UNARY),
            Token::Plus => unary(parser, UnaryOperator::Plus, UNARY),
            Token::Tilde => unary(parser, UnaryOperator::BitwiseNot, UNARY),
            Token::ExclamationMark => unary(parser, UnaryOperator::Not, BANG),
            Token::Number(..) | Token::SingleQuotedString(_) | Token::Placeholder(_) => {
                Some(parser.parse_value().map(Expr::Value))
            }
            Token::Word(word) if word.quote_style.is_some() => Some(self.name_or_call(parser)),
            Token::Word(word) => self.word_prefix(parser, &word.value.clone()),
            Token::LParen if parser.peek_nth_token_ref(1).token == Token::LParen => nested_query(parser).transpose(),
            Token::LParen => None,
            _ => Some(unexpected(parser)),
        }
    }

    fn parse_infix(&self, parser: &mut Parser, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if is_sounds_like(parser) {
            let span = parser.next_token().span;
            parser.next_token();
            let left = call(Ident::with_span(span, "SOUNDEX"), vec![left.clone()]);
            return Some(parser.parse_subexpr(precedence).map(|right| {
                let right = call(Ident::with_span(span, "SOUNDEX"), vec![right]);
                Expr::BinaryOp { left: Box::new(left), op: BinaryOperator::Eq, right: Box::new(right) }
            }));
        }
        let negated = parser.peek_keyword(Keyword::NOT);
        let next = &parser.peek_nth_token_ref(usize::from(negated)).token;
        if matches!(next, Token::Word(word) if word.keyword == Keyword::BETWEEN) {
            return Some(between(parser, left, negated));
        }
        if matches!(next, Token::Word(word) if word.keyword == Keyword::IN) {
            return Some(in_list(parser, left, negated));
        }
        if parser.peek_token_ref().token == Token::Assignment {
            // From right to left: @a := @b := 1.
            parser.next_token();
            let (left, op) = (Box::new(left.clone()), BinaryOperator::Assignment);
            let right = parser.parse_subexpr(ASSIGNMENT - 1);
            return Some(right.map(|right| Expr::BinaryOp { left, op, right: Box::new(right) }));
        }
        if let Some(quantified) = quantified(parser, left).transpose() {
            return Some(quantified);
        }
        let op = match &parser.peek_token_ref().token {
            Token::Word(word) if word.keyword == Keyword::DIV => BinaryOperator::MyIntegerDivide,
            _ => return None,
        };
        parser.next_token();
        let left = Box::new(left.clone());
        Some(parser.parse_subexpr(precedence).map(|e| Expr::BinaryOp { left, op, right: Box::new(e) }))
    }
}

const _: () = assert!(
    UNARY > CARET && BANG > UNARY && CONCAT > CARET && UNARY > CONCAT && CARET > 50 && SHIFT > 36 && SHIFT < 45
);
