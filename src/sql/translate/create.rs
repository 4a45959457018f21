//! CREATE TABLE, DROP TABLE and their kin as schema changes: which database, and the columns that a query gives.

use super::scope::SourceColumn;
use super::show_create::backquoted;
use super::translator::Translator;
use crate::sql::alteration::Alteration;
use crate::sql::catalog::{ColumnDefault, is_temporary, public_name, temporary_database};
use crate::sql::column_type::{BinaryKind, ColumnType};
use crate::sql::definition::{ColumnDefinition, TypeDefinition};
use crate::sql::error::{Error, Warning};
use crate::sql::parse::{Create, CreateSelect, TableChange, TableName};
use crate::sql::plan::{Plan, ResultType};
use crate::sql::schema_change::{Direction, Move, SchemaChange};
use crate::types::{DatabaseName, Value};

impl Translator<'_> {
    /// The user database that a DDL statement's table is in.
    pub fn ddl_database(&self, name: &TableName) -> Result<DatabaseName, Error> {
        let database = self.database_of(name)?;
        if database.system {
            return Err(Error::access_denied_system(&database.name));
        }
        Ok(database.name.clone())
    }

    /// As [`Translator::ddl_database`], for a table that is there: a temporary one hides another of its name.
    fn database_of_table(&self, name: &TableName) -> Result<DatabaseName, Error> {
        let database = self.ddl_database(name)?;
        let temporary = self.temporary_table(&database, &name.name).map(|(d, _)| d.name.clone());
        Ok(temporary.unwrap_or(database))
    }

    fn database_to_create_in(&self, name: &TableName, create: Create) -> Result<DatabaseName, Error> {
        let database = self.ddl_database(name)?;
        Ok(if create.temporary { temporary_database(&database) } else { database })
    }

    pub fn table_change(&self, name: &TableName, change: &TableChange) -> Result<SchemaChange, Error> {
        let table = name.name.clone();
        Ok(match change {
            TableChange::Create { create, definition } => SchemaChange::CreateTable {
                database: self.database_to_create_in(name, *create)?,
                if_not_exists: create.if_not_exists,
                replace: create.replace,
                definition: definition.clone(),
            },
            TableChange::CreateLike { create, source } => {
                let database = self.database_of(source)?;
                if database.views.contains_key(&source.name) {
                    return Err(Error::not_a_table(&database.name, &source.name));
                }
                let temporary = self.temporary_table(&database.name, &source.name).map(|(d, _)| d.name.clone());
                SchemaChange::CreateTableLike {
                    database: self.database_to_create_in(name, *create)?,
                    name: table,
                    if_not_exists: create.if_not_exists,
                    replace: create.replace,
                    source: (temporary.unwrap_or_else(|| database.name.clone()), source.name.clone()),
                }
            }
            TableChange::Alter(alterations) | TableChange::AlterIfExists(alterations) => {
                let database = self.database_of_table(name)?;
                if self.find_database(&database).is_ok_and(|d| d.views.contains_key(&table)) {
                    return Err(Error::not_a_table(&database, &table));
                }
                let if_exists = matches!(change, TableChange::AlterIfExists(_));
                let mut alterations = alterations.clone();
                let alone = alterations.len() == 1;
                for alteration in &mut alterations {
                    if let Alteration::MoveTable { database: other, name } = alteration {
                        if *public_name(&database) != **other {
                            if is_temporary(&database) || !alone {
                                let what = "RENAME into another database together with other clauses of ALTER TABLE";
                                return Err(Error::unsupported(what));
                            }
                            let moved = ((database, table), (other.as_str().into(), std::mem::take(name)));
                            return rename_or_move(vec![moved], if_exists);
                        }
                        *alteration = Alteration::RenameTable(std::mem::take(name));
                    }
                }
                SchemaChange::AlterTable { database, name: table, if_exists, alterations }
            }
            TableChange::Truncate => SchemaChange::Truncate { database: self.database_of_table(name)?, name: table },
        })
    }

    /// CREATE TABLE ... SELECT: the table the query's columns make, and the INSERT that fills it.
    pub fn create_select(&mut self, create: &CreateSelect) -> Result<Plan, Error> {
        let database = self.database_to_create_in(&create.name, create.create)?;
        self.measures = Some(Default::default());
        let block = self.query(&create.query, true)?;
        block.check_names()?;
        let own = (database.clone(), create.name.name.clone());
        if create.create.replace && self.tables.contains(&own) {
            return Err(Error::subquery_on_target(&create.name.name));
        }
        let mut definition = create.definition.clone();
        let written = std::mem::take(&mut definition.columns);
        for (place, column) in written.iter().enumerate() {
            if written[..place].iter().any(|c| c.name.eq_ignore_ascii_case(&column.name)) {
                return Err(Error::duplicate_column(&column.name));
            }
        }
        let in_query = |c: &ColumnDefinition| block.columns.iter().any(|q| q.name.eq_ignore_ascii_case(&c.name));
        definition.columns = written.iter().filter(|c| !in_query(c)).cloned().collect();
        for column in &block.columns {
            let own = written.iter().find(|c| c.name.eq_ignore_ascii_case(&column.name)).cloned();
            definition.columns.push(match own {
                Some(own) => own,
                None => self.column_from_query(column)?,
            });
        }
        let names: Vec<String> = block.columns.iter().map(|c| backquoted(&c.name)).collect();
        let verb = match create.duplicates.as_str() {
            "REPLACE" => "REPLACE",
            "IGNORE" => "INSERT IGNORE",
            _ => "INSERT",
        };
        let real = self.ddl_database(&create.name)?;
        let insert = format!(
            "{verb} INTO {}.{} ({}) {}",
            backquoted(&real),
            backquoted(&definition.name),
            names.join(", "),
            create.text
        );
        let change = SchemaChange::CreateTable {
            database,
            if_not_exists: create.create.if_not_exists,
            replace: create.create.replace,
            definition: Box::new(definition),
        };
        Ok(Plan::CreateSelect { change, insert })
    }

    fn column_from_query(&self, column: &SourceColumn) -> Result<ColumnDefinition, Error> {
        let ty = match &column.ty {
            ResultType::Known(ty) if column.origin.is_none() => super::measure::declared(ty),
            ResultType::Known(ty) => ty.clone(),
            ResultType::Null => ColumnType::Binary { kind: BinaryKind::Binary, length: 0 },
            ResultType::Dynamic => {
                return Err(Error::unsupported("CREATE TABLE ... SELECT of a value whose type only its run tells"));
            }
        };
        let origin = column.origin.as_ref().and_then(|o| {
            let table = self.context.catalog.table(&o.database, &o.table)?;
            table.column(&o.column).map(|(_, c)| c)
        });
        let default = match origin {
            // It makes no ids in the new table.
            Some(origin) if origin.auto_increment => Some(ColumnDefault::Constant(Value::Int(0))),
            Some(origin) => {
                origin.default.clone().filter(|d| matches!(d, ColumnDefault::Constant(_) | ColumnDefault::Now(_)))
            }
            None => None,
        };
        let collation = origin.and_then(|_| ty.collation()).map(|c| c.name().to_string());
        Ok(ColumnDefinition {
            name: column.name.clone(),
            ty: TypeDefinition { ty, charset: None, collation, binary: false },
            // A key may still make it NOT NULL.
            nullable: (!column.nullable).then_some(false),
            default,
            on_update: origin.and_then(|o| o.on_update),
            auto_increment: false,
            comment: origin.map(|o| o.comment.clone()).unwrap_or_default(),
            invisible: false,
            key: None,
        })
    }

    /// The one database of several tables.
    fn one_database(
        &self,
        names: impl Iterator<Item = Result<DatabaseName, Error>>,
        what: &str,
    ) -> Result<DatabaseName, Error> {
        let mut only = None;
        for name in names {
            let name = name?;
            if only.as_ref().is_some_and(|o| *o != name) {
                return Err(Error::unsupported(format!("{what} across databases")));
            }
            only = Some(name);
        }
        only.ok_or_else(Error::no_database)
    }

    /// One change for each database, those of temporary tables first. If any table is missing none is dropped.
    pub fn drop_tables(&self, names: &[TableName], if_exists: bool, temporary: bool) -> Result<Plan, Error> {
        let mut by_database: Vec<(DatabaseName, Vec<String>)> = Vec::new();
        let mut missing = Vec::new();
        for name in names {
            let database = match temporary {
                true => temporary_database(&self.ddl_database(name)?),
                false => self.database_of_table(name)?,
            };
            if self.context.catalog.table(&database, &name.name).is_none() {
                missing.push(format!("{}.{}", public_name(&database), name.name));
            }
            match by_database.iter_mut().find(|(d, _)| *d == database) {
                Some((_, names)) => names.push(name.name.clone()),
                None => by_database.push((database, vec![name.name.clone()])),
            }
        }
        if by_database.len() > 1 && !missing.is_empty() && !if_exists {
            return Err(Error::unknown_table_on_drop(missing.join(",")));
        }
        by_database.sort_by_key(|(database, _)| !is_temporary(database));
        let change = |(database, names)| SchemaChange::DropTables { database, names, if_exists };
        let mut changes: Vec<SchemaChange> = by_database.into_iter().map(change).collect();
        Ok(match (changes.len(), changes.pop()) {
            (1, Some(only)) => Plan::Schema(only),
            (_, last) => Plan::Schemas(changes.into_iter().chain(last).collect()),
        })
    }

    pub fn drop_views(&self, names: &[TableName], if_exists: bool) -> Result<SchemaChange, Error> {
        let database = self.one_database(names.iter().map(|n| self.ddl_database(n)), "DROP VIEW")?;
        let names = names.iter().map(|n| n.name.clone()).collect();
        Ok(SchemaChange::DropViews { database, names, if_exists })
    }

    pub fn rename_tables(&self, renames: &[(TableName, TableName)], if_exists: bool) -> Result<SchemaChange, Error> {
        let mut moves = Vec::with_capacity(renames.len());
        for (from, to) in renames {
            let database = self.database_of_table(from)?;
            let target = self.ddl_database(to)?;
            let target = if is_temporary(&database) { temporary_database(&target) } else { target };
            moves.push(((database, from.name.clone()), (target, to.name.clone())));
        }
        rename_or_move(moves, if_exists)
    }

    /// DROP of a stored program, CALL: there are none.
    pub fn missing_program(&self, kind: &str, name: &TableName, if_exists: bool) -> Result<Plan, Error> {
        let error = match kind {
            "TRIGGER" => Error { code: 1360, state: "HY000", message: "Trigger does not exist".to_string() },
            "EVENT" if !if_exists => {
                Error { code: 1539, state: "HY000", message: format!("Unknown event '{}'", name.name) }
            }
            "EVENT" => Error::no_such_program("Event", &name.name),
            _ => {
                let database = match (&name.database, self.context.database) {
                    (Some(database), _) => database.as_str(),
                    (None, Some(current)) => current,
                    (None, None) => return Err(Error::no_database()),
                };
                Error::no_such_program(kind, format!("{database}.{}", name.name))
            }
        };
        if if_exists { Ok(Plan::Nothing(vec![Warning::note(error)])) } else { Err(error) }
    }
}

