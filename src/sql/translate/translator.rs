//! The state of one translation.

use super::scope::{Scope, SourceColumn};
use super::session::Context;
use super::typed::{Typed, text_type};
use super::updatable::Merging;
use crate::sql::account::Needs;
use crate::sql::catalog::{Collation, Column, Database, Table, View};
use crate::sql::column_type::{BinaryKind, ColumnType, TextKind};
use crate::sql::decimal::MAX_SCALE;
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::parameter::{Convert, Literal, Parameter, Source, Wanted};
use crate::sql::parse::TableName;
use crate::sql::plan::{Program, ResultType};
use crate::sql::storage_rule::Rule;
use crate::sql::tokens::{Tokens, token_number};
use crate::types::{CollationRules, DatabaseName, Value};
use sqlparser::ast::{Expr, ValueWithSpan};
use sqlparser::tokenizer::Span;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// SQLite allows 32 766; a statement with more literals has them written into its text.
const MAX_PARAMETERS: usize = 30_000;

/// A common table expression in sight.
#[derive(Clone, Debug)]
pub struct CommonTable {
    pub name: String,
    pub columns: Vec<SourceColumn>,
}

/// See the module.
pub struct Translator<'a> {
    pub context: &'a Context<'a>,
    pub tokens: &'a Tokens,
    pub parameters: Vec<Parameter>,
    /// Literals that became parameters. All others are pinned.
    pub used: BTreeSet<usize>,
    /// Literals whose value was looked at as well.
    pub looked_at: BTreeSet<usize>,
    pub databases: Vec<DatabaseName>,
    pub tables: Vec<(DatabaseName, String)>,
    /// Query blocks, innermost last.
    pub scopes: Vec<Scope>,
    pub commons: Vec<CommonTable>,
    /// The innermost query block, counted from 1, that a name read so far means something in.
    pub level: usize,
    /// Makes an aggregate belong to the query it is written in, where SQLite would give it to another: a column of it.
    pub anchor: Option<String>,
    /// The part of the statement being read, as error 1054 names it.
    pub clause: &'static str,
    /// Write literals into the text: DDL, and statements with too many of them.
    pub inline: bool,
    /// Queries around this one.
    pub depth: usize,
    /// The table that INSERT puts rows into.
    pub target: Option<Arc<Table>>,
    /// Inside `ON DUPLICATE KEY UPDATE`: what VALUES(c) means.
    pub inserted: Option<super::scope::Source>,
    /// The views whose queries this one is inside of.
    pub views: Vec<(DatabaseName, String)>,
    /// Which views in FROM are put together with their tables.
    pub merging: Merging,
    /// What the names of the outermost query's tables begin with in the SQLite text: it is a view's, and part of another
    /// statement.
    pub alias_prefix: String,
    /// In LOAD DATA: the fields that are read into user variables.
    pub field_variables: BTreeMap<String, String>,
    /// Inside a common table expression of WITH RECURSIVE, whose UNION SQLite must see.
    pub in_recursive: bool,
    /// What each outermost `*` stands for, while a view is created.
    pub expansions: Option<Vec<super::view::Expansion>>,
    /// The types of expressions as columns, where CREATE TABLE ... SELECT asks for them.
    pub measures: Option<super::measure::Measures>,
    /// The rows go through triggers before they are written: ids are made and NULL is refused then.
    pub row_by_row: bool,
    /// A stored function whose body is statements was called.
    pub calls: bool,
    /// The privileges that what was translated so far needs.
    pub needs: Needs,
    /// With whose rights it runs, `user@host`, where that is not whoever runs the statement: inside of a view or function
    /// with SQL SECURITY DEFINER.
    pub actor: Option<Arc<str>>,
}

/// Whether parameter `number` occurs in the text.
fn mentions(sql: &str, number: usize) -> bool {
    let mark = format!("?{number}");
    let follows = |at: usize| sql.as_bytes().get(at + mark.len()).is_some_and(u8::is_ascii_digit);
    sql.match_indices(&mark).any(|(at, _)| !follows(at))
}

