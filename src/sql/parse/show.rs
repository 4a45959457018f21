//! SHOW in all its forms.

use super::{Body, Reader, TableName};
use crate::sql::account::UserReference;
use crate::sql::error::Error;
use crate::sql::plan::{Plan, SessionCommand, VariableScope};
use crate::sql::program::StoredKind;
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

/// What is shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Show {
    Databases(Filter),
    Tables {
        full: bool,
        database: Option<String>,
        filter: Filter,
    },
    Columns {
        full: bool,
        table: TableName,
        filter: Filter,
    },
    Indexes {
        table: TableName,
        filter: Filter,
    },
    CreateTable(TableName),
    CreateView(TableName),
    CreateProgram(StoredKind, TableName),
    /// SHOW PROCEDURE STATUS, SHOW FUNCTION STATUS.
    Routines(StoredKind, Filter),
    Triggers {
        database: Option<String>,
        filter: Filter,
    },
    CreateDatabase {
        name: String,
        if_not_exists: bool,
    },
    Variables {
        scope: VariableScope,
        filter: Filter,
    },
    Status {
        scope: VariableScope,
        filter: Filter,
    },
    Engines,
    Collations(Filter),
    CharacterSets(Filter),
    Processlist {
        full: bool,
    },
    TableStatus {
        database: Option<String>,
        filter: Filter,
    },
    Plugins,
    Privileges,
    /// Lists that are always empty: events.
    Empty {
        columns: &'static [&'static str],
    },
    OpenTables,
}

/// `LIKE 'pattern'` or `WHERE condition`.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    None,
    Like(String),
    Where(Box<Expr>),
}

/// What SHOW TRIGGERS shows.
pub const TRIGGERS: [&str; 11] = [
    "Trigger",
    "Event",
    "Table",
    "Statement",
    "Timing",
    "Created",
    "sql_mode",
    "Definer",
    "character_set_client",
    "collation_connection",
    "Database Collation",
];
const EVENTS: &[&str] = &[
    "Db",
    "Name",
    "Definer",
    "Time zone",
    "Type",
    "Execute at",
    "Interval value",
    "Interval field",
    "Starts",
    "Ends",
    "Status",
    "Originator",
    "character_set_client",
    "collation_connection",
    "Database Collation",
];
/// What SHOW FUNCTION STATUS and SHOW PROCEDURE STATUS show.
pub const ROUTINE_STATUS: [&str; 11] = [
    "Db",
    "Name",
    "Type",
    "Definer",
    "Modified",
    "Created",
    "Security_type",
    "Comment",
    "character_set_client",
    "collation_connection",
    "Database Collation",
];

