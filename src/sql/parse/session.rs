//! SET in all its forms.

use super::{Body, Reader};
use crate::sql::error::Error;
use crate::sql::plan::{SetTarget, VariableScope};
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

/// One assignment.
#[derive(Clone, Debug, PartialEq)]
pub struct SetItem {
    pub target: SetTarget,
    pub value: SetExpression,
}

/// Its value.
#[derive(Clone, Debug, PartialEq)]
pub enum SetExpression {
    Default,
    /// A bare word such as ON, or what SET TRANSACTION and SET NAMES imply.
    Word(String),
    Expression(Box<Expr>),
}

/// `GLOBAL`, `@@global.` and the like.
fn scope(word: &str) -> Option<VariableScope> {
    Some(match word.to_ascii_uppercase().as_str() {
        "SESSION" | "LOCAL" => VariableScope::Session,
        "GLOBAL" => VariableScope::Global,
        "PERSIST" | "PERSIST_ONLY" => VariableScope::Persist,
        _ => return None,
    })
}

/// `global.name` or `name`, as it follows `@@`.
pub fn scoped_name(text: &str) -> (VariableScope, String) {
    match text.split_once('.') {
        Some((first, name)) if scope(first).is_some() => {
            (scope(first).unwrap_or(VariableScope::Unspecified), name.to_lowercase())
        }
        _ => (VariableScope::Unspecified, text.to_lowercase()),
    }
}

impl Reader<'_> {
    pub(super) fn set(&mut self) -> Result<Body, Error> {
        self.skip();
        if self.accept("PASSWORD") {
            return self.set_password();
        }
        for (words, feature) in
            [("DEFAULT ROLE", "SET DEFAULT ROLE"), ("ROLE", "SET ROLE"), ("RESOURCE GROUP", "SET RESOURCE GROUP")]
        {
            if self.looks_at(words) {
                return Err(Error::unsupported(feature));
            }
        }
        let for_statement = self.accept("STATEMENT");
        let mut items = Vec::new();
        loop {
            self.set_item(&mut items)?;
            if !self.take(&Token::Comma) {
                break;
            }
        }
        if !for_statement {
            return Ok(Body::Set(items));
        }
        self.expect("FOR")?;
        let first = self.position();
        while !self.at_end() {
            self.skip();
        }
        let text = self.text_since(first);
        if text.is_empty() { self.unexpected() } else { Ok(Body::SetStatement { items, text }) }
    }

    fn set_item(&mut self, items: &mut Vec<SetItem>) -> Result<(), Error> {
        if self.accept("NAMES") {
            let value = self.charset_or_default()?;
            let collation = if self.accept("COLLATE") { Some(self.name_or_text()?) } else { None };
            items.push(SetItem { target: SetTarget::Names { collation }, value });
            return Ok(());
        }
        if self.accept("CHARACTER SET") || self.accept("CHARSET") {
            let value = self.charset_or_default()?;
            items.push(SetItem { target: SetTarget::CharacterSet, value });
            return Ok(());
        }
        if let Some(name) = self.user_variable() {
            self.equals()?;
            let value = SetExpression::Expression(Box::new(self.expression()?));
            items.push(SetItem { target: SetTarget::User(name), value });
            return Ok(());
        }
        let mut target_scope = VariableScope::Unspecified;
        if let Token::Placeholder(name) = self.peek()
            && let Some(name) = name.strip_prefix("@@")
        {
            let (scope, name) = scoped_name(name);
            self.skip();
            let scope = if scope == VariableScope::Unspecified { VariableScope::Session } else { scope };
            return self.system(scope, name, items);
        }
        if let Some(word) = self.accept_any(&["SESSION", "LOCAL", "GLOBAL", "PERSIST_ONLY", "PERSIST"]) {
            target_scope = scope(word).unwrap_or(VariableScope::Session);
        }
        if self.accept("TRANSACTION") {
            return self.set_transaction(target_scope, items);
        }
        let mut name = self.name()?.to_lowercase();
        if self.take(&Token::Period) {
            // A component's variable: SET x.y = ...
            name = format!("{name}.{}", self.name()?.to_lowercase());
        }
        let scope = if target_scope == VariableScope::Unspecified { VariableScope::Session } else { target_scope };
        self.system(scope, name, items)
    }

    fn system(&mut self, scope: VariableScope, name: String, items: &mut Vec<SetItem>) -> Result<(), Error> {
        self.equals()?;
        let value = self.set_value()?;
        items.push(SetItem { target: SetTarget::System { scope, name }, value });
        Ok(())
    }

    fn equals(&mut self) -> Result<(), Error> {
        if self.take(&Token::Assignment) { Ok(()) } else { self.need(&Token::Eq) }
    }

    fn charset_or_default(&mut self) -> Result<SetExpression, Error> {
        if self.accept("DEFAULT") {
            return Ok(SetExpression::Default);
        }
        Ok(SetExpression::Word(self.name_or_text()?))
    }

    fn set_value(&mut self) -> Result<SetExpression, Error> {
        let at = self.position();
        let ends = |t: Option<&Token>| match t {
            Some(Token::Word(word)) => word.value.eq_ignore_ascii_case("FOR"),
            other => matches!(other, Some(Token::Comma | Token::EOF) | None),
        };
        let single = ends(self.tokens.tokens.get(at + 1).map(|t| &t.token));
        if let (Token::Word(word), true) = (self.peek(), single) {
            let value = match word.value.to_ascii_uppercase().as_str() {
                "DEFAULT" => SetExpression::Default,
                "NULL" | "TRUE" | "FALSE" | "CURRENT_TIMESTAMP" => {
                    return Ok(SetExpression::Expression(Box::new(self.expression()?)));
                }
                _ => SetExpression::Word(word.value.clone()),
            };
            self.skip();
            return Ok(value);
        }
        Ok(SetExpression::Expression(Box::new(self.expression()?)))
    }

    fn set_transaction(&mut self, scope: VariableScope, items: &mut Vec<SetItem>) -> Result<(), Error> {
        loop {
            let item = if self.accept("ISOLATION LEVEL") {
                let levels = ["READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"];
                let Some(level) = self.accept_any(&levels) else { return self.unexpected() };
                let value = SetExpression::Word(level.replace(' ', "-"));
                SetItem { target: SetTarget::Isolation(scope), value }
            } else {
                let Some(access) = self.accept_any(&["READ ONLY", "READ WRITE"]) else { return self.unexpected() };
                let value = SetExpression::Word(if access == "READ ONLY" { "1" } else { "0" }.to_string());
                SetItem { target: SetTarget::ReadOnly(scope), value }
            };
            items.push(item);
            if !self.take(&Token::Comma) {
                return Ok(());
            }
        }
    }
}
