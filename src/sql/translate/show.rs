//! SHOW and DESCRIBE. What the catalog knows is answered from it; the rest is a query of a system table.

use super::scope::{Scope, Source, SourceColumn};
use super::session::{constant_rows, text_columns};
use super::show_create::{backquoted, default_text, now_text, show_create_table};
use super::translator::{Translator, quote_name, quote_text};
use super::typed::text_type;
use crate::sql::account::{Privileges, Subject};
use crate::sql::catalog::{Column, ColumnDefault, Database, Index, IndexColumn, IndexKind, Table};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parse::{Filter, Show, TableName};
use crate::sql::plan::{Plan, Read, ResultColumn, ResultType, VariableScope};
use crate::types::Value;

fn text(text: impl AsRef<str>) -> Value {
    Value::from(text.as_ref())
}

impl Translator<'_> {
    pub fn show(&mut self, show: &Show) -> Result<Plan, Error> {
        match show {
            Show::Databases(filter) => self.show_databases(filter),
            Show::Tables { full, database, filter } => self.show_tables(*full, database.as_deref(), filter),
            Show::Columns { full, table, filter } => self.show_columns(*full, table, filter),
            Show::Indexes { table, filter } => self.show_indexes(table, filter),
            Show::CreateView(name) => match self.find_view(name)? {
                Some((database, view)) => {
                    let (database, view) = (database.clone(), view.clone());
                    self.need_table(name, Privileges::SELECT | Privileges::SHOW_VIEW);
                    Ok(show_view(&database, &view, self.context))
                }
                None => {
                    let (database, table) = self.find_table(name)?;
                    Err(Error::not_a_view(&database.name, &table.name))
                }
            },
            Show::CreateProgram(kind, name) => self.show_program(*kind, name),
            Show::Routines(kind, filter) => self.show_routines(*kind, filter),
            Show::Triggers { database, filter } => self.show_triggers(database.as_deref(), filter),
            Show::CreateTable(name) => {
                self.need_any_of_table(name);
                if let Some((database, view)) = self.find_view(name)? {
                    let (database, view) = (database.clone(), view.clone());
                    self.need_table(name, Privileges::SELECT | Privileges::SHOW_VIEW);
                    return Ok(show_view(&database, &view, self.context));
                }
                let (database, table) = self.find_table(name)?;
                let ansi = self.context.modes.ansi_quotes();
                let mut definition = show_create_table(table, if ansi { quote_name } else { backquoted });
                if crate::sql::catalog::is_temporary(&database.name) {
                    definition.insert_str("CREATE ".len(), "TEMPORARY ");
                }
                let rows = vec![vec![text(&table.name), text(definition)]];
                Ok(Plan::Rows { columns: text_columns(&["Table", "Create Table"]), rows })
            }
            Show::CreateDatabase { name, if_not_exists } => {
                self.need_any(Subject::Database(name.as_str().into()), Privileges::OF_DATABASE);
                let database = self.find_database(name)?;
                let exists = if *if_not_exists { "/*!32312 IF NOT EXISTS*/ " } else { "" };
                let statement = format!(
                    "CREATE DATABASE {exists}{} /*!40100 DEFAULT CHARACTER SET {} COLLATE {} */",
                    backquoted(&database.name),
                    database.collation.charset(),
                    database.collation.name()
                );
                let rows = vec![vec![text(&*database.name), text(statement)]];
                Ok(Plan::Rows { columns: text_columns(&["Database", "Create Database"]), rows })
            }
            Show::Variables { scope, filter } => {
                let table = if *scope == VariableScope::Global { "global_variables" } else { "session_variables" };
                let columns = [("Variable_name", "VARIABLE_NAME"), ("Value", "VARIABLE_VALUE")];
                self.show_system("performance_schema", table, &columns, filter)
            }
            Show::Status { scope, filter } => {
                let table = if *scope == VariableScope::Global { "global_status" } else { "session_status" };
                let columns = [("Variable_name", "VARIABLE_NAME"), ("Value", "VARIABLE_VALUE")];
                self.show_system("performance_schema", table, &columns, filter)
            }
            Show::Engines => {
                let columns = [
                    ("Engine", "ENGINE"),
                    ("Support", "SUPPORT"),
                    ("Comment", "COMMENT"),
                    ("Transactions", "TRANSACTIONS"),
                    ("XA", "XA"),
                    ("Savepoints", "SAVEPOINTS"),
                ];
                self.show_system("information_schema", "ENGINES", &columns, &Filter::None)
            }
            Show::Collations(filter) => {
                let columns = [
                    ("Collation", "COLLATION_NAME"),
                    ("Charset", "CHARACTER_SET_NAME"),
                    ("Id", "ID"),
                    ("Default", "IS_DEFAULT"),
                    ("Compiled", "IS_COMPILED"),
                    ("Sortlen", "SORTLEN"),
                    ("Pad_attribute", "PAD_ATTRIBUTE"),
                ];
                self.show_system("information_schema", "COLLATIONS", &columns, filter)
            }
            Show::CharacterSets(filter) => {
                let columns = [
                    ("Charset", "CHARACTER_SET_NAME"),
                    ("Description", "DESCRIPTION"),
                    ("Default collation", "DEFAULT_COLLATE_NAME"),
                    ("Maxlen", "MAXLEN"),
                ];
                self.show_system("information_schema", "CHARACTER_SETS", &columns, filter)
            }
            Show::Processlist { full } => {
                let columns = [
                    ("Id", "ID"),
                    ("User", "USER"),
                    ("Host", "HOST"),
                    ("db", "DB"),
                    ("Command", "COMMAND"),
                    ("Time", "TIME"),
                    ("State", "STATE"),
                    ("Info", "INFO"),
                ];
                let plan = self.show_system("information_schema", "PROCESSLIST", &columns, &Filter::None)?;
                Ok(if *full { plan } else { cut_info(plan) })
            }
            Show::TableStatus { database, filter } => self.show_table_status(database.as_deref(), filter),
            Show::Plugins => {
                let columns = [
                    ("Name", "PLUGIN_NAME"),
                    ("Status", "PLUGIN_STATUS"),
                    ("Type", "PLUGIN_TYPE"),
                    ("Library", "PLUGIN_LIBRARY"),
                    ("License", "PLUGIN_LICENSE"),
                ];
                self.show_system("information_schema", "PLUGINS", &columns, &Filter::None)
            }
            Show::Privileges => {
                let row = |name: &str| vec![text(name), text(context_of(name)), text("")];
                let rows = Privileges::EVERYTHING.names().map(row).collect();
                Ok(Plan::Rows { columns: text_columns(&["Privilege", "Context", "Comment"]), rows })
            }
            Show::Empty { columns } => Ok(Plan::Rows { columns: text_columns(columns), rows: vec![] }),
            Show::OpenTables => {
                let columns = text_columns(&["Database", "Table", "In_use", "Name_locked"]);
                Ok(Plan::Rows { columns, rows: vec![] })
            }
        }
    }

    /// The current database or the one named.
    fn shown_database(&mut self, database: Option<&str>) -> Result<&Database, Error> {
        let name = database.or(self.context.database).ok_or_else(Error::no_database)?;
        self.need_any(Subject::Database(name.into()), Privileges::OF_DATABASE);
        let found = self.find_database(name)?;
        Ok(self.context.listed().database(&found.name).unwrap_or(found))
    }

    fn show_databases(&mut self, filter: &Filter) -> Result<Plan, Error> {
        let rows: Vec<Vec<Value>> = {
            let shown = self.context.listed().databases().filter(|d| !crate::sql::catalog::is_temporary(&d.name));
            shown.map(|d| vec![text(&*d.name)]).collect()
        };
        let name = match filter {
            Filter::Like(pattern) => format!("Database ({pattern})"),
            _ => "Database".to_string(),
        };
        self.filtered(&[(&name, text_type())], &["Database"], &rows, filter)
    }

    fn show_tables(&mut self, full: bool, database: Option<&str>, filter: &Filter) -> Result<Plan, Error> {
        let database = self.shown_database(database)?;
        let kind = if database.system { "SYSTEM VIEW" } else { "BASE TABLE" };
        let tables = database.tables.keys().map(|t| (t, kind));
        let mut all: Vec<(&String, &str)> = tables.chain(database.views.keys().map(|v| (v, "VIEW"))).collect();
        all.sort();
        let rows: Vec<Vec<Value>> = all.into_iter().map(|(name, kind)| vec![text(name), text(kind)]).collect();
        let own = format!("Tables_in_{}", database.name);
        let name = match filter {
            Filter::Like(pattern) => format!("{own} ({pattern})"),
            _ => own.clone(),
        };
        let (columns, own): (Vec<(&str, ColumnType)>, Vec<&str>) = if full {
            (vec![(&name, text_type()), ("Table_type", text_type())], vec![&own, "Table_type"])
        } else {
            (vec![(&name, text_type())], vec![&own])
        };
        let width = columns.len();
        let rows: Vec<Vec<Value>> = rows.into_iter().map(|mut r| r.drain(..width).collect()).collect();
        self.filtered(&columns, &own, &rows, filter)
    }

    /// DESCRIBE, SHOW COLUMNS.
    pub fn describe(&mut self, table: &TableName, column: Option<&str>) -> Result<Plan, Error> {
        let filter = column.map_or(Filter::None, |c| Filter::Like(c.to_string()));
        self.show_columns(false, table, &filter)
    }

    fn show_columns(&mut self, full: bool, name: &TableName, filter: &Filter) -> Result<Plan, Error> {
        self.need_any_of_table(name);
        let table = match self.find_view(name)? {
            Some((_, view)) => &std::sync::Arc::new(super::view::as_table(view)),
            None => self.find_table(name)?.1,
        };
        let all = ["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"];
        let row = |c: &Column| {
            let collation = c.ty.collation().map_or(Value::Null, |c| text(c.name()));
            vec![
                text(&c.name),
                text(c.ty.to_string()),
                collation,
                text(if c.nullable { "YES" } else { "NO" }),
                text(column_key(table, c)),
                default_text(c),
                text(extra(c)),
                text("select,insert,update,references"),
                text(&c.comment),
            ]
        };
        let rows: Vec<Vec<Value>> = table.shown_columns().map(row).collect();
        let shown: Vec<usize> = if full { (0..9).collect() } else { vec![0, 1, 3, 4, 5, 6] };
        let rows: Vec<Vec<Value>> = rows.into_iter().map(|r| shown.iter().map(|i| r[*i].clone()).collect()).collect();
        let names: Vec<&str> = shown.iter().map(|i| all[*i]).collect();
        let columns: Vec<(&str, ColumnType)> = names.iter().map(|n| (*n, text_type())).collect();
        self.filtered(&columns, &names, &rows, filter)
    }

    fn show_indexes(&mut self, name: &TableName, filter: &Filter) -> Result<Plan, Error> {
        self.need_any_of_table(name);
        let table = match self.find_view(name)? {
            Some((_, view)) => &std::sync::Arc::new(super::view::as_table(view)),
            None => self.find_table(name)?.1,
        };
        let int = ColumnType::bigint;
        let columns = [
            ("Table", text_type()),
            ("Non_unique", int()),
            ("Key_name", text_type()),
            ("Seq_in_index", int()),
            ("Column_name", text_type()),
            ("Collation", text_type()),
            ("Cardinality", int()),
            ("Sub_part", int()),
            ("Packed", text_type()),
            ("Null", text_type()),
            ("Index_type", text_type()),
            ("Comment", text_type()),
            ("Index_comment", text_type()),
            ("Visible", text_type()),
            ("Expression", text_type()),
        ];
        let mut rows = Vec::new();
        for index in table.primary.iter().chain(&table.indexes) {
            rows.extend(index_rows(table, index));
        }
        let names: Vec<&str> = columns.iter().map(|(n, _)| *n).collect();
        self.filtered(&columns, &names, &rows, filter)
    }

    fn show_table_status(&mut self, database: Option<&str>, filter: &Filter) -> Result<Plan, Error> {
        let database = self.shown_database(database)?;
        let names = [
            "Name",
            "Engine",
            "Version",
            "Row_format",
            "Rows",
            "Avg_row_length",
            "Data_length",
            "Max_data_length",
            "Index_length",
            "Data_free",
            "Auto_increment",
            "Create_time",
            "Update_time",
            "Check_time",
            "Collation",
            "Checksum",
            "Create_options",
            "Comment",
        ];
        let row = |t: &Table| {
            let others = super::show_create::other_options(&t.options);
            let others: Vec<String> = others.iter().map(|(n, v)| format!("{}={v}", n.to_lowercase())).collect();
            let next = t.auto_increment().map(|_| t.options.auto_increment.unwrap_or(1) as i64);
            vec![
                text(&t.name),
                text(&t.options.engine),
                Value::Int(10),
                text("Dynamic"),
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
                Value::Int(0),
                next.map_or(Value::Null, Value::Int),
                text(&t.options.created),
                Value::Null,
                Value::Null,
                text(t.options.collation.name()),
                Value::Null,
                text(others.join(" ")),
                text(&t.options.comment),
            ]
        };
        let mut rows: Vec<Vec<Value>> = database.tables.values().map(|t| row(t)).collect();
        rows.extend(database.views.values().map(|view| {
            let mut row = vec![Value::Null; names.len()];
            row[0] = text(&view.name);
            row[names.len() - 1] = text("VIEW");
            row
        }));
        rows.sort_by(|a, b| a[0].cmp(&b[0]));
        let numeric = [2, 4, 5, 6, 7, 8, 9, 10, 15];
        let columns: Vec<(&str, ColumnType)> = names
            .iter()
            .enumerate()
            .map(|(i, n)| (*n, if numeric.contains(&i) { ColumnType::bigint_unsigned() } else { text_type() }))
            .collect();
        self.filtered(&columns, &names, &rows, filter)
    }

    /// Rows of the catalog through LIKE or WHERE. `names` are what a WHERE calls the columns.
    pub fn filtered(
        &mut self,
        columns: &[(&str, ColumnType)],
        names: &[&str],
        rows: &[Vec<Value>],
        filter: &Filter,
    ) -> Result<Plan, Error> {
        let shown = columns.iter().map(|(name, ty)| ResultColumn {
            name: (*name).into(),
            ty: ResultType::Known(ty.clone()),
            nullable: true,
            origin: None,
        });
        let shown: Vec<ResultColumn> = shown.collect();
        let rows = match filter {
            Filter::None => return Ok(Plan::Rows { columns: shown, rows: rows.to_vec() }),
            Filter::Like(pattern) => {
                let keep = |row: &&Vec<Value>| matches!(row.first(), Some(Value::Text(t)) if like(t, pattern));
                let rows = rows.iter().filter(keep).cloned().collect();
                return Ok(Plan::Rows { columns: shown, rows });
            }
            Filter::Where(_) => constant_rows(names, rows),
        };
        let types: Vec<ColumnType> = columns.iter().map(|(_, ty)| ty.clone()).collect();
        let condition = self.show_condition(names, &types, filter)?;
        let list: Vec<String> = names.iter().map(|n| quote_name(n)).collect();
        let sql = format!("SELECT {} FROM ({rows}) AS \"show\"{condition}", list.join(", "));
        Ok(Plan::Read(Read { columns: shown, program: self.program(sql), ..Read::default() }))
    }

    /// ` WHERE ...` over a source called "show".
    fn show_condition(&mut self, names: &[&str], types: &[ColumnType], filter: &Filter) -> Result<String, Error> {
        let condition = match filter {
            Filter::None => return Ok(String::new()),
            Filter::Like(pattern) => {
                let first = names.first().copied().unwrap_or_default();
                return Ok(format!(" WHERE \"show\".{} LIKE {} ESCAPE '\\'", quote_name(first), quote_text(pattern)));
            }
            Filter::Where(condition) => condition,
        };
        let columns = names.iter().zip(types).map(|(name, ty)| SourceColumn {
            name: (*name).to_string(),
            ty: ResultType::Known(ty.clone()),
            nullable: true,
            origin: None,
            merged: false,
            invisible: false,
        });
        let source = Source {
            alias: "show".to_string(),
            database: None,
            sql_alias: "\"show\"".to_string(),
            texts: Vec::new(),
            view: None,
            columns: columns.collect(),
            table: None,
        };
        self.scopes.push(Scope { sources: vec![source], ..Scope::default() });
        // The columns are made by a query: they have no collation of their own.
        let sql = self.in_clause("where clause", |t| t.condition(condition))?;
        self.scopes.pop();
        Ok(format!(" WHERE {sql}"))
    }

    /// A system table's columns under SHOW's names.
    fn show_system(
        &mut self,
        database: &str,
        table: &str,
        columns: &[(&str, &str)],
        filter: &Filter,
    ) -> Result<Plan, Error> {
        let list: Vec<String> =
            columns.iter().map(|(name, column)| format!("{} AS {}", quote_name(column), quote_name(name))).collect();
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let catalog = self.context.catalog.table(database, table);
        let types: Vec<ColumnType> = columns
            .iter()
            .map(|(_, column)| catalog.and_then(|t| t.column(column)).map_or_else(text_type, |(_, c)| c.ty.clone()))
            .collect();
        let condition = self.show_condition(&names, &types, filter)?;
        let all: Vec<String> = names.iter().map(|n| quote_name(n)).collect();
        let sql = format!(
            "SELECT {} FROM (SELECT {} FROM {}.{}) AS \"show\"{condition} ORDER BY 1",
            all.join(", "),
            list.join(", "),
            quote_name(database),
            quote_name(table)
        );
        let shown = names.iter().zip(types).map(|(name, ty)| ResultColumn {
            name: (*name).into(),
            ty: ResultType::Known(ty),
            nullable: true,
            origin: None,
        });
        Ok(Plan::Read(Read {
            columns: shown.collect(),
            program: self.program(sql),
            databases: vec![database.into()],
            tables: vec![(database.into(), table.to_string())],
            ..Read::default()
        }))
    }
}