/// A name in double quotes.
pub fn quote_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string constant of SQLite.
pub fn quote_text(text: &str) -> String {
    if text.contains('\0') {
        // SQLite's parser ends at a zero byte.
        let hex: String = text.bytes().map(|b| format!("{b:02x}")).collect();
        return format!("CAST(x'{hex}' AS TEXT)");
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// A constant of SQLite.
pub fn quote_value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_string(),
        Value::Int(i64::MIN) => "(-9223372036854775807 - 1)".to_string(),
        Value::Int(n) => n.to_string(),
        Value::Real(x) if x.0.is_finite() => format!("{:?}", x.0),
        Value::Real(x) => if x.0 > 0.0 { "9e999" } else { "-9e999" }.to_string(),
        Value::Text(text) => quote_text(text),
        Value::Blob(bytes) => format!("x'{}'", crate::sql::tokens::hex(bytes)),
    }
}

/// The bytes of a hexadecimal (`false`) or bit (`true`) placeholder.
pub fn placeholder_bytes(text: &str) -> Option<(Vec<u8>, bool)> {
    let bits = match text.as_bytes().first()? {
        b'x' => false,
        b'b' => true,
        _ => return None,
    };
    let digits = &text[1..];
    let bytes = (0..digits.len() / 2).map(|i| u8::from_str_radix(&digits[2 * i..2 * i + 2], 16).ok());
    bytes.collect::<Option<Vec<u8>>>().map(|b| (b, bits))
}

/// How error 1054 names the place of an expression of a definition.
pub const CHECK_CLAUSE: &str = "check constraint";
pub const GENERATED_CLAUSE: &str = "generated column function";

/// Translates an expression of the catalog (a CHECK, a default) over the columns of a table, without parameters.
///
/// # Errors
/// Those of expressions; 3815, 3102 or 1235 for what needs a session (NOW(), @variables) or differs each time (RAND()).
pub fn constant_expression(text: &str, table: Option<&Table>, clause: &'static str) -> Result<String, Error> {
    let (Typed { sql, .. }, constant) = over_columns(text, table, clause, false)?;
    let unsteady = |name: &str| crate::sql::functions::FUNCTIONS.iter().any(|f| f.name == name && !f.deterministic);
    let varies = sql.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).any(unsteady);
    match clause {
        GENERATED_CLAUSE | CHECK_CLAUSE if varies || !constant => return Err(disallowed(clause)),
        _ if !constant => return Err(Error::unsupported(format!("an expression of this kind in {clause}"))),
        _ => {}
    }
    // Columns stand alone: there is only one table.
    Ok(sql.replace("\u{1}.", ""))
}

/// The type of a column that holds an expression over the columns of a table.
///
/// # Errors
/// Those of [`constant_expression`]; 1235 where only the value tells.
pub fn expression_type(text: &str, table: &Table) -> Result<ColumnType, Error> {
    constant_expression(text, Some(table), GENERATED_CLAUSE)?;
    match over_columns(text, Some(table), GENERATED_CLAUSE, true)?.0.ty {
        ResultType::Known(ty) => Ok(super::measure::declared(&ty)),
        ResultType::Null => Ok(ColumnType::Binary { kind: BinaryKind::Binary, length: 0 }),
        ResultType::Dynamic => Err(Error::unsupported("a functional key part whose type only its value tells")),
    }
}

/// What SQLite computes for a generated column, over the names of the table's columns.
///
/// # Errors
/// Those of [`constant_expression`].
pub fn generated_value(table: &Table, column: &Column, expression: &str) -> Result<String, Error> {
    let value = constant_expression(expression, Some(table), GENERATED_CLAUSE)?;
    let rule = Rule { nullable: true, ..Rule::of(column, false) };
    Ok(format!("marmot_generated({}, {value})", quote_text(&rule.encode())))
}

