//! A parsed definition as a table of the catalog.

use super::collation::{resolve_collation, resolve_type};
use super::foreign_key::{add_check, add_foreign_key};
use super::key::{add_key, check_name, check_table};
use crate::sql::catalog::{
    Catalog, Collation, Column, ColumnDefault, Database, HIDDEN_PART, IndexKind, RESERVED_PREFIX, Table, TableOptions,
};
use crate::sql::column_type::ColumnType;
use crate::sql::definition::{ColumnDefinition, KeyDefinition, KeyPart, OptionsDefinition, TableDefinition};
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::schema_change::CompileContext;
use crate::sql::tokens::tokenise;
use crate::sql::translate::{GENERATED_CLAUSE, constant_expression};
use crate::types::{ColumnId, TableId, Value};
use sqlparser::tokenizer::Token;

/// # Errors
/// 1059, 1103 for a name that no table may have.
pub fn check_table_name(name: &str) -> Result<(), Error> {
    check_name(name)?;
    let lower = name.to_ascii_lowercase();
    let bad = name.is_empty() || name.ends_with(' ') || name.contains('\0');
    // SQLite keeps names beginning with sqlite_ for itself.
    if bad || lower.starts_with(RESERVED_PREFIX) || lower.starts_with("sqlite_") {
        return Err(Error::incorrect_table_name(name));
    }
    Ok(())
}

/// A new table.
pub fn new_table(
    catalog: &Catalog,
    database: &Database,
    definition: &TableDefinition,
    context: &mut CompileContext<'_>,
) -> Result<Table, Error> {
    check_table_name(&definition.name)?;
    let mut table = Table {
        id: TableId::default(),
        name: definition.name.clone(),
        columns: vec![],
        primary: None,
        indexes: vec![],
        foreign_keys: vec![],
        checks: vec![],
        options: new_options(&definition.options, &database.collation, context)?,
        collations: context.modes.collations(),
        next_column: 1,
        next_index: 1,
    };
    for column in &definition.columns {
        add_column(&mut table, column, context)?;
    }
    for column in &definition.columns {
        add_inline_key(&mut table, column)?;
    }
    // MySQL makes the primary key first, whatever the order.
    for primary in [true, false] {
        for key in definition.keys.iter().filter(|k| (k.kind == IndexKind::Primary) == primary) {
            add_key(&mut table, key)?;
        }
    }
    let explicit =
        |name: &str| definition.columns.iter().any(|c| c.name.eq_ignore_ascii_case(name) && c.nullable == Some(true));
    check_table(&mut table, explicit)?;
    for check in &definition.checks {
        add_check(&mut table, check)?;
    }
    for key in &definition.foreign_keys {
        add_foreign_key(&mut table, key, catalog, database, context.foreign_key_checks)?;
    }
    check_defaults(&table)?;
    table.id = (context.fresh)();
    Ok(table)
}

/// # Errors
/// 1054 and others for a default that is an expression without meaning.
pub fn check_defaults(table: &Table) -> Result<(), Error> {
    for (place, column) in table.columns.iter().enumerate() {
        match &column.default {
            Some(ColumnDefault::Expression(text)) => {
                crate::sql::translate::check_default(text, table)?;
                check_prior(table, place, text)?;
            }
            Some(ColumnDefault::Generated { expression, .. }) => check_generated(table, place, expression)?,
            _ => {}
        }
    }
    Ok(())
}

/// The columns that a stored expression names.
pub fn named_columns<'t>(table: &'t Table, expression: &str) -> Result<Vec<(usize, &'t Column)>, Error> {
    let tokens = tokenise(expression, Modes::NONE)?;
    let named = |c: &Column| {
        let is = |t: &Token| matches!(t, Token::Word(w) if w.value.eq_ignore_ascii_case(&c.name));
        tokens.tokens.iter().any(|t| is(&t.token))
    };
    Ok(table.columns.iter().enumerate().filter(|(_, c)| named(c)).collect())
}