fn show_view(
    database: &crate::sql::catalog::Database,
    view: &crate::sql::catalog::View,
    context: &super::session::Context<'_>,
) -> Plan {
    let cells = [
        view.name.as_str(),
        &super::view::show_create_view(database, view, context.catalog, context.database),
        "utf8mb4",
        crate::sql::catalog::Collation::DEFAULT,
    ];
    let columns = text_columns(&["View", "Create View", "character_set_client", "collation_connection"]);
    Plan::Rows { columns, rows: vec![cells.into_iter().map(text).collect()] }
}

/// At which levels SHOW PRIVILEGES says a privilege is granted.
fn context_of(privilege: &str) -> &'static str {
    let held = Privileges::named(privilege).unwrap_or_default();
    if Privileges::OF_TABLE.contains(held) {
        "Databases,Tables"
    } else if Privileges::OF_DATABASE.contains(held) {
        "Databases"
    } else {
        "Server Admin"
    }
}

/// SHOW PROCESSLIST shows the first hundred characters of a statement.
fn cut_info(plan: Plan) -> Plan {
    match plan {
        Plan::Read(mut read) => {
            read.program.sql =
                read.program.sql.replacen("\"INFO\" AS \"Info\"", "substr(\"INFO\", 1, 100) AS \"Info\"", 1);
            Plan::Read(read)
        }
        other => other,
    }
}