impl Reader<'_> {
    pub(super) fn show(&mut self) -> Result<Body, Error> {
        self.skip();
        let full = self.accept("FULL");
        self.accept("EXTENDED");
        let show =
            match self.accept_any(&["DATABASES", "SCHEMAS", "TABLES", "COLUMNS", "FIELDS", "INDEXES", "INDEX", "KEYS"])
            {
                Some("DATABASES" | "SCHEMAS") => Show::Databases(self.filter()?),
                Some("TABLES") => Show::Tables { full, database: self.in_database()?, filter: self.filter()? },
                Some("COLUMNS" | "FIELDS") => Show::Columns { full, table: self.in_table()?, filter: self.filter()? },
                Some(_) => Show::Indexes { table: self.in_table()?, filter: self.filter()? },
                None if self.accept("CREATE USER") => {
                    let user = if self.at_end() { UserReference::Current } else { self.user_reference()? };
                    return Ok(Body::Ready(Plan::Session(SessionCommand::ShowCreateUser { user })));
                }
                None if self.accept("CREATE") => self.show_create()?,
                None if self.accept("TABLE STATUS") => {
                    Show::TableStatus { database: self.in_database()?, filter: self.filter()? }
                }
                None if self.accept("PROCESSLIST") => Show::Processlist { full },
                None if self.looks_at("COUNT") || self.looks_at("WARNINGS") || self.looks_at("ERRORS") => {
                    return self.show_warnings();
                }
                None if self.accept("GRANTS") => return self.show_grants(),
                None => self.show_server()?,
            };
        Ok(Body::Show(show))
    }

    fn show_create(&mut self) -> Result<Show, Error> {
        if self.accept("TABLE") {
            return Ok(Show::CreateTable(self.table_name()?));
        }
        if self.accept("VIEW") {
            return Ok(Show::CreateView(self.table_name()?));
        }
        if self.accept("DATABASE") || self.accept("SCHEMA") {
            let if_not_exists = self.accept("IF NOT EXISTS");
            return Ok(Show::CreateDatabase { name: self.name()?, if_not_exists });
        }
        let kinds = [StoredKind::Procedure, StoredKind::Function, StoredKind::Trigger];
        if let Some(kind) = kinds.into_iter().find(|kind| self.accept(kind.name())) {
            return Ok(Show::CreateProgram(kind, self.table_name()?));
        }
        if self.accept("EVENT") { Err(Error::unsupported("SHOW CREATE EVENT")) } else { self.unexpected() }
    }

    /// What belongs to the server, not to a database.
    fn show_server(&mut self) -> Result<Show, Error> {
        let scope = match self.accept_any(&["GLOBAL", "SESSION", "LOCAL"]) {
            Some("GLOBAL") => VariableScope::Global,
            Some(_) => VariableScope::Session,
            None => VariableScope::Unspecified,
        };
        if self.accept("VARIABLES") {
            return Ok(Show::Variables { scope, filter: self.filter()? });
        }
        if self.accept("STATUS") {
            return Ok(Show::Status { scope, filter: self.filter()? });
        }
        if scope != VariableScope::Unspecified {
            return self.unexpected();
        }
        self.accept("STORAGE");
        let choices = [
            "ENGINES",
            "COLLATION",
            "CHARACTER SET",
            "CHARSET",
            "PLUGINS",
            "PRIVILEGES",
            "OPEN TABLES",
            "TRIGGERS",
            "EVENTS",
            "FUNCTION STATUS",
            "PROCEDURE STATUS",
        ];
        match self.accept_any(&choices) {
            Some("ENGINES") => Ok(Show::Engines),
            Some("COLLATION") => Ok(Show::Collations(self.filter()?)),
            Some("CHARACTER SET" | "CHARSET") => Ok(Show::CharacterSets(self.filter()?)),
            Some("PLUGINS") => Ok(Show::Plugins),
            Some("PRIVILEGES") => Ok(Show::Privileges),
            Some("OPEN TABLES") => {
                self.in_database()?;
                self.filter()?;
                Ok(Show::OpenTables)
            }
            Some("FUNCTION STATUS") => Ok(Show::Routines(StoredKind::Function, self.filter()?)),
            Some("PROCEDURE STATUS") => Ok(Show::Routines(StoredKind::Procedure, self.filter()?)),
            Some("TRIGGERS") => Ok(Show::Triggers { database: self.in_database()?, filter: self.filter()? }),
            Some(_) => {
                self.in_database()?;
                self.filter()?;
                Ok(Show::Empty { columns: EVENTS })
            }
            None => {
                let others = [
                    "BINARY LOGS",
                    "MASTER STATUS",
                    "MASTER LOGS",
                    "BINARY LOG STATUS",
                    "REPLICA STATUS",
                    "SLAVE STATUS",
                    "REPLICAS",
                    "ENGINE",
                    "PROFILES",
                    "PROFILE",
                    "BINLOG EVENTS",
                    "RELAYLOG EVENTS",
                ];
                match self.accept_any(&others) {
                    Some(what) => Err(Error::unsupported(format!("SHOW {what}"))),
                    None => self.unexpected(),
                }
            }
        }
    }

    fn show_warnings(&mut self) -> Result<Body, Error> {
        let count = self.accept("COUNT");
        if count {
            self.need(&Token::LParen)?;
            self.need(&Token::Mul)?;
            self.need(&Token::RParen)?;
        }
        let errors_only = match self.accept_any(&["WARNINGS", "ERRORS"]) {
            Some(what) => what == "ERRORS",
            None => return self.unexpected(),
        };
        let (mut offset, mut limit) = (0, None);
        if self.accept("LIMIT") {
            let first = self.unsigned()?;
            if self.take(&Token::Comma) {
                offset = first;
                limit = Some(self.unsigned()?);
            } else {
                limit = Some(first);
            }
        }
        let command = SessionCommand::ShowWarnings { errors_only, count, offset, limit };
        Ok(Body::Ready(Plan::Session(command)))
    }

    fn show_grants(&mut self) -> Result<Body, Error> {
        let user = if self.accept("FOR") { self.user_reference()? } else { UserReference::Current };
        if self.looks_at("USING") {
            return Err(Error::unsupported("SHOW GRANTS ... USING role"));
        }
        Ok(Body::Ready(Plan::Session(SessionCommand::ShowGrants { user })))
    }

    fn in_database(&mut self) -> Result<Option<String>, Error> {
        if self.accept("FROM") || self.accept("IN") { self.name().map(Some) } else { Ok(None) }
    }

    fn in_table(&mut self) -> Result<TableName, Error> {
        if !self.accept("FROM") {
            self.expect("IN")?;
        }
        let mut table = self.table_name()?;
        if let Some(database) = self.in_database()? {
            table.database = Some(database);
        }
        Ok(table)
    }

    fn filter(&mut self) -> Result<Filter, Error> {
        if self.accept("LIKE") {
            return Ok(Filter::Like(self.text()?));
        }
        if self.accept("WHERE") {
            return Ok(Filter::Where(Box::new(self.expression()?)));
        }
        Ok(Filter::None)
    }
}
