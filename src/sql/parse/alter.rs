//! ALTER TABLE, ALTER DATABASE, ALTER CLUSTER.

use super::view::ViewVerb;
use super::{Body, Reader, TableChange};
use crate::sql::alteration::{Alteration, Place};
use crate::sql::definition::OptionsDefinition;
use crate::sql::error::Error;
use crate::sql::plan::{Admin, Plan};
use crate::sql::program::StoredKind;
use crate::sql::schema_change::SchemaChange;
use sqlparser::tokenizer::Token;

impl Reader<'_> {
    pub(super) fn alter(&mut self) -> Result<Body, Error> {
        self.skip();
        if self.at_view() {
            return self.view(ViewVerb::Alter);
        }
        if self.accept("USER") {
            return self.alter_user();
        }
        if self.accept("INSTANCE") {
            return self.alter_instance();
        }
        match self.accept_any(&["PROCEDURE", "FUNCTION"]) {
            Some("PROCEDURE") => return self.alter_program(StoredKind::Procedure),
            Some(_) => return self.alter_program(StoredKind::Function),
            None => self.refuse_objects("ALTER")?,
        }
        if self.accept("CLUSTER") {
            if self.accept("VERIFY") {
                return Ok(Body::Ready(Plan::Admin(Admin::Verify)));
            }
            return self.remove_node();
        }
        if self.accept("DATABASE") || self.accept("SCHEMA") {
            let option = ["DEFAULT", "CHARACTER", "CHARSET", "COLLATE", "ENCRYPTION"].iter().any(|w| self.looks_at(w));
            let name = if option { String::new() } else { self.name()? };
            let collation = self.database_options()?;
            return Ok(Body::Ready(Plan::Schema(SchemaChange::AlterDatabase { name: name.into(), collation })));
        }
        self.accept("IGNORE");
        self.expect("TABLE")?;
        let if_exists = self.accept("IF EXISTS");
        let name = self.table_name()?;
        let _ = self.accept_any(&["NOWAIT"]);
        let mut alterations = Vec::new();
        if !self.at_end() {
            loop {
                self.alteration(&mut alterations)?;
                if !self.take(&Token::Comma) {
                    break;
                }
            }
        }
        if if_exists {
            return Ok(Body::Table { name, change: TableChange::AlterIfExists(alterations) });
        }
        Ok(Body::Table { name, change: TableChange::Alter(alterations) })
    }

    fn alteration(&mut self, all: &mut Vec<Alteration>) -> Result<(), Error> {
        match self.accept_any(&["ADD", "DROP", "MODIFY", "CHANGE", "RENAME", "ALTER", "CONVERT TO"]) {
            Some("ADD") => self.alter_add(all)?,
            Some("DROP") => {
                let alteration = self.alter_drop()?;
                all.push(alteration);
            }
            Some("MODIFY") => {
                self.accept("COLUMN");
                let guard = self.accept("IF EXISTS");
                let parsed = self.column_definition()?;
                let place = self.place()?;
                let name = parsed.column.name.clone();
                all.push(Alteration::ChangeColumn { name, column: parsed.column, place }.guarded(guard));
                all.extend(parsed.checks.into_iter().map(Alteration::AddCheck));
            }
            Some("CHANGE") => {
                self.accept("COLUMN");
                let guard = self.accept("IF EXISTS");
                let name = self.name()?;
                let parsed = self.column_definition()?;
                let place = self.place()?;
                all.push(Alteration::ChangeColumn { name, column: parsed.column, place }.guarded(guard));
                all.extend(parsed.checks.into_iter().map(Alteration::AddCheck));
            }
            Some("RENAME") => {
                let alteration = self.alter_rename()?;
                all.push(alteration);
            }
            Some("ALTER") => {
                let alteration = self.alter_alter()?;
                all.push(alteration);
            }
            Some(_) => {
                if !self.accept("CHARACTER SET") {
                    self.expect("CHARSET")?;
                }
                let charset = self.name_or_text()?;
                let collation = if self.accept("COLLATE") {
                    self.take(&Token::Eq);
                    Some(self.name_or_text()?)
                } else {
                    None
                };
                all.push(Alteration::ConvertTo { charset, collation });
            }
            None => {
                let alteration = self.alter_other()?;
                all.push(alteration);
            }
        }
        Ok(())
    }

    fn alter_add(&mut self, all: &mut Vec<Alteration>) -> Result<(), Error> {
        if self.looks_at("PARTITION") {
            return Err(Error::unsupported("ALTER TABLE ... ADD PARTITION"));
        }
        if self.looks_at_key() {
            all.push(self.key_or_constraint()?);
            return Ok(());
        }
        self.accept("COLUMN");
        let guard = self.accept("IF NOT EXISTS");
        if self.take(&Token::LParen) {
            loop {
                if self.looks_at_key() {
                    all.push(self.key_or_constraint()?);
                } else {
                    let parsed = self.column_definition()?;
                    all.push(Alteration::AddColumn { column: parsed.column, place: Place::Last }.guarded(guard));
                    all.extend(parsed.checks.into_iter().map(Alteration::AddCheck));
                }
                if !self.take(&Token::Comma) {
                    return self.need(&Token::RParen);
                }
            }
        }
        let parsed = self.column_definition()?;
        let place = self.place()?.unwrap_or_default();
        all.push(Alteration::AddColumn { column: parsed.column, place }.guarded(guard));
        all.extend(parsed.checks.into_iter().map(Alteration::AddCheck));
        Ok(())
    }

    fn place(&mut self) -> Result<Option<Place>, Error> {
        if self.accept("FIRST") {
            return Ok(Some(Place::First));
        }
        if self.accept("AFTER") {
            return Ok(Some(Place::After(self.name()?)));
        }
        Ok(None)
    }

    fn alter_drop(&mut self) -> Result<Alteration, Error> {
        if self.looks_at("PARTITION") {
            return Err(Error::unsupported("ALTER TABLE ... DROP PARTITION"));
        }
        if self.accept("PRIMARY KEY") {
            return Ok(Alteration::DropPrimaryKey);
        }
        let what = self.accept_any(&["FOREIGN KEY", "KEY", "INDEX", "CHECK", "CONSTRAINT", "COLUMN"]);
        let guard = self.accept("IF EXISTS");
        if what == Some("CONSTRAINT") && self.accept("PRIMARY KEY") {
            return Ok(Alteration::DropPrimaryKey.guarded(guard));
        }
        let name = self.name()?;
        let alteration = match what {
            Some("FOREIGN KEY") => Alteration::DropForeignKey(name),
            Some("KEY" | "INDEX") => Alteration::DropKey(name),
            Some("CHECK") => Alteration::DropCheck(name),
            Some("CONSTRAINT") => Alteration::DropConstraint(name),
            _ => {
                let _ = self.accept("RESTRICT") || self.accept("CASCADE");
                Alteration::DropColumn(name)
            }
        };
        Ok(alteration.guarded(guard))
    }

    fn alter_rename(&mut self) -> Result<Alteration, Error> {
        if self.accept("COLUMN") {
            let guard = self.accept("IF EXISTS");
            let name = self.name()?;
            self.expect("TO")?;
            return Ok(Alteration::RenameColumn { name, to: self.name()? }.guarded(guard));
        }
        if self.accept("KEY") || self.accept("INDEX") {
            let guard = self.accept("IF EXISTS");
            let name = self.name()?;
            self.expect("TO")?;
            return Ok(Alteration::RenameKey { name, to: self.name()? }.guarded(guard));
        }
        if !self.accept("TO") && !self.accept("AS") {
            self.take(&Token::Eq);
        }
        let name = self.table_name()?;
        Ok(match name.database {
            Some(database) => Alteration::MoveTable { database, name: name.name },
            None => Alteration::RenameTable(name.name),
        })
    }

    fn alter_alter(&mut self) -> Result<Alteration, Error> {
        if self.accept("INDEX") || self.accept("KEY") {
            let guard = self.accept("IF EXISTS");
            let name = self.name()?;
            let words = ["VISIBLE", "INVISIBLE", "NOT IGNORED", "IGNORED"];
            let Some(word) = self.accept_any(&words) else { return self.unexpected() };
            let visible = matches!(word, "VISIBLE" | "NOT IGNORED");
            return Ok(Alteration::SetKeyVisible { name, visible }.guarded(guard));
        }
        if self.accept("CHECK") || self.accept("CONSTRAINT") {
            let name = self.name()?;
            let enforced = !self.accept("NOT");
            self.expect("ENFORCED")?;
            return Ok(Alteration::EnforceCheck { name, enforced });
        }
        self.accept("COLUMN");
        let guard = self.accept("IF EXISTS");
        let column = self.name()?;
        if self.accept("DROP DEFAULT") {
            return Ok(Alteration::DropDefault { column }.guarded(guard));
        }
        self.expect("SET")?;
        if let Some(word) = self.accept_any(&["VISIBLE", "INVISIBLE"]) {
            return Ok(Alteration::SetColumnVisible { column, visible: word == "VISIBLE" });
        }
        self.expect("DEFAULT")?;
        match self.default_value()? {
            Some(default) => Ok(Alteration::SetDefault { column, default }.guarded(guard)),
            None => self.unexpected(),
        }
    }

    fn alter_other(&mut self) -> Result<Alteration, Error> {
        let partitions = [
            "PARTITION",
            "TRUNCATE",
            "COALESCE",
            "REORGANIZE",
            "EXCHANGE",
            "ANALYZE",
            "CHECK",
            "OPTIMIZE",
            "REBUILD",
            "REPAIR",
            "REMOVE",
            "DISCARD",
            "IMPORT",
        ];
        if let Some(word) = partitions.iter().find(|w| self.looks_at(w)) {
            return Err(Error::unsupported(format!("ALTER TABLE ... {word} PARTITION")));
        }
        let ignored = ["FORCE", "ENABLE KEYS", "DISABLE KEYS", "WITHOUT VALIDATION", "WITH VALIDATION"];
        if self.accept_any(&ignored).is_some() {
            return Ok(Alteration::Nothing);
        }
        if self.looks_at("ALGORITHM") || self.looks_at("LOCK") {
            self.online_options()?;
            return Ok(Alteration::Nothing);
        }
        if self.accept("ORDER BY") {
            // The order of rows on disk is the primary key's.
            self.list(|r| {
                r.qualified_name()?;
                Ok(r.accept_any(&["ASC", "DESC"]))
            })?;
            return Ok(Alteration::Nothing);
        }
        let mut options = OptionsDefinition::default();
        if self.table_options(&mut options)? { Ok(Alteration::Options(options)) } else { self.unexpected() }
    }
}
