//! CREATE, DROP, RENAME and TRUNCATE.

use super::{Body, Reader, TableChange, TableName};
use crate::sql::alteration::Alteration;
use crate::sql::catalog::{Collation, IndexKind, ReferentialAction};
use crate::sql::definition::{ForeignKeyDefinition, KeyDefinition, KeyPart, OptionsDefinition, TableDefinition};
use crate::sql::error::Error;
use crate::sql::plan::Plan;
use crate::sql::schema_change::SchemaChange;
use sqlparser::tokenizer::Token;

/// Things that can be created, altered and dropped in MySQL, but not here.
const UNSUPPORTED_OBJECTS: &[&str] = &[
    "VIEW",
    "TRIGGER",
    "PROCEDURE",
    "FUNCTION",
    "EVENT",
    "USER",
    "ROLE",
    "SERVER",
    "TABLESPACE",
    "UNDO",
    "LOGFILE",
    "RESOURCE",
    "SPATIAL REFERENCE",
    "INSTANCE",
    "AGGREGATE",
    "DEFINER",
    "ALGORITHM",
    "SQL SECURITY",
    "OR REPLACE",
];

impl Reader<'_> {
    pub(super) fn refuse_objects(&self, verb: &str) -> Result<(), Error> {
        match UNSUPPORTED_OBJECTS.iter().find(|words| self.looks_at(words)) {
            Some(&("DEFINER" | "ALGORITHM" | "SQL SECURITY" | "OR REPLACE")) => {
                Err(Error::unsupported(format!("{verb} VIEW, TRIGGER or ROUTINE")))
            }
            Some(what) => Err(Error::unsupported(format!("{verb} {what}"))),
            None => Ok(()),
        }
    }

    pub(super) fn create(&mut self) -> Result<Body, Error> {
        self.skip();
        self.refuse_objects("CREATE")?;
        if self.accept("TEMPORARY") {
            return Err(Error::unsupported("CREATE TEMPORARY TABLE"));
        }
        if self.accept("DATABASE") || self.accept("SCHEMA") {
            let if_not_exists = self.accept("IF NOT EXISTS");
            let name = self.name()?.into();
            let collation = self.database_options()?;
            return Ok(Body::Ready(Plan::Schema(SchemaChange::CreateDatabase { name, if_not_exists, collation })));
        }
        if self.accept("TABLE") {
            return self.create_table();
        }
        self.create_index()
    }

    /// `[DEFAULT] CHARACTER SET ...`, `COLLATE ...`, `ENCRYPTION ...` of CREATE and ALTER DATABASE.
    pub(super) fn database_options(&mut self) -> Result<Option<Collation>, Error> {
        let (mut charset, mut collation) = (None, None);
        while !self.at_end() {
            self.accept("DEFAULT");
            if self.accept("CHARACTER SET") || self.accept("CHARSET") {
                self.take(&Token::Eq);
                charset = Some(self.name_or_text()?);
            } else if self.accept("COLLATE") {
                self.take(&Token::Eq);
                collation = Some(self.name_or_text()?);
            } else if self.accept("ENCRYPTION") {
                self.take(&Token::Eq);
                if !self.text()?.eq_ignore_ascii_case("N") {
                    return Err(Error::unsupported("ENCRYPTION"));
                }
            } else {
                return self.unexpected();
            }
        }
        crate::sql::compile::resolve_collation(charset.as_deref(), collation.as_deref())
    }

    fn create_table(&mut self) -> Result<Body, Error> {
        let if_not_exists = self.accept("IF NOT EXISTS");
        let name = self.table_name()?;
        let next = self.position() + 1;
        if *self.peek() == Token::LParen && self.tokens.word(next).is_some_and(|w| w.eq_ignore_ascii_case("LIKE")) {
            self.skip();
            let source = self.like()?;
            self.need(&Token::RParen)?;
            return Ok(Body::Table { name, change: TableChange::CreateLike { if_not_exists, source } });
        }
        if self.looks_at("LIKE") {
            let source = self.like()?;
            return Ok(Body::Table { name, change: TableChange::CreateLike { if_not_exists, source } });
        }
        let mut definition = TableDefinition { name: name.name.clone(), ..Default::default() };
        if *self.peek() == Token::LParen && !self.tokens.word(next).is_some_and(|w| w.eq_ignore_ascii_case("SELECT")) {
            self.skip();
            loop {
                self.table_element(&mut definition)?;
                if !self.take(&Token::Comma) {
                    break;
                }
            }
            self.need(&Token::RParen)?;
        }
        self.table_options(&mut definition.options)?;
        if self.looks_at("PARTITION BY") {
            // Partitions change no result; where the rows lie is not ours to say.
            while !self.at_end() {
                self.skip();
            }
        }
        let select = ["AS", "SELECT", "WITH", "IGNORE", "REPLACE", "TABLE", "VALUES"].iter().any(|w| self.looks_at(w));
        if select || *self.peek() == Token::LParen {
            return Err(Error::unsupported("CREATE TABLE ... SELECT"));
        }
        let change = TableChange::Create { if_not_exists, definition: Box::new(definition) };
        Ok(Body::Table { name, change })
    }

    fn like(&mut self) -> Result<TableName, Error> {
        self.expect("LIKE")?;
        self.table_name()
    }

    /// A column, key or constraint.
    fn table_element(&mut self, definition: &mut TableDefinition) -> Result<(), Error> {
        if self.looks_at_key() {
            match self.key_or_constraint()? {
                Alteration::AddKey(key) => definition.keys.push(key),
                Alteration::AddForeignKey(key) => definition.foreign_keys.push(key),
                Alteration::AddCheck(check) => definition.checks.push(check),
                _ => return self.unexpected(),
            }
            return Ok(());
        }
        let parsed = self.column_definition()?;
        definition.columns.push(parsed.column);
        definition.checks.extend(parsed.checks);
        definition.foreign_keys.extend(parsed.foreign_key);
        Ok(())
    }

    pub(super) fn looks_at_key(&self) -> bool {
        ["PRIMARY", "UNIQUE", "KEY", "INDEX", "CONSTRAINT", "FOREIGN", "CHECK", "FULLTEXT", "SPATIAL"]
            .iter()
            .any(|w| self.looks_at(w))
    }

    /// A key, index, foreign key or check, as an ALTER clause.
    pub(super) fn key_or_constraint(&mut self) -> Result<Alteration, Error> {
        if self.looks_at("FULLTEXT") {
            return Err(Error::unsupported("FULLTEXT indexes"));
        }
        if self.looks_at("SPATIAL") {
            return Err(Error::unsupported("SPATIAL indexes"));
        }
        let mut name = None;
        if self.accept("CONSTRAINT") && !["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|w| self.looks_at(w)) {
            name = Some(self.name()?);
        }
        if self.looks_at("CHECK") {
            return Ok(Alteration::AddCheck(self.check(name)?));
        }
        if self.accept("FOREIGN KEY") {
            let index = if *self.peek() == Token::LParen { None } else { Some(self.name()?) };
            let columns = self.parenthesised(Reader::name)?;
            return Ok(Alteration::AddForeignKey(self.references(name.or(index), columns)?));
        }
        let kind = if self.accept("PRIMARY KEY") {
            IndexKind::Primary
        } else if self.accept("UNIQUE") {
            let _ = self.accept("KEY") || self.accept("INDEX");
            IndexKind::Unique
        } else if self.accept("KEY") || self.accept("INDEX") {
            IndexKind::Plain
        } else {
            return self.unexpected();
        };
        if *self.peek() != Token::LParen && !self.looks_at("USING") && !self.looks_at("TYPE") {
            name = Some(self.name()?);
        }
        Ok(Alteration::AddKey(self.key_tail(kind, name)?))
    }

    /// `[USING type] (parts) [options]`.
    fn key_tail(&mut self, kind: IndexKind, name: Option<String>) -> Result<KeyDefinition, Error> {
        self.index_type()?;
        let parts = self.parenthesised(Reader::key_part)?;
        let mut key = KeyDefinition { kind, name, parts, comment: String::new(), invisible: false };
        loop {
            if self.accept("COMMENT") {
                key.comment = self.text()?;
            } else if self.accept("INVISIBLE") {
                key.invisible = true;
            } else if self.accept("VISIBLE") {
                key.invisible = false;
            } else if self.accept("KEY_BLOCK_SIZE") {
                self.take(&Token::Eq);
                self.unsigned()?;
            } else if self.looks_at("WITH PARSER") {
                return Err(Error::unsupported("WITH PARSER"));
            } else if !self.index_type()? {
                return Ok(key);
            }
        }
    }

    fn index_type(&mut self) -> Result<bool, Error> {
        let found = self.accept("USING") || self.accept("TYPE");
        if found && self.accept_any(&["BTREE", "HASH"]).is_none() {
            return self.unexpected();
        }
        Ok(found)
    }

    fn key_part(&mut self) -> Result<KeyPart, Error> {
        if *self.peek() == Token::LParen {
            return Err(Error::unsupported("functional key parts"));
        }
        let column = self.name()?;
        let prefix = self.optional_length()?.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let descending = self.accept("DESC");
        self.accept("ASC");
        Ok(KeyPart { column, prefix, descending })
    }

    /// `REFERENCES parent (columns) [MATCH ..] [ON DELETE ..] [ON UPDATE ..]`.
    pub(super) fn references(
        &mut self,
        name: Option<String>,
        columns: Vec<String>,
    ) -> Result<ForeignKeyDefinition, Error> {
        self.expect("REFERENCES")?;
        let parent = self.table_name()?;
        let parent_columns = if *self.peek() == Token::LParen { self.parenthesised(Reader::name)? } else { vec![] };
        let mut key = ForeignKeyDefinition {
            name,
            columns,
            parent_database: parent.database.map(Into::into),
            parent_table: parent.name,
            parent_columns,
            on_delete: ReferentialAction::NoAction,
            on_update: ReferentialAction::NoAction,
        };
        loop {
            if self.accept("ON DELETE") {
                key.on_delete = self.referential_action()?;
            } else if self.accept("ON UPDATE") {
                key.on_update = self.referential_action()?;
            } else if self.accept("MATCH") {
                self.name_or_text()?;
            } else {
                return Ok(key);
            }
        }
    }

    fn referential_action(&mut self) -> Result<ReferentialAction, Error> {
        Ok(match self.accept_any(&["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]) {
            Some("NO ACTION") => ReferentialAction::NoAction,
            Some("RESTRICT") => ReferentialAction::Restrict,
            Some("CASCADE") => ReferentialAction::Cascade,
            Some("SET NULL") => ReferentialAction::SetNull,
            Some(_) => ReferentialAction::SetDefault,
            None => return self.unexpected(),
        })
    }

    /// Table options, with or without `=` and commas.
    pub(super) fn table_options(&mut self, options: &mut OptionsDefinition) -> Result<bool, Error> {
        let mut any = false;
        loop {
            let comma = any && *self.peek() == Token::Comma && self.option_follows_comma();
            if comma {
                self.skip();
            }
            if !self.table_option(options)? {
                return Ok(any);
            }
            any = true;
        }
    }

    fn option_follows_comma(&self) -> bool {
        let next = self.position() + 1;
        self.tokens.word(next).is_some_and(|w| {
            let mut names = OTHER_OPTIONS.iter().chain(&["ENGINE", "COMMENT", "AUTO_INCREMENT", "COLLATE", "CHARSET"]);
            names.any(|o| o.eq_ignore_ascii_case(w))
        })
    }

    fn table_option(&mut self, options: &mut OptionsDefinition) -> Result<bool, Error> {
        let default =
            self.looks_at("DEFAULT CHARACTER") || self.looks_at("DEFAULT CHARSET") || self.looks_at("DEFAULT COLLATE");
        if default {
            self.skip();
        }
        if self.accept("ENGINE") {
            self.take(&Token::Eq);
            options.engine = Some(self.name_or_text()?);
        } else if self.accept("CHARACTER SET") || self.accept("CHARSET") {
            self.take(&Token::Eq);
            options.charset = Some(self.name_or_text()?);
        } else if self.accept("COLLATE") {
            self.take(&Token::Eq);
            options.collation = Some(self.name_or_text()?);
        } else if self.accept("COMMENT") {
            self.take(&Token::Eq);
            options.comment = Some(self.text()?);
        } else if self.accept("AUTO_INCREMENT") {
            self.take(&Token::Eq);
            options.auto_increment = Some(self.unsigned()?);
        } else if self.accept("DATA DIRECTORY") || self.accept("INDEX DIRECTORY") {
            return Err(Error::unsupported("DATA DIRECTORY"));
        } else if let Some(name) = self.accept_any(OTHER_OPTIONS) {
            self.take(&Token::Eq);
            let value = match self.peek() {
                Token::LParen => {
                    self.skip();
                    let first = self.position();
                    self.list(Reader::name)?;
                    let text = format!("({})", self.text_since(first));
                    self.need(&Token::RParen)?;
                    text
                }
                Token::Number(..) => self.unsigned()?.to_string(),
                _ => self.name_or_text()?,
            };
            options.others.retain(|(n, _)| n != name);
            options.others.push((name.to_string(), value));
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn create_index(&mut self) -> Result<Body, Error> {
        if self.looks_at("FULLTEXT") {
            return Err(Error::unsupported("FULLTEXT indexes"));
        }
        if self.looks_at("SPATIAL") {
            return Err(Error::unsupported("SPATIAL indexes"));
        }
        let kind = if self.accept("UNIQUE") { IndexKind::Unique } else { IndexKind::Plain };
        self.expect("INDEX")?;
        let name = self.name()?;
        self.index_type()?;
        self.expect("ON")?;
        let table = self.table_name()?;
        let key = self.key_tail(kind, Some(name))?;
        self.online_options()?;
        Ok(Body::Table { name: table, change: TableChange::Alter(vec![Alteration::AddKey(key)]) })
    }

    /// `ALGORITHM=`, `LOCK=`: how MySQL would do it.
    pub(super) fn online_options(&mut self) -> Result<(), Error> {
        while self.accept("ALGORITHM") || self.accept("LOCK") {
            self.take(&Token::Eq);
            self.name_or_text()?;
        }
        Ok(())
    }

    pub(super) fn drop_statement(&mut self) -> Result<Body, Error> {
        self.skip();
        if self.looks_at("VIEW IF EXISTS") {
            return Err(Error::unsupported("DROP VIEW"));
        }
        self.refuse_objects("DROP")?;
        if self.accept("PREPARE") {
            let name = self.name()?.to_lowercase();
            return Ok(Body::Ready(Plan::Session(crate::sql::plan::SessionCommand::Deallocate { name })));
        }
        if self.accept("DATABASE") || self.accept("SCHEMA") {
            let if_exists = self.accept("IF EXISTS");
            let name = self.name()?.into();
            return Ok(Body::Ready(Plan::Schema(SchemaChange::DropDatabase { name, if_exists })));
        }
        if self.accept("INDEX") {
            let name = self.name()?;
            self.expect("ON")?;
            let table = self.table_name()?;
            self.online_options()?;
            let primary = name.eq_ignore_ascii_case("PRIMARY");
            let alteration = if primary { Alteration::DropPrimaryKey } else { Alteration::DropKey(name) };
            return Ok(Body::Table { name: table, change: TableChange::Alter(vec![alteration]) });
        }
        if self.accept("TEMPORARY") {
            return Err(Error::unsupported("DROP TEMPORARY TABLE"));
        }
        if !self.accept("TABLES") {
            self.expect("TABLE")?;
        }
        let if_exists = self.accept("IF EXISTS");
        let names = self.list(Reader::table_name)?;
        let _ = self.accept("RESTRICT") || self.accept("CASCADE");
        Ok(Body::DropTables { names, if_exists })
    }

    pub(super) fn rename(&mut self) -> Result<Body, Error> {
        self.skip();
        if self.looks_at("USER") {
            return Err(Error::unsupported("RENAME USER"));
        }
        if !self.accept("TABLES") {
            self.expect("TABLE")?;
        }
        let renames = self.list(|r| {
            let from = r.table_name()?;
            r.expect("TO")?;
            Ok((from, r.table_name()?))
        })?;
        Ok(Body::RenameTables(renames))
    }

    pub(super) fn truncate(&mut self) -> Result<Body, Error> {
        self.skip();
        self.accept("TABLE");
        let name = self.table_name()?;
        Ok(Body::Table { name, change: TableChange::Truncate })
    }
}

/// Options that are kept to be shown.
const OTHER_OPTIONS: &[&str] = &[
    "ROW_FORMAT",
    "KEY_BLOCK_SIZE",
    "MAX_ROWS",
    "MIN_ROWS",
    "AVG_ROW_LENGTH",
    "CHECKSUM",
    "DELAY_KEY_WRITE",
    "PACK_KEYS",
    "STATS_AUTO_RECALC",
    "STATS_PERSISTENT",
    "STATS_SAMPLE_PAGES",
    "INSERT_METHOD",
    "COMPRESSION",
    "ENCRYPTION",
    "CONNECTION",
    "TABLESPACE",
    "UNION",
    "AUTOEXTEND_SIZE",
    "ENGINE_ATTRIBUTE",
    "SECONDARY_ENGINE_ATTRIBUTE",
    "TRANSACTIONAL",
    "PAGE_CHECKSUM",
];