pub fn like(text: &str, pattern: &str) -> bool {
    let folded = |t: &str| t.to_lowercase().chars().collect::<Vec<char>>();
    crate::sql::functions::matches_like(&folded(text), &folded(pattern), Some('\\'))
}

/// `PRI`, `UNI`, `MUL`, as DESCRIBE marks a column.
pub fn column_key(table: &Table, column: &Column) -> &'static str {
    let leads = |index: &Index| index.columns.first().is_some_and(|c| c.column == column.id);
    if table.primary.as_ref().is_some_and(|p| p.columns.iter().any(|c| c.column == column.id)) {
        "PRI"
    } else if table.indexes.iter().any(|i| i.kind == IndexKind::Unique && i.columns.len() == 1 && leads(i)) {
        "UNI"
    } else if table.indexes.iter().any(leads) {
        "MUL"
    } else {
        ""
    }
}

/// `auto_increment` and the like.
pub fn extra(column: &Column) -> String {
    let mut words = Vec::new();
    if column.auto_increment {
        words.push("auto_increment".to_string());
    }
    if let Some(ColumnDefault::Generated { stored, .. }) = &column.default {
        words.push(if *stored { "STORED GENERATED" } else { "VIRTUAL GENERATED" }.to_string());
    }
    if let Some(fsp) = column.on_update {
        words.push(format!("on update {}", now_text(fsp)));
    }
    if column.invisible {
        words.push("INVISIBLE".to_string());
    }
    words.join(" ")
}

