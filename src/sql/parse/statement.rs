//! The statement tree and the choice by first word.

use super::show::Show;
use super::view::CreateView;
use super::write::{Delete, Insert, Update};
use super::{Reader, SetItem};
use crate::sql::alteration::Alteration;
use crate::sql::definition::{TableDefinition, TypeDefinition};
use crate::sql::dialect::MarmotDialect;
use crate::sql::error::Error;
use crate::sql::load::IntoFile;
use crate::sql::modes::Modes;
use crate::sql::plan::{Admin, Completion, Plan, SessionCommand};
use crate::sql::program::{StoredKind, begins_program};
use crate::sql::tokens::{IntoName, Tokens, tokenise};
use crate::types::NodeId;
use sqlparser::ast::{Expr, Query};
use sqlparser::tokenizer::Token;
use std::sync::Arc;

/// A parsed statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    pub(in crate::sql) body: Body,
    pub(in crate::sql) tokens: Tokens,
}

/// A possibly qualified table name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    pub database: Option<String>,
    pub name: String,
}

/// What a statement does.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// With the variables of `INTO @a, b`.
    Query {
        query: Box<Query>,
        into: Vec<IntoName>,
        /// INTO OUTFILE, INTO DUMPFILE.
        file: Option<Arc<IntoFile>>,
    },
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    LoadData(Box<super::LoadData>),
    Table {
        name: TableName,
        change: TableChange,
    },
    CreateSelect(Box<CreateSelect>),
    View(Box<CreateView>),
    DropTables {
        names: Vec<TableName>,
        if_exists: bool,
        /// Only temporary tables.
        temporary: bool,
    },
    DropViews {
        names: Vec<TableName>,
        if_exists: bool,
    },
    /// A function of one RETURN.
    CreateFunction(Box<super::CreateFunction>),
    /// Any other stored program.
    Program(Box<super::CreateProgram>),
    AlterProgram {
        kind: StoredKind,
        name: TableName,
        change: super::NatureChange,
    },
    DropProgram {
        kind: &'static str,
        name: TableName,
        if_exists: bool,
    },
    RenameTables {
        renames: Vec<(TableName, TableName)>,
        if_exists: bool,
    },
    Set(Vec<SetItem>),
    /// `SET STATEMENT items FOR text`.
    SetStatement {
        items: Vec<SetItem>,
        text: String,
    },
    Show(Show),
    /// DESCRIBE table [column pattern].
    Describe {
        table: TableName,
        column: Option<String>,
    },
    Explain(Box<Body>),
    Do(Vec<Expr>),
    /// PREPARE name FROM text.
    Prepare {
        name: String,
        text: Expr,
    },
    /// EXECUTE name, EXECUTE IMMEDIATE text.
    Execute {
        source: Executed,
        using: Vec<Expr>,
    },
    Call(Box<super::Call>),
    Signal(Box<super::Signal>),
    Diagnostics(Box<super::GetDiagnostics>),
    Maintenance {
        what: Maintenance,
        tables: Vec<TableName>,
    },
    LockTables(Vec<TableName>),
    Flush,
    /// Needs no context.
    Ready(Plan),
}

/// DDL on one table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableChange {
    Create { create: Create, definition: Box<TableDefinition> },
    CreateLike { create: Create, source: TableName },
    Alter(Vec<Alteration>),
    AlterIfExists(Vec<Alteration>),
    Truncate,
}

/// What EXECUTE runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Executed {
    Named(String),
    Text(Box<Expr>),
}

/// How a table is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Create {
    pub if_not_exists: bool,
    /// OR REPLACE.
    pub replace: bool,
    pub temporary: bool,
}

/// CREATE TABLE ... SELECT.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateSelect {
    pub name: TableName,
    pub create: Create,
    /// What was written of the table; columns of the query join it.
    pub definition: TableDefinition,
    /// `IGNORE`, `REPLACE` or nothing.
    pub duplicates: String,
    pub query: Box<Query>,
    /// The query's text.
    pub text: String,
}

/// Statements that answer with a row for each table and change nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maintenance {
    Analyze,
    Check,
    Checksum,
    /// CHECKSUM TABLE ... QUICK.
    QuickChecksum,
    Optimize,
    Repair,
}

/// Parses all statements of `sql`.
///
/// # Errors
/// 1064 for what is no MySQL, 1235 for MySQL that Marmot does not support, 1065 if there is no statement.
pub fn parse(sql: &str, modes: Modes) -> Result<Vec<Statement>, Error> {
    let mut statements = Vec::new();
    let mut rest = sql;
    while !rest.is_empty() {
        let (statement, end) = parse_one(rest, modes)?;
        statements.extend(statement);
        rest = &rest[end..];
    }
    if statements.is_empty() { Err(Error::empty_query()) } else { Ok(statements) }
}

