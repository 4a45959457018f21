//! LOAD DATA.

use super::{Body, Insert, InsertSource, Reader};
use crate::sql::error::Error;
use crate::sql::load::{FileFormat, IntoFile};
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

/// LOAD DATA.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadData {
    pub file: String,
    /// The client has the file.
    pub local: bool,
    pub format: FileFormat,
    /// The rows to come: `source` has their fields.
    pub insert: Insert,
}

/// What the fields of a line are for.
#[derive(Clone, Debug, PartialEq)]
pub struct Fields {
    /// Empty: the table's columns.
    pub targets: Vec<FieldTarget>,
    /// SET column = value; `None` is DEFAULT.
    pub set: Vec<(String, Option<Expr>)>,
}

/// Where one field goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldTarget {
    Column(String),
    /// `@name`, in lower case: only for the values after SET.
    Variable(String),
}

impl Reader<'_> {
    pub(super) fn load_data(&mut self) -> Result<Body, Error> {
        self.expect("LOAD DATA")?;
        let _ = self.accept_any(&["LOW_PRIORITY", "CONCURRENT"]);
        let local = self.accept("LOCAL");
        self.expect("INFILE")?;
        let file = self.text()?;
        let duplicates = self.accept_any(&["REPLACE", "IGNORE"]);
        self.expect("INTO TABLE")?;
        let table = self.table_name()?;
        self.refuse_partition()?;
        let mut format = self.file_format()?;
        if self.accept("IGNORE") {
            format.skipped = self.unsigned()?;
            if self.accept_any(&["LINES", "ROWS"]).is_none() {
                return self.unexpected();
            }
        }
        let mut targets = Vec::new();
        if self.take(&Token::LParen) && !self.take(&Token::RParen) {
            targets = self.list(|r| match r.user_variable() {
                Some(name) => Ok(FieldTarget::Variable(name.to_lowercase())),
                None => Ok(FieldTarget::Column(r.qualified_name()?)),
            })?;
            self.need(&Token::RParen)?;
        }
        let mut set = Vec::new();
        if self.accept("SET") {
            set = self.list(|r| {
                let column = r.qualified_name()?;
                r.need(&Token::Eq)?;
                Ok((column, r.value_or_default()?))
            })?;
        }
        let replace = duplicates == Some("REPLACE");
        let insert = Insert {
            replace,
            // A client that sends a file cannot be stopped: what is wrong in it is a warning.
            ignore: duplicates == Some("IGNORE") || local,
            table,
            columns: None,
            source: InsertSource::Fields(Fields { targets, set }),
            alias: None,
            on_duplicate: vec![],
            returning: None,
        };
        Ok(Body::LoadData(Box::new(LoadData { file, local, format, insert })))
    }

    /// OUTFILE 'name' with its format, or DUMPFILE 'name'.
    pub(super) fn file_target(&mut self) -> Result<IntoFile, Error> {
        let dump = self.accept("DUMPFILE");
        if !dump {
            self.expect("OUTFILE")?;
        }
        let name = self.text()?;
        Ok(IntoFile { name, dump, format: if dump { FileFormat::default() } else { self.file_format()? } })
    }

    /// `[CHARACTER SET name] [FIELDS ...] [LINES ...]`.
    fn file_format(&mut self) -> Result<FileFormat, Error> {
        let mut format = FileFormat::default();
        if self.accept("CHARACTER SET") || self.accept("CHARSET") {
            format.charset = Some(self.name_or_text()?.to_lowercase());
        }
        if self.accept("FIELDS") || self.accept("COLUMNS") {
            self.field_options(&mut format)?;
        }
        if self.accept("LINES") {
            loop {
                if self.accept("STARTING BY") {
                    format.starting = self.text()?.into_bytes();
                } else if self.accept("TERMINATED BY") {
                    format.line = self.text()?.into_bytes();
                } else {
                    break;
                }
            }
        }
        if format.terminated.is_empty() || format.line.is_empty() {
            return Err(Error::unsupported("files of fields or lines without a terminator"));
        }
        Ok(format)
    }

    fn field_options(&mut self, format: &mut FileFormat) -> Result<(), Error> {
        loop {
            if self.accept("TERMINATED BY") {
                format.terminated = self.text()?.into_bytes();
            } else if self.accept("OPTIONALLY ENCLOSED BY") {
                format.enclosed = self.one_byte()?;
                format.texts_only = true;
            } else if self.accept("ENCLOSED BY") {
                format.enclosed = self.one_byte()?;
            } else if self.accept("ESCAPED BY") {
                format.escaped = self.one_byte()?;
            } else {
                return Ok(());
            }
        }
    }

    /// # Errors
    /// 1083 for more than one byte.
    fn one_byte(&mut self) -> Result<Option<u8>, Error> {
        match self.text()?.as_bytes() {
            [] => Ok(None),
            [byte] => Ok(Some(*byte)),
            _ => Err(Error::wrong_field_terminators()),
        }
    }
}