/// A key part as `Column_name` and `Expression`, of which one is NULL.
fn named_part(table: &Table, part: &IndexColumn) -> (Value, Value) {
    match table.part_expression(part) {
        Some(expression) => (Value::Null, text(expression)),
        None => (text(table.name_of(part.column)), Value::Null),
    }
}

fn index_rows(table: &Table, index: &Index) -> Vec<Vec<Value>> {
    let row = |(i, part): (usize, &IndexColumn)| {
        let nullable = table.column_by_id(part.column).is_some_and(|c| c.nullable);
        vec![
            text(&table.name),
            Value::Int(i64::from(!index.kind.is_unique())),
            text(&index.name),
            Value::Int(i as i64 + 1),
            named_part(table, part).0,
            match (index.kind, part.descending) {
                (IndexKind::FullText, _) => Value::Null,
                (_, true) => text("D"),
                (_, false) => text("A"),
            },
            Value::Int(0),
            part.prefix.map_or(Value::Null, |n| Value::Int(i64::from(n))),
            Value::Null,
            text(if nullable { "YES" } else { "" }),
            text(index.kind.structure()),
            text(""),
            text(&index.comment),
            text(if index.invisible { "NO" } else { "YES" }),
            named_part(table, part).1,
        ]
    };
    index.columns.iter().enumerate().map(row).collect()
}
