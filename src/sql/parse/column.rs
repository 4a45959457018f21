//! Column definitions and their types.

use super::Reader;
use crate::sql::catalog::{Collation, ColumnDefault, IndexKind};
use crate::sql::column_type::{BinaryKind, ColumnType, IntegerSize, TextKind};
use crate::sql::decimal::MAX_SCALE;
use crate::sql::definition::{CheckDefinition, ColumnDefinition, ForeignKeyDefinition, TypeDefinition};
use crate::sql::error::Error;
use crate::sql::parameter::Literal;
use crate::sql::spelling::spelled;
use crate::types::Value;
use sqlparser::ast::Expr;
use sqlparser::tokenizer::Token;

/// The longest string of all, in bytes.
const MAX_LENGTH: u64 = 4_294_967_295;

/// A column and the table-level parts that its definition may hold.
pub struct ParsedColumn {
    pub column: ColumnDefinition,
    pub checks: Vec<CheckDefinition>,
    pub foreign_key: Option<ForeignKeyDefinition>,
}

impl Reader<'_> {
    /// `name type [attributes]`.
    pub(super) fn column_definition(&mut self) -> Result<ParsedColumn, Error> {
        let name = self.qualified_name()?;
        let (ty, serial) = self.column_type(&name)?;
        let mut parsed = ParsedColumn {
            column: ColumnDefinition {
                name,
                ty,
                nullable: serial.then_some(false),
                default: None,
                on_update: None,
                auto_increment: serial,
                comment: String::new(),
                invisible: false,
                key: serial.then_some(IndexKind::Unique),
            },
            checks: vec![],
            foreign_key: None,
        };
        while self.column_attribute(&mut parsed)? {}
        Ok(parsed)
    }

    /// One attribute; false if none comes next.
    fn column_attribute(&mut self, parsed: &mut ParsedColumn) -> Result<bool, Error> {
        let column = &mut parsed.column;
        if self.accept("NOT NULL") {
            column.nullable = Some(false);
        } else if self.accept("NULL") {
            column.nullable = Some(true);
        } else if self.accept("DEFAULT") {
            if matches!(column.default, Some(ColumnDefault::Generated { .. })) {
                return Err(Error::wrong_usage("DEFAULT", "generated column"));
            }
            column.default = self.default_value()?;
        } else if self.accept("ON UPDATE") {
            let Some(fsp) = self.now_call()? else { return self.unexpected() };
            column.on_update = Some(fsp);
        } else if self.accept("AUTO_INCREMENT") {
            column.auto_increment = true;
        } else if self.accept("PRIMARY KEY") || self.accept("PRIMARY") || self.accept("KEY") {
            column.key = Some(IndexKind::Primary);
        } else if self.accept("UNIQUE KEY") || self.accept("UNIQUE") {
            column.key = column.key.or(Some(IndexKind::Unique));
        } else if self.accept("COMMENT") {
            column.comment = self.text()?;
        } else if self.accept("COLLATE") {
            column.ty.collation = Some(self.name_or_text()?);
        } else if self.accept("CHARACTER SET") || self.accept("CHARSET") {
            column.ty.charset = Some(self.name_or_text()?);
        } else if self.accept("INVISIBLE") {
            column.invisible = true;
        } else if self.accept("VISIBLE") {
            column.invisible = false;
        } else if self.accept("SERIAL DEFAULT VALUE") {
            column.nullable = Some(false);
            column.auto_increment = true;
            column.key = column.key.or(Some(IndexKind::Unique));
        } else if self.accept("COLUMN_FORMAT") || self.accept("STORAGE") || self.accept("ENGINE_ATTRIBUTE") {
            self.name_or_text()?;
        } else if self.accept("GENERATED ALWAYS AS") || self.accept("AS") {
            if column.default.is_some() || column.auto_increment || column.on_update.is_some() {
                let what = if column.auto_increment { "AUTO_INCREMENT" } else { "DEFAULT" };
                return Err(Error::wrong_usage(what, "generated column"));
            }
            self.need(&Token::LParen)?;
            let expression = self.spelled_expression()?;
            self.need(&Token::RParen)?;
            let stored = matches!(self.accept_any(&["VIRTUAL", "STORED", "PERSISTENT"]), Some("STORED" | "PERSISTENT"));
            parsed.column.default = Some(ColumnDefault::Generated { expression, stored });
        } else if self.looks_at("SRID") {
            return Err(Error::unsupported("spatial types"));
        } else if self.looks_at("CHECK") || self.looks_at("CONSTRAINT") {
            let name = if self.accept("CONSTRAINT") && !self.looks_at("CHECK") { Some(self.name()?) } else { None };
            let check = self.check(name)?;
            parsed.checks.push(CheckDefinition { column: Some(parsed.column.name.clone()), ..check });
        } else if self.looks_at("REFERENCES") {
            // MySQL 8.0 reads an inline REFERENCES and ignores it.
            let column = parsed.column.name.clone();
            self.references(None, vec![column])?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What follows DEFAULT. `DEFAULT NULL` is `Some(Constant(Null))`.
    pub(super) fn default_value(&mut self) -> Result<Option<ColumnDefault>, Error> {
        if let Some(fsp) = self.now_call()? {
            return Ok(Some(ColumnDefault::Now(fsp)));
        }
        if *self.peek() == Token::LParen {
            self.skip();
            let first = self.position();
            if self.tokens.tokens.get(first + 1).is_some_and(|t| t.token == Token::RParen) && self.literal().is_some() {
                let constant = self.default_value()?;
                self.need(&Token::RParen)?;
                return Ok(constant);
            }
            let expression = self.expression()?;
            let default = self.default_expression(first, &expression)?;
            self.need(&Token::RParen)?;
            return Ok(Some(default));
        }
        let word = matches!(self.peek(), Token::Word(_));
        if word && !["NULL", "TRUE", "FALSE"].iter().any(|w| self.looks_at(w)) || self.reads_variable() {
            // A function, or another column.
            let first = self.position();
            let expression = self.primary_expression()?;
            return self.default_expression(first, &expression).map(Some);
        }
        let negate = self.take(&Token::Minus);
        if !negate {
            self.take(&Token::Plus);
        }
        let value = match (self.literal(), self.peek()) {
            (Some(Literal::Decimal(digits)), _) => Value::text(format!("{}{digits}", if negate { "-" } else { "" })),
            (Some(literal), _) => literal.value(negate),
            (None, Token::Placeholder(text)) => match super::super::translate::placeholder_bytes(text) {
                Some((bytes, _)) => Value::Blob(bytes.into()),
                None => return self.unexpected(),
            },
            _ if self.looks_at("NULL") => Value::Null,
            _ if self.looks_at("TRUE") => Value::Int(1),
            _ if self.looks_at("FALSE") => Value::Int(0),
            _ => return self.unexpected(),
        };
        self.skip();
        Ok(Some(ColumnDefault::Constant(value)))
    }

    fn reads_variable(&self) -> bool {
        matches!(self.peek(), Token::Placeholder(name) if name.starts_with('@'))
    }

    /// The expression from token `first` on as a default.
    ///
    /// # Errors
    /// 3772 for variables, 1064 for markers.
    fn default_expression(&self, first: usize, expression: &Expr) -> Result<ColumnDefault, Error> {
        for number in first..self.position() {
            match &self.tokens.tokens[number].token {
                Token::Placeholder(name) if name.starts_with('@') => {
                    let message = "Default value expression of a column cannot refer user or system variables.";
                    return Err(Error { code: 3772, state: "HY000", message: message.to_string() });
                }
                Token::Placeholder(name) if name.starts_with('?') => return Err(self.tokens.syntax_error(number)),
                _ => {}
            }
        }
        Ok(ColumnDefault::Expression(spelled(expression, &self.text_since(first))))
    }

    /// `CURRENT_TIMESTAMP`, `NOW(n)` and their synonyms, with the number of fraction digits.
    fn now_call(&mut self) -> Result<Option<u8>, Error> {
        let names = ["CURRENT_TIMESTAMP", "NOW", "LOCALTIMESTAMP", "LOCALTIME"];
        if self.accept_any(&names).is_none() {
            return Ok(None);
        }
        let mut fsp = 0;
        if self.take(&Token::LParen) {
            if *self.peek() != Token::RParen {
                fsp = self.unsigned()?;
            }
            self.need(&Token::RParen)?;
        }
        match u8::try_from(fsp) {
            Ok(fsp) if fsp <= 6 => Ok(Some(fsp)),
            _ => Err(Error::too_big_precision(fsp, "CURRENT_TIMESTAMP", 6)),
        }
    }

    /// An expression as definitions keep it.
    pub(super) fn spelled_expression(&mut self) -> Result<String, Error> {
        let first = self.position();
        let expression = self.expression()?;
        Ok(spelled(&expression, &self.text_since(first)))
    }

    /// `CHECK (expr) [[NOT] ENFORCED]`.
    pub(super) fn check(&mut self, name: Option<String>) -> Result<CheckDefinition, Error> {
        self.expect("CHECK")?;
        self.need(&Token::LParen)?;
        let expression = self.spelled_expression()?;
        self.need(&Token::RParen)?;
        let enforced = !self.accept("NOT ENFORCED");
        self.accept("ENFORCED");
        Ok(CheckDefinition { name, column: None, expression, enforced })
    }

    /// A type with its attributes; `true` for SERIAL.
    pub(super) fn column_type(&mut self, column: &str) -> Result<(TypeDefinition, bool), Error> {
        let Token::Word(word) = self.peek() else { return self.unexpected() };
        let mut name = word.value.to_ascii_uppercase();
        if word.quote_style.is_some() {
            return self.unexpected();
        }
        self.skip();
        if name == "NATIONAL" || name == "LONG" {
            name = match self.peek() {
                Token::Word(word)
                    if name == "NATIONAL"
                        || ["VARCHAR", "VARBINARY", "BYTE"].iter().any(|w| word.value.eq_ignore_ascii_case(w)) =>
                {
                    let both = format!("{name} {}", word.value.to_ascii_uppercase());
                    self.skip();
                    both
                }
                _ if name == "LONG" => name,
                _ => return self.unexpected(),
            };
        }
        let mut serial = false;
        let ty = match name.as_str() {
            "TINYINT" | "INT1" => self.integer(column, IntegerSize::Tiny)?,
            "SMALLINT" | "INT2" => self.integer(column, IntegerSize::Small)?,
            "MEDIUMINT" | "INT3" | "MIDDLEINT" => self.integer(column, IntegerSize::Medium)?,
            "INT" | "INTEGER" | "INT4" => self.integer(column, IntegerSize::Int)?,
            "BIGINT" | "INT8" => self.integer(column, IntegerSize::Big)?,
            "SERIAL" => {
                serial = true;
                ColumnType::bigint_unsigned()
            }
            "BOOL" | "BOOLEAN" => {
                ColumnType::Integer { size: IntegerSize::Tiny, unsigned: false, zerofill: false, width: Some(1) }
            }
            "DECIMAL" | "DEC" | "NUMERIC" | "FIXED" => self.decimal(column)?,
            "FLOAT" | "FLOAT4" => self.float(false)?,
            "DOUBLE" | "FLOAT8" | "REAL" => {
                self.accept("PRECISION");
                self.float(true)?
            }
            "BIT" => {
                let bits = self.optional_length()?.unwrap_or(1);
                match u8::try_from(bits) {
                    Ok(bits @ 1..=64) => ColumnType::Bit(bits),
                    _ => return Err(Error::bad_display(column, 64)),
                }
            }
            "YEAR" => {
                self.optional_length()?;
                ColumnType::Year
            }
            "DATE" => ColumnType::Date,
            "TIME" => ColumnType::Time(self.fsp(column)?),
            "DATETIME" => ColumnType::DateTime(self.fsp(column)?),
            "TIMESTAMP" => ColumnType::Timestamp(self.fsp(column)?),
            "JSON" => ColumnType::Json,
            "ENUM" | "SET" => {
                let mut values = self.parenthesised(Reader::text)?;
                values.iter_mut().for_each(|v| v.truncate(v.trim_end_matches(' ').len()));
                let collation = Collation::default();
                if name == "ENUM" {
                    ColumnType::Enum { values, collation }
                } else {
                    ColumnType::Set { values, collation }
                }
            }
            "GEOMETRY" | "POINT" | "LINESTRING" | "POLYGON" | "MULTIPOINT" | "MULTILINESTRING" | "MULTIPOLYGON"
            | "GEOMETRYCOLLECTION" => return Err(Error::unsupported("spatial types")),
            "VECTOR" => return Err(Error::unsupported("VECTOR columns")),
            _ => self.string_type(&name, column)?,
        };
        let mut definition = TypeDefinition { ty, charset: None, collation: None, binary: false };
        if name.starts_with('N') && matches!(definition.ty, ColumnType::Text { .. }) {
            definition.charset = Some("utf8mb3".to_string());
        }
        loop {
            if self.accept("CHARACTER SET") || self.accept("CHARSET") || self.accept("CHAR SET") {
                definition.charset = Some(self.name_or_text()?);
            } else if self.accept("COLLATE") {
                definition.collation = Some(self.name_or_text()?);
            } else if definition.ty.collation().is_some() && self.accept("BINARY") {
                definition.binary = true;
            } else if definition.ty.collation().is_some() && self.accept("ASCII") {
                definition.charset = Some("latin1".to_string());
            } else if definition.ty.collation().is_some() && self.accept("UNICODE") {
                definition.charset = Some("ucs2".to_string());
            } else {
                return Ok((definition, serial));
            }
        }
    }

    /// UNSIGNED, SIGNED and ZEROFILL, in any order.
    fn numeric_attributes(&mut self) -> (bool, bool) {
        let (mut unsigned, mut zerofill) = (false, false);
        while let Some(word) = self.accept_any(&["UNSIGNED", "SIGNED", "ZEROFILL"]) {
            unsigned |= word != "SIGNED";
            zerofill |= word == "ZEROFILL";
        }
        (unsigned, zerofill)
    }

    fn integer(&mut self, column: &str, size: IntegerSize) -> Result<ColumnType, Error> {
        let width = match self.optional_length()? {
            Some(width) => Some(u8::try_from(width).map_err(|_| Error::display_width(column, u8::MAX))?),
            None => None,
        };
        let (unsigned, zerofill) = self.numeric_attributes();
        // A zero-filled column without a width is as wide as its largest value.
        let full = || size.range(true).1.to_string().len() as u8;
        Ok(ColumnType::Integer { size, unsigned, zerofill, width: width.or_else(|| zerofill.then(full)) })
    }

    fn two_lengths(&mut self) -> Result<Option<(u64, Option<u64>)>, Error> {
        if !self.take(&Token::LParen) {
            return Ok(None);
        }
        let first = self.unsigned()?;
        let second = if self.take(&Token::Comma) { Some(self.unsigned()?) } else { None };
        self.need(&Token::RParen)?;
        Ok(Some((first, second)))
    }

    fn decimal(&mut self, column: &str) -> Result<ColumnType, Error> {
        let (precision, scale) = self.two_lengths()?.unwrap_or((10, None));
        let scale = scale.unwrap_or(0);
        if precision > 65 {
            return Err(Error::too_big_precision(precision, column, 65));
        }
        if scale > u64::from(MAX_SCALE) {
            return Err(Error::too_big_scale(scale, column, MAX_SCALE));
        }
        let precision = if precision == 0 { 10 } else { precision };
        if scale > precision {
            return Err(Error::scale_above_precision(column));
        }
        let (unsigned, zerofill) = self.numeric_attributes();
        Ok(ColumnType::Decimal { precision: precision as u8, scale: scale as u8, unsigned, zerofill })
    }

    fn float(&mut self, double: bool) -> Result<ColumnType, Error> {
        let (double, display) = match self.two_lengths()? {
            // FLOAT(p) chooses the size by its precision in bits.
            Some((bits, None)) => (double || bits > 24, None),
            Some((m, Some(d))) => (double, Some((m.min(255) as u8, d.min(30) as u8))),
            None => (double, None),
        };
        let (unsigned, zerofill) = self.numeric_attributes();
        Ok(ColumnType::Float { double, unsigned, zerofill, display })
    }

    fn fsp(&mut self, column: &str) -> Result<u8, Error> {
        let fsp = self.optional_length()?.unwrap_or(0);
        if fsp > 6 { Err(Error::too_big_precision(fsp, column, 6)) } else { Ok(fsp as u8) }
    }

    fn string_type(&mut self, name: &str, column: &str) -> Result<ColumnType, Error> {
        let text = |kind, length| ColumnType::Text { kind, length, collation: Collation::default() };
        let binary = |kind, length| ColumnType::Binary { kind, length };
        let varying = matches!(name, "CHAR" | "CHARACTER" | "NCHAR" | "NATIONAL CHAR" | "NATIONAL CHARACTER")
            && self.accept("VARYING");
        Ok(match name {
            "VARCHAR" | "NVARCHAR" | "VARCHARACTER" | "NATIONAL VARCHAR" => {
                let Some(length) = self.optional_length()? else { return self.unexpected() };
                self.varchar(column, length)?
            }
            _ if varying => {
                let Some(length) = self.optional_length()? else { return self.unexpected() };
                self.varchar(column, length)?
            }
            "CHAR" | "CHARACTER" | "NCHAR" | "NATIONAL CHAR" | "NATIONAL CHARACTER" => {
                let length = self.optional_length()?.unwrap_or(1);
                if length > 255 {
                    return Err(Error::column_too_long(column, 255));
                }
                text(TextKind::Char, length as u32)
            }
            "TINYTEXT" => text(TextKind::TinyText, 0),
            "TEXT" => match self.optional_length()? {
                None | Some(256..=65_535) => text(TextKind::Text, 0),
                Some(0..=255) => text(TextKind::TinyText, 0),
                Some(65_536..=16_777_215) => text(TextKind::MediumText, 0),
                Some(16_777_216..=MAX_LENGTH) => text(TextKind::LongText, 0),
                Some(_) => return Err(Error::display_width(column, MAX_LENGTH)),
            },
            "MEDIUMTEXT" | "LONG" | "LONG VARCHAR" => text(TextKind::MediumText, 0),
            "LONGTEXT" => text(TextKind::LongText, 0),
            "BINARY" => {
                let length = self.optional_length()?.unwrap_or(1);
                if length > 255 {
                    return Err(Error::column_too_long(column, 255));
                }
                binary(BinaryKind::Binary, length as u32)
            }
            "VARBINARY" => match self.optional_length()? {
                Some(length @ 0..=MAX_LENGTH) => binary(BinaryKind::VarBinary, length as u32),
                Some(_) => return Err(Error::display_width(column, MAX_LENGTH)),
                None => return self.unexpected(),
            },
            "TINYBLOB" => binary(BinaryKind::TinyBlob, 0),
            "BLOB" => match self.optional_length()? {
                None | Some(256..=65_535) => binary(BinaryKind::Blob, 0),
                Some(0..=255) => binary(BinaryKind::TinyBlob, 0),
                Some(65_536..=16_777_215) => binary(BinaryKind::MediumBlob, 0),
                Some(16_777_216..=MAX_LENGTH) => binary(BinaryKind::LongBlob, 0),
                Some(_) => return Err(Error::display_width(column, MAX_LENGTH)),
            },
            "MEDIUMBLOB" | "LONG BYTE" | "LONG VARBINARY" => binary(BinaryKind::MediumBlob, 0),
            "LONGBLOB" => binary(BinaryKind::LongBlob, 0),
            _ => return Err(self.tokens.syntax_error(self.position().saturating_sub(1))),
        })
    }

    fn varchar(&self, column: &str, length: u64) -> Result<ColumnType, Error> {
        let length = u32::try_from(length).map_err(|_| Error::display_width(column, MAX_LENGTH))?;
        Ok(ColumnType::Text { kind: TextKind::VarChar, length, collation: Collation::default() })
    }
}
