//! LOAD DATA: an INSERT of the rows that the session reads from a file and gives as one parameter.

use super::insert::row_before;
use super::scope::{Scope, Source, SourceColumn};
use super::select::Block;
use super::translator::{Translator, quote_name};
use super::typed::{Typed, text_type};
use crate::sql::catalog::{Column, Table};
use crate::sql::error::Error;
use crate::sql::functions::MOST_ROW_COLUMNS;
use crate::sql::parameter::{Convert, Source as From};
use crate::sql::parse::{FieldTarget, Fields, LoadData};
use crate::sql::plan::{Load, ResultType};
use std::sync::Arc;

/// The source of the fields.
const FIELDS: &str = "\"marmot_fields\"";

impl Translator<'_> {
    pub(super) fn load_data(&mut self, load: &LoadData) -> Result<Load, Error> {
        let write = self.insert(&load.insert)?;
        let crate::sql::parse::InsertSource::Fields(fields) = &load.insert.source else {
            return Err(Error::wrong_arguments("LOAD DATA"));
        };
        let table = self.context.catalog.table(&write.database, &write.table);
        let own = || table.map_or(0, |t| t.columns.iter().filter(|c| !c.invisible).count());
        Ok(Load {
            file: load.file.clone(),
            local: load.local,
            format: load.format.clone(),
            fields: if fields.targets.is_empty() { own() } else { fields.targets.len() },
            strict: !load.insert.ignore && self.context.modes.strict(),
            write,
        })
    }

    /// The columns that LOAD DATA gives values: those of fields, then those of SET.
    pub(super) fn loaded_columns(&self, fields: &Fields, table: &Table) -> Result<Vec<Column>, Error> {
        let find = |name: &str| {
            let found = table.column(name).map(|(_, c)| c.clone());
            found.ok_or_else(|| Error::unknown_column(name, "field list"))
        };
        let mut columns: Vec<Column> = match fields.targets.is_empty() {
            true => table.columns.iter().filter(|c| !c.invisible).cloned().collect(),
            false => {
                let named = fields.targets.iter().filter_map(|t| match t {
                    FieldTarget::Column(name) => Some(name),
                    FieldTarget::Variable(_) => None,
                });
                named.map(|n| find(n)).collect::<Result<_, _>>()?
            }
        };
        for (name, _) in &fields.set {
            let column = find(name)?;
            if column.generated().is_some() {
                return Err(Error::generated_value(&column.name, &table.name));
            }
            // What SET says holds, not the field.
            columns.retain(|c| c.id != column.id);
            columns.push(column);
        }
        for (i, column) in columns.iter().enumerate() {
            if columns[..i].iter().any(|c| c.id == column.id) {
                return Err(Error::column_specified_twice(&column.name));
            }
        }
        Ok(columns)
    }

    /// The rows of a file as a query with these columns.
    pub(super) fn loaded_rows(
        &mut self,
        fields: &Fields,
        table: &Arc<Table>,
        columns: &[Column],
    ) -> Result<Block, Error> {
        let targets: Vec<FieldTarget> = match fields.targets.is_empty() {
            true => {
                let visible = table.columns.iter().filter(|c| !c.invisible);
                visible.map(|c| FieldTarget::Column(c.name.clone())).collect()
            }
            false => fields.targets.clone(),
        };
        if targets.len() >= MOST_ROW_COLUMNS {
            return Err(Error::unsupported(format!("LOAD DATA of more than {} fields", MOST_ROW_COLUMNS - 1)));
        }
        let count = format!("{FIELDS}.\"c{}\"", targets.len());
        let mut source = Source {
            alias: table.name.clone(),
            database: None,
            sql_alias: FIELDS.to_string(),
            texts: vec![],
            columns: vec![],
            table: None,
            view: None,
        };
        for (i, target) in targets.iter().enumerate() {
            let cell = format!("{FIELDS}.\"c{i}\"");
            let FieldTarget::Column(name) = target else {
                if let FieldTarget::Variable(name) = target {
                    self.field_variables.insert(name.clone(), cell);
                }
                continue;
            };
            let Some((_, column)) = table.column(name) else { return Err(Error::unknown_column(name, "field list")) };
            let column = column.clone();
            // A line that ends early leaves its other columns as they would be without it.
            let otherwise = match column.auto_increment {
                true => "NULL".to_string(),
                false => self.insert_default(&column, true)?.sql,
            };
            source.texts.push(format!("CASE WHEN {count} > {i} THEN {cell} ELSE {otherwise} END"));
            source.columns.push(SourceColumn {
                name: column.name.clone(),
                ty: ResultType::Known(text_type()),
                nullable: true,
                origin: None,
                merged: false,
                invisible: false,
            });
        }
        let before = row_before(table);
        self.scopes.push(before);
        self.scopes.push(Scope { sources: vec![source.clone()], ..Scope::default() });
        let mut list = Vec::new();
        let mut offered = Vec::new();
        for column in columns {
            let set = fields.set.iter().rev().find(|(name, _)| name.eq_ignore_ascii_case(&column.name));
            let value = match set {
                Some((_, Some(expression))) => self.expression(expression)?,
                Some((_, None)) => self.insert_default(column, true)?,
                None => match source.column(&column.name) {
                    Some(field) => Typed { ty: ResultType::Dynamic, ..source.reference(field) },
                    None => Typed::null(),
                },
            };
            list.push(format!("{} AS {}", value.sql, quote_name(&column.name)));
            offered.push(SourceColumn {
                name: column.name.clone(),
                ty: value.ty,
                nullable: true,
                origin: None,
                merged: false,
                invisible: false,
            });
        }
        self.scopes.truncate(self.scopes.len() - 2);
        self.field_variables.clear();
        let (rows, _) = self.parameter(From::Client(0), Convert::Plain);
        let sql = format!("SELECT {} FROM marmot_each_row({rows}) AS {FIELDS}", list.join(", "));
        Ok(Block { sql, columns: offered, single_row: false })
    }
}