/// Parses the first statement of `sql`; says where the next one begins. `None`: there is nothing but space.
pub fn parse_one(sql: &str, modes: Modes) -> Result<(Option<Statement>, usize), Error> {
    if begins_program(sql, modes) {
        return super::parse_program(sql, modes);
    }
    let tokens = tokenise(sql, modes)?;
    let end = tokens.end;
    if tokens.tokens.len() <= 1 {
        return Ok((None, end));
    }
    let dialect = MarmotDialect::default();
    let mut reader = Reader::new(&dialect, &tokens);
    let body = reader.statement()?;
    reader.need_end()?;
    drop(reader);
    Ok((Some(Statement { body, tokens }), end))
}

/// Parses one expression, for defaults and CHECK constraints out of the catalog.
pub fn parse_expression(text: &str, modes: Modes) -> Result<(Expr, Tokens), Error> {
    let tokens = tokenise(text, modes)?;
    let dialect = MarmotDialect::default();
    let mut reader = Reader::new(&dialect, &tokens);
    let expression = reader.expression()?;
    reader.need_end()?;
    drop(reader);
    Ok((expression, tokens))
}

/// Parses the type of a column called `column`, for table functions, whose tree has sqlparser's types.
///
/// # Errors
/// 1064, 1425, 1426, 1439 and what else a type may be wrong in.
pub fn parse_type(text: &str, column: &str, modes: Modes) -> Result<TypeDefinition, Error> {
    let tokens = tokenise(text, modes)?;
    let dialect = MarmotDialect::default();
    let mut reader = Reader::new(&dialect, &tokens);
    let (ty, _) = reader.column_type(column)?;
    reader.need_end()?;
    Ok(ty)
}

/// Statements of MySQL that are refused by name.
const UNSUPPORTED: &[&str] = &[
    "HANDLER",
    "XA",
    "LOAD XML",
    "IMPORT TABLE",
    "INSTALL",
    "UNINSTALL",
    "CLONE",
    "CHANGE MASTER",
    "CHANGE REPLICATION",
    "START REPLICA",
    "STOP REPLICA",
    "START SLAVE",
    "STOP SLAVE",
    "RESET",
    "PURGE",
    "SHUTDOWN",
    "RESTART",
    "BINLOG",
    "CACHE INDEX",
    "LOAD INDEX",
    "HELP",
];