/// A table by its database and name.
type Qualified = (DatabaseName, String);

/// New names of tables: within one database, or from one to another.
///
/// # Errors
/// 1235 for temporary tables into another database, and for more than one way between databases: which file lets go of a
/// table first could not be said.
fn rename_or_move(renames: Vec<(Qualified, Qualified)>, if_exists: bool) -> Result<SchemaChange, Error> {
    let across = renames.iter().find(|((from, _), (to, _))| from != to);
    let (from, to) = match (across, renames.first()) {
        (Some(((from, _), (to, _))), _) => (from.clone(), Some(to.clone())),
        (None, Some(((only, _), _))) => (only.clone(), None),
        (None, None) => return Err(Error::no_database()),
    };
    if is_temporary(&from) && to.is_some() {
        return Err(Error::unsupported("RENAME of temporary tables into another database"));
    }
    let several = || Error::unsupported("RENAME TABLE among more than one database and another");
    let Some(to) = to else {
        if renames.iter().any(|((database, _), _)| *database != from) {
            return Err(several());
        }
        let renames = renames.into_iter().map(|((_, name), (_, to))| (name, to)).collect();
        return Ok(SchemaChange::RenameTables { database: from, renames, if_exists });
    };
    let direction = |source: &DatabaseName, target: &DatabaseName| match (source, target) {
        (s, t) if *s == from && *t == to => Ok(Direction::Across),
        (s, t) if *s == from && *t == from => Ok(Direction::WithinFrom),
        (s, t) if *s == to && *t == to => Ok(Direction::WithinTo),
        _ => Err(several()),
    };
    let one = |((source, name), (target, to)): (Qualified, Qualified)| {
        Ok(Move { name, to, direction: direction(&source, &target)? })
    };
    let renames = renames.into_iter().map(one).collect::<Result<_, Error>>()?;
    Ok(SchemaChange::MoveTables { if_exists, from, to, renames })
}