/// # Errors
/// 3767 for a default that needs a column which is itself computed, and only after it.
fn check_prior(table: &Table, place: usize, expression: &str) -> Result<(), Error> {
    let computed =
        |c: &Column| matches!(c.default, Some(ColumnDefault::Expression(_) | ColumnDefault::Generated { .. }));
    if named_columns(table, expression)?.iter().any(|(at, c)| *at >= place && computed(c)) {
        let message = format!(
            "Default value expression of column '{}' cannot refer to a column defined after it if that column is a generated column or has an expression as default value.",
            table.columns[place].name
        );
        return Err(Error { code: 3767, state: "HY000", message });
    }
    Ok(())
}

/// # Errors
/// 3102 for what needs a session or differs from call to call, 3106 in a primary key, 3107 for a generated column after
/// it, 3109 for an id.
fn check_generated(table: &Table, place: usize, expression: &str) -> Result<(), Error> {
    let column = &table.columns[place];
    constant_expression(expression, Some(table), GENERATED_CLAUSE)?;
    for (at, other) in named_columns(table, expression)? {
        if at >= place && other.generated().is_some() {
            let message = "Generated column can refer only to generated columns defined prior to it.".to_string();
            return Err(Error { code: 3107, state: "HY000", message });
        }
        if other.auto_increment {
            let message = format!("Generated column '{}' cannot refer to auto-increment column.", column.name);
            return Err(Error { code: 3109, state: "HY000", message });
        }
    }
    let is_virtual = matches!(column.default, Some(ColumnDefault::Generated { stored: false, .. }));
    if is_virtual && table.primary.as_ref().is_some_and(|p| p.columns.iter().any(|c| c.column == column.id)) {
        let message = "'Defining a virtual generated column as primary key' is not supported for generated columns.";
        return Err(Error { code: 3106, state: "HY000", message: message.to_string() });
    }
    Ok(())
}

fn new_options(
    options: &OptionsDefinition,
    inherited: &Collation,
    context: &CompileContext<'_>,
) -> Result<TableOptions, Error> {
    let now = context.now.as_str();
    let mut new = TableOptions {
        engine: context.engine.to_string(),
        collation: inherited.clone(),
        comment: String::new(),
        auto_increment: None,
        others: vec![],
        created: now.get(..19).unwrap_or(now).to_string(),
    };
    change_options(&mut new, options)?;
    Ok(new)
}

/// The storage engine of a name: tables carry it as a label.
pub fn storage_engine(name: &str) -> Option<&'static str> {
    let known = ["InnoDB", "MyISAM", "MEMORY", "CSV", "ARCHIVE", "BLACKHOLE", "MRG_MYISAM", "FEDERATED", "Aria"];
    let name = if name.eq_ignore_ascii_case("HEAP") { "MEMORY" } else { name };
    known.into_iter().find(|k| k.eq_ignore_ascii_case(name))
}

/// Applies table options.
///
/// # Errors
/// 1115, 1253, 1273; 1286 for an engine that MySQL does not have.
pub fn change_options(options: &mut TableOptions, change: &OptionsDefinition) -> Result<(), Error> {
    if let Some(engine) = &change.engine {
        match storage_engine(engine) {
            Some(name) => options.engine = name.to_string(),
            None => {
                let message = format!("Unknown storage engine '{engine}'");
                return Err(Error { code: 1286, state: "42000", message });
            }
        }
    }
    if let Some(collation) = resolve_collation(change.charset.as_deref(), change.collation.as_deref())? {
        options.collation = collation;
    }
    if let Some(comment) = &change.comment {
        options.comment.clone_from(comment);
    }
    if change.auto_increment.is_some() {
        options.auto_increment = change.auto_increment;
    }
    for (name, value) in &change.others {
        options.others.retain(|(n, _)| n != name);
        options.others.push((name.clone(), value.clone()));
    }
    Ok(())
}

/// Adds a column at the end, under a fresh id.
pub fn add_column(
    table: &mut Table,
    definition: &ColumnDefinition,
    context: &mut CompileContext<'_>,
) -> Result<(), Error> {
    if table.column(&definition.name).is_some() {
        return Err(Error::duplicate_column(&definition.name));
    }
    let id = ColumnId(table.next_column);
    let column = column_of(definition, id, &table.options.collation, context)?;
    table.next_column += 1;
    table.columns.push(column);
    Ok(())
}