impl Reader<'_> {
    /// Any statement.
    pub(super) fn statement(&mut self) -> Result<Body, Error> {
        if *self.peek() == Token::LParen {
            return self.query_statement();
        }
        if let Some(feature) = UNSUPPORTED.iter().find(|words| self.looks_at(words)) {
            return Err(Error::unsupported(feature));
        }
        let Token::Word(word) = self.peek() else { return self.unexpected() };
        if word.quote_style.is_some() {
            return self.unexpected();
        }
        match word.value.to_ascii_uppercase().as_str() {
            "SELECT" | "WITH" | "VALUES" | "TABLE" => self.query_statement(),
            "INSERT" => self.insert(false),
            "REPLACE" => self.insert(true),
            "UPDATE" => self.update(),
            "DELETE" => self.delete(),
            "CREATE" => self.create(),
            "ALTER" => self.alter(),
            "DROP" => self.drop_statement(),
            "RENAME" => self.rename(),
            "GRANT" => self.grant(),
            "REVOKE" => self.revoke(),
            "TRUNCATE" => self.truncate(),
            "USE" => self.use_statement(),
            "SET" => self.set(),
            "SHOW" => self.show(),
            "DESCRIBE" | "DESC" | "EXPLAIN" => self.explain(),
            "DO" => {
                self.skip();
                Ok(Body::Do(self.list(Reader::expression)?))
            }
            "CALL" => {
                self.skip();
                self.call_statement()
            }
            word @ ("SIGNAL" | "RESIGNAL") => {
                let resignal = word == "RESIGNAL";
                self.skip();
                self.signal(resignal)
            }
            "GET" => {
                self.skip();
                self.get_diagnostics()
            }
            "LOAD" => self.load_data(),
            "LOCK" | "UNLOCK" => self.lock_tables(),
            "ANALYZE" | "OPTIMIZE" | "CHECK" | "REPAIR" | "CHECKSUM" => self.maintenance(),
            "FLUSH" => self.flush(),
            "KILL" => self.kill(),
            "REMOVE" => self.remove_node(),
            "PREPARE" | "EXECUTE" | "DEALLOCATE" => self.prepared(),
            "BEGIN" | "START" | "COMMIT" | "ROLLBACK" | "SAVEPOINT" | "RELEASE" => self.transaction(),
            _ => self.unexpected(),
        }
    }

    fn query_statement(&mut self) -> Result<Body, Error> {
        let query = self.query()?;
        let file = match self.tokens.into_file.as_slice() {
            [] => None,
            part => {
                let dialect = MarmotDialect::default();
                let mut reader = Reader::of_part(&dialect, self.tokens, part);
                let file = reader.file_target()?;
                reader.need_end()?;
                Some(file.into())
            }
        };
        Ok(Body::Query { query, into: self.tokens.into.clone(), file })
    }

    fn use_statement(&mut self) -> Result<Body, Error> {
        self.skip();
        Ok(Body::Ready(Plan::Use(self.name()?.into())))
    }

    fn explain(&mut self) -> Result<Body, Error> {
        self.skip();
        let format = self.accept("FORMAT");
        if format {
            self.need(&Token::Eq)?;
            let name = self.name_or_text()?;
            if !name.eq_ignore_ascii_case("TRADITIONAL") {
                return Err(Error::unsupported(format!("EXPLAIN FORMAT={name}")));
            }
        }
        if self.accept("ANALYZE") {
            return Err(Error::unsupported("EXPLAIN ANALYZE"));
        }
        let explained = format || self.accept("EXTENDED") || self.accept("PARTITIONS");
        let statement = ["SELECT", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE", "TABLE", "VALUES"];
        if explained || *self.peek() == Token::LParen || statement.iter().any(|w| self.looks_at(w)) {
            return Ok(Body::Explain(Box::new(self.statement()?)));
        }
        let table = self.table_name()?;
        let column = if self.at_end() { None } else { Some(self.name_or_text()?) };
        Ok(Body::Describe { table, column })
    }

    fn lock_tables(&mut self) -> Result<Body, Error> {
        let lock = self.accept("LOCK");
        if !lock {
            self.skip();
        }
        if self.accept("INSTANCE") {
            return Err(Error::unsupported("LOCK INSTANCE FOR BACKUP"));
        }
        if self.accept_any(&["TABLES", "TABLE"]).is_none() {
            return self.unexpected();
        }
        let mut tables = vec![];
        if lock {
            tables = self.list(|r| {
                let table = r.table_name()?;
                if r.accept("AS") || !["READ", "WRITE", "LOW_PRIORITY"].iter().any(|w| r.looks_at(w)) {
                    r.name()?;
                }
                r.accept("LOW_PRIORITY");
                match r.accept_any(&["READ LOCAL", "READ", "WRITE"]) {
                    Some(_) => Ok(table),
                    None => r.unexpected(),
                }
            })?;
        }
        Ok(Body::LockTables(tables))
    }

    fn maintenance(&mut self) -> Result<Body, Error> {
        let what = match self.accept_any(&["ANALYZE", "OPTIMIZE", "CHECKSUM", "CHECK", "REPAIR"]) {
            Some("ANALYZE") => Maintenance::Analyze,
            Some("OPTIMIZE") => Maintenance::Optimize,
            Some("CHECKSUM") => Maintenance::Checksum,
            Some("CHECK") => Maintenance::Check,
            _ => Maintenance::Repair,
        };
        let _ = self.accept("NO_WRITE_TO_BINLOG") || self.accept("LOCAL");
        if self.accept_any(&["TABLES", "TABLE"]).is_none() {
            return self.unexpected();
        }
        let tables = self.list(Reader::table_name)?;
        if what == Maintenance::Checksum && self.accept("QUICK") {
            // No checksum is kept up to date: as InnoDB.
            return Ok(Body::Maintenance { what: Maintenance::QuickChecksum, tables });
        }
        if what == Maintenance::Analyze && self.looks_at("UPDATE") || self.looks_at("DROP") {
            return Err(Error::unsupported("ANALYZE TABLE ... HISTOGRAM"));
        }
        let options = ["QUICK", "FAST", "MEDIUM", "EXTENDED", "CHANGED", "USE_FRM", "FOR UPGRADE"];
        while self.accept_any(&options).is_some() {}
        Ok(Body::Maintenance { what, tables })
    }

    fn flush(&mut self) -> Result<Body, Error> {
        self.skip();
        let _ = self.accept("NO_WRITE_TO_BINLOG") || self.accept("LOCAL");
        let known = ["TABLES", "TABLE", "STATUS", "PRIVILEGES", "HOSTS", "LOGS", "USER_RESOURCES"];
        let what = self.accept_any(&known);
        if what.is_none() || self.looks_at("WITH") || !self.at_end() {
            return Err(Error::unsupported("FLUSH of this kind"));
        }
        Ok(match what {
            Some("HOSTS") => Body::Ready(Plan::Admin(Admin::FlushHosts)),
            // There is nothing of the kind to flush.
            _ => Body::Flush,
        })
    }

    fn kill(&mut self) -> Result<Body, Error> {
        self.skip();
        let query_only = self.accept("QUERY");
        if !query_only {
            self.accept("CONNECTION");
        }
        let connection = self.unsigned()?;
        Ok(Body::Ready(Plan::Session(SessionCommand::Kill { connection, query_only })))
    }

    pub(super) fn remove_node(&mut self) -> Result<Body, Error> {
        self.expect("REMOVE NODE")?;
        let node = self.unsigned()?;
        Ok(Body::Ready(Plan::Admin(Admin::RemoveNode(NodeId(node)))))
    }

    /// ALTER INSTANCE, after these words.
    pub(super) fn alter_instance(&mut self) -> Result<Body, Error> {
        if !self.accept("RELOAD TLS") {
            return Err(Error::unsupported("ALTER INSTANCE but for RELOAD TLS"));
        }
        if self.accept("FOR CHANNEL") {
            let channel = self.name()?;
            if !channel.eq_ignore_ascii_case("mysql_main") {
                return Err(Error::unsupported(format!("ALTER INSTANCE RELOAD TLS FOR CHANNEL {channel}")));
            }
        }
        let lenient = self.accept("NO ROLLBACK ON ERROR");
        Ok(Body::Ready(Plan::Admin(Admin::ReloadTls { lenient })))
    }

    fn prepared(&mut self) -> Result<Body, Error> {
        let verb = self.accept_any(&["PREPARE", "EXECUTE IMMEDIATE", "EXECUTE", "DEALLOCATE PREPARE"]);
        let name = if verb == Some("EXECUTE IMMEDIATE") { None } else { Some(self.name()?.to_lowercase()) };
        let text = match verb {
            Some("PREPARE") => {
                self.expect("FROM")?;
                Some(self.expression()?)
            }
            Some("EXECUTE IMMEDIATE") => Some(self.expression()?),
            _ => None,
        };
        let mut using = vec![];
        if matches!(verb, Some("EXECUTE" | "EXECUTE IMMEDIATE")) && self.accept("USING") {
            using = self.list(|r| match r.accept_any(&["DEFAULT", "IGNORE"]) {
                Some(word) => Err(Error::unsupported(format!("EXECUTE ... USING {word}"))),
                None => r.expression(),
            })?;
        }
        Ok(match (verb, name, text) {
            (Some("PREPARE"), Some(name), Some(text)) => Body::Prepare { name, text },
            (Some("EXECUTE IMMEDIATE"), _, Some(text)) => {
                Body::Execute { source: Executed::Text(Box::new(text)), using }
            }
            (Some("EXECUTE"), Some(name), _) => Body::Execute { source: Executed::Named(name), using },
            (_, Some(name), _) => Body::Ready(Plan::Session(SessionCommand::Deallocate { name })),
            _ => return self.unexpected(),
        })
    }

    /// `@name`, taken if it comes next.
    pub(super) fn user_variable(&mut self) -> Option<String> {
        match self.peek() {
            Token::Placeholder(name) if name.starts_with('@') && !name.starts_with("@@") => {
                let name = name[1..].to_string();
                self.skip();
                Some(name)
            }
            _ => None,
        }
    }

    fn transaction(&mut self) -> Result<Body, Error> {
        let plan = if self.accept("BEGIN") {
            self.accept("WORK");
            Plan::Begin { read_only: false, consistent_snapshot: false }
        } else if self.accept("START") {
            self.expect("TRANSACTION")?;
            let (mut read_only, mut consistent_snapshot) = (false, false);
            loop {
                match self.accept_any(&["READ ONLY", "READ WRITE", "WITH CONSISTENT SNAPSHOT"]) {
                    Some("READ ONLY") => read_only = true,
                    Some("WITH CONSISTENT SNAPSHOT") => consistent_snapshot = true,
                    _ => {}
                }
                if !self.take(&Token::Comma) {
                    break;
                }
            }
            Plan::Begin { read_only, consistent_snapshot }
        } else if self.accept("COMMIT") {
            Plan::Commit(self.completion())
        } else if self.accept("ROLLBACK") {
            self.accept("WORK");
            if self.accept("TO") {
                self.accept("SAVEPOINT");
                Plan::RollbackTo(self.name()?)
            } else {
                Plan::Rollback(self.completion())
            }
        } else if self.accept("SAVEPOINT") {
            Plan::Savepoint(self.name()?)
        } else {
            self.expect("RELEASE SAVEPOINT")?;
            Plan::Release(self.name()?)
        };
        Ok(Body::Ready(plan))
    }

    fn completion(&mut self) -> Completion {
        self.accept("WORK");
        let chain = self.accept("AND CHAIN");
        self.accept("AND NO CHAIN");
        let release = self.accept("RELEASE");
        self.accept("NO RELEASE");
        Completion { chain, release }
    }
}
