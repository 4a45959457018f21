//! CREATE, DROP, RENAME and TRUNCATE.

use super::view::ViewVerb;
use super::{Body, Create, CreateSelect, Reader, TableChange, TableName};
use crate::sql::alteration::Alteration;
use crate::sql::catalog::{Collation, IndexKind, ReferentialAction};
use crate::sql::definition::{ForeignKeyDefinition, KeyDefinition, KeyPart, OptionsDefinition, TableDefinition};
use crate::sql::error::Error;
use crate::sql::plan::Plan;
use crate::sql::schema_change::SchemaChange;
use sqlparser::tokenizer::Token;

/// Things that can be created, altered and dropped in MySQL, but not here.
const UNSUPPORTED_OBJECTS: &[&str] = &[
    "TRIGGER",
    "PROCEDURE",
    "FUNCTION",
    "EVENT",
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
    "SEQUENCE",
    "PACKAGE",
];

impl Reader<'_> {
    pub(super) fn refuse_objects(&self, verb: &str) -> Result<(), Error> {
        match UNSUPPORTED_OBJECTS.iter().find(|words| self.looks_at(words)) {
            Some(&"DEFINER") => Err(Error::unsupported(format!("{verb} TRIGGER or ROUTINE"))),
            Some(what) => Err(Error::unsupported(format!("{verb} {what}"))),
            None => Ok(()),
        }
    }

    pub(super) fn create(&mut self) -> Result<Body, Error> {
        self.skip();
        let replace = self.accept("OR REPLACE");
        if self.at_view() {
            return self.view(ViewVerb::Create { replace });
        }
        if self.accept("USER") {
            if replace {
                return Err(Error::unsupported("CREATE OR REPLACE USER"));
            }
            return self.create_user();
        }
        self.refuse_objects("CREATE")?;
        let temporary = self.accept("TEMPORARY");
        if self.accept("TABLE") {
            return self.create_table(replace, temporary);
        }
        if temporary {
            return self.unexpected();
        }
        if self.accept("DATABASE") || self.accept("SCHEMA") {
            if replace {
                return Err(Error::unsupported("CREATE OR REPLACE DATABASE"));
            }
            let if_not_exists = self.accept("IF NOT EXISTS");
            let name = self.name()?.into();
            let collation = self.database_options()?;
            return Ok(Body::Ready(Plan::Schema(SchemaChange::CreateDatabase { name, if_not_exists, collation })));
        }
        self.create_index(replace)
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

    fn create_table(&mut self, replace: bool, temporary: bool) -> Result<Body, Error> {
        let if_not_exists = self.accept("IF NOT EXISTS");
        if replace && if_not_exists {
            return Err(Error::wrong_usage("OR REPLACE", "IF NOT EXISTS"));
        }
        let create = Create { if_not_exists, replace, temporary };
        let name = self.table_name()?;
        let next = self.position() + 1;
        if *self.peek() == Token::LParen && self.tokens.word(next).is_some_and(|w| w.eq_ignore_ascii_case("LIKE")) {
            self.skip();
            let source = self.like()?;
            self.need(&Token::RParen)?;
            return Ok(Body::Table { name, change: TableChange::CreateLike { create, source } });
        }
        if self.looks_at("LIKE") {
            let source = self.like()?;
            return Ok(Body::Table { name, change: TableChange::CreateLike { create, source } });
        }
        let mut definition = TableDefinition { name: name.name.clone(), ..Default::default() };
        let opens_query = |w: &str| ["SELECT", "WITH", "VALUES"].iter().any(|q| q.eq_ignore_ascii_case(w));
        let parenthesis = self.tokens.tokens.get(next).is_some_and(|t| t.token == Token::LParen);
        if *self.peek() == Token::LParen && !parenthesis && !self.tokens.word(next).is_some_and(opens_query) {
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
            let query = |r: &Self| *r.peek() == Token::LParen || !r.looks_at("AS SELECT") && !r.looks_at("SELECT");
            while !self.at_end() && query(self) {
                self.skip();
            }
        }
        if self.at_end() {
            let change = TableChange::Create { create, definition: Box::new(definition) };
            return Ok(Body::Table { name, change });
        }
        let duplicates = self.accept_any(&["IGNORE", "REPLACE"]).unwrap_or_default().to_string();
        self.accept("AS");
        let first = self.position();
        let query = self.query()?;
        let text = self.text_since(first);
        let select = CreateSelect { name, create, definition, duplicates, query, text };
        Ok(Body::CreateSelect(Box::new(select)))
    }

    fn like(&mut self) -> Result<TableName, Error> {
        self.expect("LIKE")?;
        self.table_name()
    }

    /// A column, key or constraint.
    fn table_element(&mut self, definition: &mut TableDefinition) -> Result<(), Error> {
        if self.looks_at_key() {
            let element = match self.key_or_constraint()? {
                Alteration::Guarded(inner) => *inner,
                other => other,
            };
            match element {
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
        if self.looks_at("SPATIAL") {
            return Err(Error::unsupported("SPATIAL indexes"));
        }
        let mut name = None;
        let mut guard = false;
        if self.accept("CONSTRAINT") {
            guard = self.accept("IF NOT EXISTS");
            if !["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"].iter().any(|w| self.looks_at(w)) {
                name = Some(self.name()?);
            }
        }
        if self.looks_at("CHECK") {
            return Ok(Alteration::AddCheck(self.check(name)?).guarded(guard));
        }
        if self.accept("FOREIGN KEY") {
            guard |= self.accept("IF NOT EXISTS");
            let index = if *self.peek() == Token::LParen { None } else { Some(self.name()?) };
            let columns = self.parenthesised(Reader::name)?;
            return Ok(Alteration::AddForeignKey(self.references(name.or(index), columns)?).guarded(guard));
        }
        let kind = if self.accept("PRIMARY KEY") {
            IndexKind::Primary
        } else if self.accept("UNIQUE") {
            let _ = self.accept("KEY") || self.accept("INDEX");
            IndexKind::Unique
        } else if self.accept("FULLTEXT") {
            let _ = self.accept("KEY") || self.accept("INDEX");
            IndexKind::FullText
        } else if self.accept("KEY") || self.accept("INDEX") {
            IndexKind::Plain
        } else {
            return self.unexpected();
        };
        guard |= self.accept("IF NOT EXISTS");
        if *self.peek() != Token::LParen && !self.looks_at("USING") && !self.looks_at("TYPE") {
            name = Some(self.name()?);
        }
        Ok(Alteration::AddKey(self.key_tail(kind, name)?).guarded(guard))
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
            } else if self.accept("VISIBLE") || self.accept("NOT IGNORED") {
                key.invisible = false;
            } else if self.accept("IGNORED") {
                key.invisible = true;
            } else if self.accept("KEY_BLOCK_SIZE") {
                self.take(&Token::Eq);
                self.unsigned()?;
            } else if self.looks_at("WITH PARSER") {
                return Err(Error::unsupported("FULLTEXT indexes WITH PARSER"));
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
        let (mut column, mut prefix, mut expression) = (String::new(), None, None);
        if self.take(&Token::LParen) {
            expression = Some(self.spelled_expression()?);
            self.need(&Token::RParen)?;
        } else {
            column = self.name()?;
            prefix = self.optional_length()?.map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        }
        let descending = self.accept("DESC");
        self.accept("ASC");
        Ok(KeyPart { column, expression, prefix, descending })
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

    fn create_index(&mut self, replace: bool) -> Result<Body, Error> {
        if self.looks_at("SPATIAL") {
            return Err(Error::unsupported("SPATIAL indexes"));
        }
        let kind = match self.accept_any(&["UNIQUE", "FULLTEXT"]) {
            Some("UNIQUE") => IndexKind::Unique,
            Some(_) => IndexKind::FullText,
            None => IndexKind::Plain,
        };
        self.expect("INDEX")?;
        let guard = self.accept("IF NOT EXISTS");
        if replace && guard {
            return Err(Error::wrong_usage("OR REPLACE", "IF NOT EXISTS"));
        }
        let name = self.name()?;
        self.index_type()?;
        self.expect("ON")?;
        let table = self.table_name()?;
        let key = self.key_tail(kind, Some(name))?;
        self.online_options()?;
        let alteration = if replace { Alteration::ReplaceKey(key) } else { Alteration::AddKey(key).guarded(guard) };
        Ok(Body::Table { name: table, change: TableChange::Alter(vec![alteration]) })
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
        if self.accept("VIEW") {
            let if_exists = self.accept("IF EXISTS");
            let names = self.list(Reader::table_name)?;
            let _ = self.accept("RESTRICT") || self.accept("CASCADE");
            return Ok(Body::DropViews { names, if_exists });
        }
        if let Some(kind) = self.accept_any(&["PROCEDURE", "FUNCTION", "TRIGGER", "EVENT"]) {
            let if_exists = self.accept("IF EXISTS");
            return Ok(Body::DropProgram { kind, name: self.table_name()?, if_exists });
        }
        if self.accept("USER") {
            return self.drop_user();
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
            let guard = self.accept("IF EXISTS");
            let name = self.name()?;
            self.expect("ON")?;
            let table = self.table_name()?;
            self.online_options()?;
            let primary = name.eq_ignore_ascii_case("PRIMARY");
            let alteration = if primary { Alteration::DropPrimaryKey } else { Alteration::DropKey(name) };
            let alteration = alteration.guarded(guard);
            return Ok(Body::Table { name: table, change: TableChange::Alter(vec![alteration]) });
        }
        let temporary = self.accept("TEMPORARY");
        if !self.accept("TABLES") {
            self.expect("TABLE")?;
        }
        let if_exists = self.accept("IF EXISTS");
        let names = self.list(Reader::table_name)?;
        let _ = self.accept("RESTRICT") || self.accept("CASCADE");
        Ok(Body::DropTables { names, if_exists, temporary })
    }

    pub(super) fn rename(&mut self) -> Result<Body, Error> {
        self.skip();
        if self.accept("USER") {
            return self.rename_user();
        }
        if !self.accept("TABLES") {
            self.expect("TABLE")?;
        }
        let if_exists = self.accept("IF EXISTS");
        let renames = self.list(|r| {
            let from = r.table_name()?;
            let _ = r.accept_any(&["NOWAIT"]);
            r.expect("TO")?;
            Ok((from, r.table_name()?))
        })?;
        Ok(Body::RenameTables { renames, if_exists })
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