/// The error of a definition whose expression holds what no expression of its kind may.
fn disallowed(clause: &str) -> Error {
    let (code, message) = match clause {
        GENERATED_CLAUSE => (3102, "Expression of generated column contains a disallowed function."),
        CHECK_CLAUSE => (3815, "An expression of a check constraint contains disallowed function."),
        _ => (3769, "Default value expression of a column contains a disallowed function."),
    };
    Error { code, state: "HY000", message: message.to_string() }
}

/// Whether an expression asks for other rows than the one it is about: queries, full-text searches, aggregate and window
/// functions.
pub fn needs_rows(expression: &sqlparser::ast::Expr) -> bool {
    use sqlparser::ast::Expr;
    let found = sqlparser::ast::visit_expressions(expression, |e| {
        let needs = match e {
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => true,
            Expr::AnyOp { .. } | Expr::AllOp { .. } => true,
            Expr::Function(f) => {
                let name = f.name.to_string();
                f.over.is_some() || super::aggregate::is_aggregate(&name) || name == "#match"
            }
            _ => false,
        };
        if needs { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    });
    found.is_break()
}

/// Checks that a default expression of `table` makes sense; it may need a session.
///
/// # Errors
/// Those of expressions.
pub fn check_default(text: &str, table: &Table) -> Result<(), Error> {
    over_columns(text, Some(table), "default value expression", false).map(drop)
}

/// An expression over a table's columns, and whether it needs no session.
fn over_columns(
    text: &str,
    table: Option<&Table>,
    clause: &'static str,
    measured: bool,
) -> Result<(Typed, bool), Error> {
    let (expression, tokens) = crate::sql::parse::parse_expression(text, Modes::NONE)?;
    if needs_rows(&expression) {
        return Err(disallowed(clause));
    }
    let catalog = crate::sql::catalog::Catalog::new();
    let context = Context::new(&catalog, None, Modes::default());
    let mut translator = Translator::new(&context, &tokens);
    translator.inline = true;
    translator.clause = clause;
    let source = table.map(|table| {
        let source = super::from::table_source(&"".into(), &Arc::new(table.clone()), &table.name);
        super::scope::Source { sql_alias: "\u{1}".to_string(), ..source }
    });
    translator.scopes.push(Scope { sources: source.into_iter().collect(), ..Scope::default() });
    translator.measures = measured.then(Default::default);
    let value = translator.expression(&expression)?;
    Ok((value, translator.parameters.is_empty()))
}

impl<'a> Translator<'a> {
    /// How texts compare for this session.
    pub fn rules(&self) -> CollationRules {
        self.context.modes.collations()
    }

    pub fn new(context: &'a Context<'a>, tokens: &'a Tokens) -> Translator<'a> {
        Translator {
            context,
            tokens,
            parameters: vec![],
            used: BTreeSet::new(),
            looked_at: BTreeSet::new(),
            databases: vec![],
            tables: vec![],
            scopes: vec![],
            commons: vec![],
            level: 0,
            anchor: None,
            clause: "field list",
            inline: tokens.literals.len() > MAX_PARAMETERS,
            depth: 0,
            target: None,
            inserted: None,
            views: vec![],
            merging: Merging::Never,
            alias_prefix: String::new(),
            in_recursive: false,
            field_variables: BTreeMap::new(),
            expansions: None,
            measures: None,
            row_by_row: false,
            calls: false,
            needs: Needs::default(),
            actor: context.actor.cloned(),
        }
    }

    /// Reads a text that was stored in the catalog (a view's query, a function's expression): in the names and modes of
    /// `context`, with the rights of `actor`. `own` is whose text it is.
    pub(super) fn within_stored<T>(
        &mut self,
        context: &Context<'_>,
        tokens: &Tokens,
        own: (DatabaseName, String),
        actor: Option<Arc<str>>,
        read: impl FnOnce(&mut Translator<'_>) -> T,
    ) -> T {
        // Its literals are not the statement's: they are written into the text.
        let mut inner = Translator::new(context, tokens);
        inner.inline = true;
        inner.depth = self.depth + 1;
        inner.parameters = std::mem::take(&mut self.parameters);
        inner.databases = std::mem::take(&mut self.databases);
        inner.tables = std::mem::take(&mut self.tables);
        inner.views = std::mem::take(&mut self.views);
        inner.calls = self.calls;
        inner.needs = std::mem::take(&mut self.needs);
        inner.actor = actor;
        inner.views.push(own);
        let outcome = stacker::maybe_grow(256 << 10, 2 << 20, || read(&mut inner));
        inner.views.pop();
        (self.parameters, self.databases) = (inner.parameters, inner.databases);
        (self.tables, self.views, self.calls) = (inner.tables, inner.views, inner.calls);
        self.needs = inner.needs;
        outcome
    }

    /// What was translated, as a program.
    pub fn program(&mut self, sql: String) -> Program {
        let mut parameters = std::mem::take(&mut self.parameters);
        // SQLite knows of no parameter beyond the last one in the text; what was translated for its type alone may be.
        while !parameters.is_empty() && !mentions(&sql, parameters.len()) {
            parameters.pop();
        }
        Program { sql, parameters, calls: self.calls }
    }

    /// A new parameter.
    pub fn parameter(&mut self, source: Source, convert: Convert) -> (String, usize) {
        self.parameters.push(Parameter { source, convert });
        let index = self.parameters.len() - 1;
        (format!("?{}", index + 1), index)
    }

    /// What the session knows, as an expression. In DDL there is no session.
    pub fn wanted(&mut self, wanted: Wanted, ty: Option<ColumnType>) -> Typed {
        let source = Source::Environment(wanted);
        let same = Parameter::plain(source.clone());
        let index = match self.parameters.iter().position(|p| *p == same && ty.is_none()) {
            Some(index) => index,
            None => self.parameter(source, Convert::Plain).1,
        };
        let sql = format!("?{}", index + 1);
        let typed = match ty {
            Some(ty) => Typed::new(sql, ty),
            None => Typed::dynamic(sql),
        };
        Typed { parameter: Some(index), ..typed }
    }

    /// The number of the literal at a place in the text.
    pub fn literal_at(&self, span: Span) -> Option<usize> {
        self.tokens.literal_of.get(&token_number(span)?).copied()
    }

    /// The value of a constant expression, looked at.
    pub fn constant(&mut self, expression: &Expr) -> Option<Literal> {
        match expression {
            Expr::Nested(inner) => self.constant(inner),
            Expr::Value(value) => match self.literal_at(value.span) {
                Some(index) => {
                    self.looked_at.insert(index);
                    self.tokens.literals.get(index).cloned()
                }
                None => match &value.value {
                    sqlparser::ast::Value::SingleQuotedString(text) => Some(Literal::Text(text.as_str().into())),
                    _ => None,
                },
            },
            _ => None,
        }
    }

    /// A constant expression's text, looked at.
    pub fn constant_text(&mut self, expression: &Expr) -> Option<String> {
        match self.constant(expression)? {
            Literal::Text(text) => Some(text.to_string()),
            _ => None,
        }
    }

    /// A literal, marker or variable.
    pub fn value(&mut self, value: &ValueWithSpan, negate: bool) -> Result<Typed, Error> {
        use sqlparser::ast::Value as V;
        if let Some(index) = self.literal_at(value.span) {
            return Ok(self.literal(index, negate));
        }
        match &value.value {
            V::Null => Ok(Typed::null()),
            V::Boolean(b) => Ok(Typed { nullable: false, ..Typed::boolean(if *b { "1" } else { "0" }) }),
            // A constant of the dialect's own making.
            V::SingleQuotedString(text) => Ok(Typed::new(quote_text(text), text_type())),
            V::Placeholder(text) => self.placeholder(text),
            other => Err(Error::unsupported(format!("the literal {other}"))),
        }
    }

    fn literal(&mut self, index: usize, negate: bool) -> Typed {
        let literal = &self.tokens.literals[index];
        let ty = match literal {
            Literal::Int(_) => ColumnType::bigint(),
            Literal::Decimal(digits) if negate && !digits.contains('.') => {
                // Its type depends on its value.
                self.looked_at.insert(index);
                if digits.trim_start_matches('0') == "9223372036854775808" {
                    let sql = quote_value(&Value::Int(i64::MIN));
                    return Typed { nullable: false, ..Typed::new(sql, ColumnType::bigint()) };
                }
                ColumnType::decimal(65, 0)
            }
            Literal::Decimal(digits) if !digits.contains('.') => {
                if digits.len() <= 20 {
                    ColumnType::bigint_unsigned()
                } else {
                    ColumnType::decimal(65, 0)
                }
            }
            Literal::Decimal(digits) => {
                // Two texts of one shape agree in their decimals, and in whether a double holds them.
                let scale = digits.split_once('.').map_or(0, |(_, d)| d.len()).min(usize::from(MAX_SCALE)) as u8;
                let wide = crate::sql::decimal::is_wide_text(digits);
                ColumnType::decimal(if wide { 65 } else { 15.max(scale + 1) }, scale)
            }
            Literal::Float(_) => ColumnType::double(),
            Literal::Text(_) => text_type(),
        };
        if self.inline {
            self.looked_at.insert(index);
            let sql = quote_value(&literal.value(negate));
            let sql = if sql.starts_with('-') { format!("({sql})") } else { sql };
            return Typed { nullable: false, ..Typed::new(sql, ty) };
        }
        self.used.insert(index);
        let (sql, parameter) = self.parameter(Source::Literal { index, negate }, Convert::Plain);
        Typed { nullable: false, parameter: Some(parameter), ..Typed::new(sql, ty) }
    }

    fn placeholder(&mut self, text: &str) -> Result<Typed, Error> {
        if let Some(name) = text.strip_prefix("@@") {
            let (scope, name) = crate::sql::parse::scoped_name(name);
            return Ok(self.wanted(Wanted::System(scope, name), None));
        }
        if let Some(name) = text.strip_prefix('@') {
            if let Some(field) = self.field_variables.get(&name.to_lowercase()) {
                return Ok(Typed::new(field.clone(), text_type()));
            }
            let before = self.wanted(Wanted::User(name.to_string()), None);
            if !self.tokens.assigns_variables {
                return Ok(before);
            }
            return Ok(Typed::dynamic(format!("marmot_variable({}, {})", quote_text(name), before.sql)));
        }
        if let Some((bytes, bits)) = placeholder_bytes(text) {
            if bits {
                let number = bytes.iter().fold(0i64, |n, b| n << 8 | i64::from(*b));
                return Ok(Typed { nullable: false, ..Typed::new(number.to_string(), ColumnType::bigint()) });
            }
            let ty = ColumnType::Binary { kind: BinaryKind::VarBinary, length: bytes.len() as u32 };
            return Ok(Typed { nullable: false, ..Typed::new(format!("x'{}'", &text[1..]), ty) });
        }
        match text.strip_prefix('?').and_then(|n| n.parse().ok()) {
            Some(index) => {
                let (sql, parameter) = self.parameter(Source::Client(index), Convert::Plain);
                Ok(Typed { parameter: Some(parameter), ..Typed::dynamic(sql) })
            }
            None => Err(Error::unsupported("this placeholder")),
        }
    }

    /// A hexadecimal literal as the number it is in numeric context.
    pub fn hex_number(expression: &Expr) -> Option<Typed> {
        let Expr::Value(value) = expression else { return None };
        let sqlparser::ast::Value::Placeholder(text) = &value.value else { return None };
        let (bytes, false) = placeholder_bytes(text)? else { return None };
        if bytes.len() > 8 {
            return None;
        }
        let number = bytes.iter().fold(0u64, |n, b| n << 8 | u64::from(*b));
        let cell = crate::sql::unsigned::cell(number);
        Some(Typed { nullable: false, ..Typed::new(quote_value(&cell), ColumnType::bigint_unsigned()) })
    }

    pub fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    /// Runs `inner` with another name for the clause.
    pub fn in_clause<T>(&mut self, clause: &'static str, inner: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.clause, clause);
        let result = inner(self);
        self.clause = outer;
        result
    }

    /// The database a name is in.
    pub fn database_of(&self, name: &TableName) -> Result<&'a Arc<Database>, Error> {
        let wanted = match (&name.database, self.context.database) {
            (Some(database), _) => database.as_str(),
            (None, Some(current)) => current,
            (None, None) => return Err(Error::no_database()),
        };
        self.find_database(wanted)
    }

    pub fn find_database(&self, wanted: &str) -> Result<&'a Arc<Database>, Error> {
        let catalog = self.context.catalog;
        let found = catalog.database(wanted).or_else(|| {
            // INFORMATION_SCHEMA is found however it is written.
            catalog.databases().find(|d| d.system && d.name.eq_ignore_ascii_case(wanted))
        });
        found.ok_or_else(|| Error::unknown_database(wanted))
    }

    /// An existing table, remembered as used.
    pub fn find_table(&mut self, name: &TableName) -> Result<(&'a Arc<Database>, &'a Arc<Table>), Error> {
        let mut database = self.database_of(name)?;
        if let Some((temporary, _)) = self.temporary_table(&database.name, &name.name) {
            database = temporary;
        }
        let table =
            if database.system { database.table_ignoring_case(&name.name) } else { database.tables.get(&name.name) };
        let table = table.ok_or_else(|| match &*database.name {
            "information_schema" => Error::unknown_table_in(&name.name, "information_schema"),
            database => Error::no_such_table(format!("{database}.{}", name.name)),
        })?;
        if !self.databases.contains(&database.name) {
            self.databases.push(database.name.clone());
        }
        let entry = (database.name.clone(), table.name.clone());
        if !self.tables.contains(&entry) {
            self.tables.push(entry);
        }
        Ok((database, table))
    }

    /// The session's temporary table of a name.
    pub fn temporary_table(&self, database: &str, name: &str) -> Option<(&'a Arc<Database>, &'a Arc<Table>)> {
        // A view is of the tables it was made of.
        if !self.views.is_empty() {
            return None;
        }
        let database = self.context.catalog.database(&crate::sql::catalog::temporary_database(database))?;
        database.tables.get(name).map(|table| (database, table))
    }

    /// The view of a name, unless a temporary table hides it.
    pub fn find_view(&self, name: &TableName) -> Result<Option<(&'a Arc<Database>, &'a Arc<View>)>, Error> {
        let database = self.database_of(name)?;
        let hidden = || self.temporary_table(&database.name, &name.name).is_some();
        Ok(database.views.get(&name.name).filter(|_| !hidden()).map(|view| (database, view)))
    }

    /// A table whose rows UPDATE and DELETE may name: one that statements may write, or a table of rights, which the session
    /// refuses unless it is empty.
    pub fn find_changeable(&mut self, name: &TableName) -> Result<(&'a Arc<Database>, &'a Arc<Table>), Error> {
        let (database, table) = self.find_table(name)?;
        let of_rights = database.system && database.name.eq_ignore_ascii_case("mysql");
        if of_rights { Ok((database, table)) } else { self.find_writable(name) }
    }

    /// A table that statements may write.
    pub fn find_writable(&mut self, name: &TableName) -> Result<(&'a Arc<Database>, &'a Arc<Table>), Error> {
        if self.find_view(name)?.is_some() {
            return Err(Error::unsupported("INSERT, UPDATE or DELETE of a view"));
        }
        let (database, table) = self.find_table(name)?;
        if database.system {
            return Err(Error::access_denied_system(&database.name));
        }
        Ok((database, table))
    }

    /// The type of text of a collation.
    pub fn text_of(collation: &str) -> ColumnType {
        let collation = Collation::new(collation).unwrap_or_default();
        ColumnType::Text { kind: TextKind::VarChar, length: 16_383, collation }
    }
}