/// `PRIMARY KEY` or `UNIQUE` inside a column's definition.
pub fn add_inline_key(table: &mut Table, definition: &ColumnDefinition) -> Result<(), Error> {
    let Some(kind) = definition.key else { return Ok(()) };
    let part = KeyPart { column: definition.name.clone(), expression: None, prefix: None, descending: false };
    let key = KeyDefinition { kind, name: None, parts: vec![part], comment: String::new(), invisible: false };
    add_key(table, &key).map(drop)
}

/// A column of the catalog from its definition.
///
/// # Errors
/// 1059, 1067, 1101, 1166 and those of types.
pub fn column_of(
    definition: &ColumnDefinition,
    id: ColumnId,
    inherited: &Collation,
    context: &mut CompileContext<'_>,
) -> Result<Column, Error> {
    let name = &definition.name;
    check_name(name)?;
    if name.is_empty()
        || name.ends_with(' ')
        || name.contains('\0')
        || name.to_ascii_lowercase().starts_with(RESERVED_PREFIX)
        || name.starts_with(HIDDEN_PART)
    {
        return Err(Error::incorrect_column_name(name));
    }
    let mut column = Column {
        id,
        name: name.clone(),
        ty: resolve_type(&definition.ty, inherited, name, context.modes, &mut context.warnings)?,
        nullable: definition.nullable.unwrap_or(true),
        default: None,
        on_update: definition.on_update,
        auto_increment: definition.auto_increment,
        comment: definition.comment.clone(),
        invisible: definition.invisible,
    };
    if column.auto_increment {
        // MySQL makes such columns NOT NULL.
        column.nullable = false;
        if definition.default.is_some() {
            return Err(Error::invalid_default(name));
        }
    }
    if let Some(fsp) = column.on_update {
        check_now(&column, fsp)?;
    }
    // A key makes it NOT NULL; that is known only later.
    let nullable = column.nullable && definition.key != Some(IndexKind::Primary);
    column.default = match &definition.default {
        Some(default) => checked_default(&column, nullable, default)?,
        None => None,
    };
    Ok(column)
}

/// CURRENT_TIMESTAMP only for columns that hold one, with as many fraction digits.
fn check_now(column: &Column, fsp: u8) -> Result<(), Error> {
    match column.ty {
        ColumnType::DateTime(own) | ColumnType::Timestamp(own) if own == fsp => Ok(()),
        _ => Err(Error::invalid_default(&column.name)),
    }
}

/// A default in the column's own format; an explicit DEFAULT NULL is none.
pub fn checked_default(
    column: &Column,
    nullable: bool,
    default: &ColumnDefault,
) -> Result<Option<ColumnDefault>, Error> {
    Ok(match default {
        ColumnDefault::Now(fsp) => {
            check_now(column, *fsp)?;
            Some(default.clone())
        }
        ColumnDefault::Expression(_) | ColumnDefault::Generated { .. } => Some(default.clone()),
        ColumnDefault::Constant(Value::Null) if nullable => None,
        ColumnDefault::Constant(Value::Null) => return Err(Error::invalid_default(&column.name)),
        // A hexadecimal or bit literal is a number to numbers and a string to others.
        ColumnDefault::Constant(Value::Blob(bytes)) if column.ty.is_numeric() => {
            let number = bytes.iter().fold(0i64, |n, b| n << 8 | i64::from(*b));
            Some(ColumnDefault::Constant(crate::sql::translate::default_cell(column, &Value::Int(number))?))
        }
        ColumnDefault::Constant(Value::Blob(bytes)) if !matches!(column.ty, ColumnType::Binary { .. }) => {
            let text = Value::text(String::from_utf8_lossy(bytes).into_owned());
            Some(ColumnDefault::Constant(crate::sql::translate::default_cell(column, &text)?))
        }
        ColumnDefault::Constant(value) => {
            Some(ColumnDefault::Constant(crate::sql::translate::default_cell(column, value)?))
        }
    })
}
