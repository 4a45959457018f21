//! Function calls.

use super::collation;
use super::function_table::{self, Entry, Returns};
use super::operator::is_time;
use super::translator::{Translator, quote_text};
use super::typed::{Kind, Typed, double_of, text_type, unify};
use crate::sql::account::{Privileges, Subject};
use crate::sql::catalog::Collation;
use crate::sql::column_type::{ColumnType, TextKind};
use crate::sql::decimal::MAX_SCALE;
use crate::sql::error::Error;
use crate::sql::parameter::{Literal, Wanted};
use crate::sql::plan::ResultType;
use sqlparser::ast::{BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

/// The arguments of a call that has only plain ones.
pub fn plain_arguments(function: &Function) -> Result<Vec<&Expr>, Error> {
    let refused = || Error::unsupported(format!("{}() with these arguments", function.name));
    match &function.args {
        FunctionArguments::None => Ok(vec![]),
        FunctionArguments::Subquery(_) => Err(refused()),
        FunctionArguments::List(list) => {
            if list.duplicate_treatment.is_some() || !list.clauses.is_empty() {
                return Err(refused());
            }
            let arguments = list.args.iter().map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => Ok(e),
                _ => Err(refused()),
            });
            arguments.collect()
        }
    }
}

impl Translator<'_> {
    /// Any function call.
    pub fn call(&mut self, function: &Function) -> Result<Typed, Error> {
        if let [database, name] = super::from::name_parts(&function.name)?.as_slice() {
            let missing = || Error::no_such_function(format!("{database}.{name}"));
            let database = self.find_database(database).map_err(|_| missing())?.clone();
            let arguments = plain_arguments(function)?;
            return self.function_of(&database, name, &arguments)?.ok_or_else(missing);
        }
        let name = function.name.to_string().trim_matches('`').to_ascii_uppercase();
        if function.filter.is_some() || !function.within_group.is_empty() {
            return Err(Error::unsupported(format!("FILTER or WITHIN GROUP of {name}()")));
        }
        if function.over.is_some() {
            return self.window_call(&name, function);
        }
        if let Some(value) = self.aggregate_call(&name, function, false)? {
            return Ok(value);
        }
        let arguments = plain_arguments(function)?;
        if let Some(value) = self.session_call(&name, &arguments)? {
            return Ok(value);
        }
        if let Some(value) = self.temporal_call(&name, &arguments)? {
            return Ok(value);
        }
        if let Some(value) = self.json_call(&name, &arguments)? {
            return Ok(value);
        }
        if let Some(value) = self.special_call(&name, &arguments)? {
            return Ok(value);
        }
        if name == "LOAD_FILE" {
            self.need(Subject::Server, Privileges::FILE);
        }
        let entry = match function_table::find(&name, arguments.len()) {
            Ok(Some(entry)) => entry,
            Ok(None) => {
                let stored = self.stored_function(&name, &arguments)?;
                return stored.ok_or_else(|| self.unknown_function(&name));
            }
            Err(()) => return Err(Error::parameter_count(&name)),
        };
        let mut values = Vec::with_capacity(arguments.len());
        for (place, argument) in arguments.into_iter().enumerate() {
            values.push(match (entry.takes_number(place), Self::hex_number(argument)) {
                (true, Some(number)) => number,
                (true, None) => {
                    let value = self.expression(argument)?;
                    self.temporal_as_number(value)
                }
                (false, _) => self.expression(argument)?,
            });
        }
        if entry.takes_date() {
            values.iter_mut().filter(|v| is_time(v)).for_each(|v| *v = of_today(v));
        }
        fill(entry, &values)
    }

    fn unknown_function(&self, name: &str) -> Error {
        let refused = [
            "BENCHMARK",
            "GET_LOCK",
            "MASTER_POS_WAIT",
            "JSON_TABLE",
            "JSON_SCHEMA_VALID",
            "EXTRACTVALUE",
            "UPDATEXML",
        ];
        if refused.contains(&name) || name.starts_with("ST_") || name.starts_with('#') {
            return Error::unsupported(format!("{name}()"));
        }
        if name == "ROW" {
            return Error::operand_columns(1);
        }
        match self.context.database {
            Some(database) => Error::no_such_function(format!("{database}.{name}")),
            None => Error::no_such_function(name),
        }
    }

    /// What only the session knows.
    fn session_call(&mut self, name: &str, arguments: &[&Expr]) -> Result<Option<Typed>, Error> {
        let text = |length| ColumnType::Text { kind: TextKind::VarChar, length, collation: Default::default() };
        let (wanted, ty) = match (name, arguments.len()) {
            ("DATABASE" | "SCHEMA", 0) => (Wanted::Database, text(64)),
            ("USER" | "SYSTEM_USER" | "SESSION_USER", 0) => (Wanted::ClientUser, text(288)),
            ("CURRENT_USER", 0) => (Wanted::CurrentUser, text(288)),
            ("VERSION", 0) => (Wanted::Version, text(60)),
            ("CONNECTION_ID", 0) => (Wanted::ConnectionId, ColumnType::bigint_unsigned()),
            ("LAST_INSERT_ID", 0) => (Wanted::LastInsertId, ColumnType::bigint_unsigned()),
            ("ROW_COUNT", 0) => (Wanted::RowCount, ColumnType::bigint()),
            ("FOUND_ROWS", 0) => (Wanted::FoundRows, ColumnType::bigint()),
            ("LAST_INSERT_ID", 1) => {
                let value = self.expression(arguments[0])?;
                let sql = format!("marmot_last_insert_id({})", value.sql);
                return Ok(Some(Typed::new(sql, ColumnType::bigint_unsigned())));
            }
            ("DATABASE" | "USER" | "VERSION" | "CONNECTION_ID" | "ROW_COUNT" | "FOUND_ROWS" | "LAST_INSERT_ID", _) => {
                return Err(Error::parameter_count(name));
            }
            _ => return Ok(None),
        };
        Ok(Some(self.wanted(wanted, Some(ty))))
    }

    /// Functions whose call or type depends on more than a template says.
    fn special_call(&mut self, name: &str, arguments: &[&Expr]) -> Result<Option<Typed>, Error> {
        let count = |least: usize, most: usize| {
            if (least..=most).contains(&arguments.len()) { Ok(()) } else { Err(Error::parameter_count(name)) }
        };
        Ok(Some(match name {
            "#MATCH" => self.match_against(arguments)?,
            "IF" => {
                count(3, 3)?;
                let condition = self.condition(arguments[0])?;
                let (then, otherwise) = (self.expression(arguments[1])?, self.expression(arguments[2])?);
                let ty = unify(&then.ty, &otherwise.ty);
                let (then, otherwise) = (then.as_part_of(&ty), otherwise.as_part_of(&ty));
                let sql = format!("(CASE WHEN {condition} THEN {then} ELSE {otherwise} END)");
                Typed { ty, ..Typed::dynamic(sql) }
            }
            "NVL2" => {
                count(3, 3)?;
                let test = self.expression(arguments[0])?;
                let (then, otherwise) = (self.expression(arguments[1])?, self.expression(arguments[2])?);
                let ty = unify(&then.ty, &otherwise.ty);
                let (then, otherwise) = (then.as_part_of(&ty), otherwise.as_part_of(&ty));
                let sql = format!("(CASE WHEN {} IS NOT NULL THEN {then} ELSE {otherwise} END)", test.sql);
                Typed { ty, ..Typed::dynamic(sql) }
            }
            "IFNULL" | "NVL" | "COALESCE" => {
                if name == "COALESCE" {
                    count(1, usize::MAX)?
                } else {
                    count(2, 2)?
                }
                let values = self.each(arguments)?;
                let ty = values.iter().fold(ResultType::Null, |ty, v| unify(&ty, &v.ty));
                let nullable = values.iter().all(|v| v.nullable);
                let sql = match values.as_slice() {
                    [only] => only.sql.clone(),
                    many => {
                        let parts: Vec<String> = many.iter().map(|v| v.as_part_of(&ty)).collect();
                        format!("coalesce({})", parts.join(", "))
                    }
                };
                Typed { ty, nullable, ..Typed::dynamic(sql) }
            }
            "NULLIF" => {
                count(2, 2)?;
                let (first, mut second) = (self.expression(arguments[0])?, self.expression(arguments[1])?);
                // A literal may be compared as something else than what it is.
                let mut compared =
                    if first.parameter.is_some() { self.expression(arguments[0])? } else { first.clone() };
                let (l, r) = self.comparable(&mut compared, &mut second);
                let sql = format!("(CASE WHEN {l} = {r} THEN NULL ELSE {} END)", first.sql);
                let ty = match first.known() {
                    Some(ColumnType::Enum { collation, .. } | ColumnType::Set { collation, .. }) => {
                        ResultType::Known(Self::text_of(collation.name()))
                    }
                    _ => first.ty.clone(),
                };
                Typed { nullable: true, ty, ..first.with_sql(sql) }
            }
            "GREATEST" | "LEAST" => {
                count(2, usize::MAX)?;
                let values = self.each(arguments)?;
                let ty = values.iter().fold(ResultType::Null, |ty, v| unify(&ty, &v.ty));
                let ty = dates_among_numbers(&values).map_or(ty, ResultType::Known);
                if values.iter().all(is_time) {
                    let times: Vec<String> = values.iter().map(|v| format!("marmot_time_micros({})", v.sql)).collect();
                    let function = if name == "LEAST" { "min" } else { "max" };
                    let fsp = values.iter().map(Typed::fsp).max().unwrap_or(0);
                    let sql = format!("marmot_time_of_micros({function}({}), {fsp})", times.join(", "));
                    return Ok(Some(Typed { ty, ..Typed::dynamic(sql) }));
                }
                let all: Vec<&Typed> = values.iter().collect();
                let exact = match collation::common(&all, name)? {
                    Some((common, _)) => !common.ignores_case(),
                    None => values.iter().any(|v| v.kind() == Kind::Binary),
                };
                let exact = if exact { "_exact" } else { "" };
                let as_date = matches!(ty, ResultType::Known(ColumnType::Date));
                let parts = values.iter().map(|v| match v.kind() {
                    Kind::Number if as_date => format!("marmot_cast_date({})", v.sql),
                    Kind::Number if matches!(ty, ResultType::Known(ColumnType::DateTime(_))) => {
                        format!("marmot_cast_datetime({}, 0)", v.sql)
                    }
                    _ => v.as_part_of(&ty),
                });
                let parts: Vec<String> = parts.collect();
                let sql = format!("marmot_{}{exact}({})", name.to_lowercase(), parts.join(", "));
                Typed { ty, ..Typed::dynamic(sql) }
            }
            "ROUND" | "TRUNCATE" => {
                count(if name == "ROUND" { 1 } else { 2 }, 2)?;
                self.round(name, arguments)?
            }
            "LOCATE" => {
                count(2, 3)?;
                let values = self.each(arguments)?;
                self.locate(&values[0], &values[1], values.get(2))
            }
            "INSTR" => {
                count(2, 2)?;
                let values = self.each(arguments)?;
                self.locate(&values[1], &values[0], None)
            }
            "CHARSET" | "COLLATION" => {
                count(1, 1)?;
                let value = self.expression(arguments[0])?;
                let collation = value.known().and_then(ColumnType::collation).cloned();
                let text = match (&collation, value.kind()) {
                    (Some(c), _) => {
                        if name == "CHARSET" {
                            c.charset()
                        } else {
                            c.name()
                        }
                    }
                    (None, Kind::Open) if value.parameter.is_some() => {
                        if name == "CHARSET" {
                            "utf8mb4"
                        } else {
                            crate::sql::catalog::Collation::DEFAULT
                        }
                    }
                    _ => "binary",
                };
                self.forget(&value);
                Typed::new(quote_text(text), text_type())
            }
            "CEIL" | "CEILING" | "FLOOR" => {
                count(1, 1)?;
                self.whole_number(if name == "FLOOR" { "marmot_floor" } else { "marmot_ceil" }, arguments[0])?
            }
            "MOD" => {
                count(2, 2)?;
                self.arithmetic(arguments[0], &BinaryOperator::Modulo, arguments[1])?
            }
            "GROUPING" => {
                count(1, 64)?;
                self.grouping(arguments)?
            }
            "COERCIBILITY" => {
                count(1, 1)?;
                let level = self.coercibility(arguments[0])?;
                Typed { nullable: false, ..Typed::new(level.to_string(), ColumnType::bigint()) }
            }
            "RAND" if arguments.len() == 1 => {
                let seed = self.expression(arguments[0])?;
                let constant = seed.parameter.is_some();
                let place = if constant { format!(", {}", self.parameters.len()) } else { String::new() };
                let sql = format!("marmot_rand({}{place})", self.numeric_operand(&seed));
                Typed::new(sql, ColumnType::double())
            }
            "NAME_CONST" => {
                count(2, 2)?;
                if self.constant_text(arguments[0]).is_none() {
                    return Err(Error::wrong_arguments(name));
                }
                self.expression(arguments[1])?
            }
            "FIELD" if arguments.len() > 1 => {
                let values = self.each(arguments)?;
                let exact = values.iter().any(|v| v.ignores_case() == Some(false))
                    && values.iter().all(|v| matches!(v.kind(), Kind::Text | Kind::Binary | Kind::Open));
                let function = if exact { "marmot_field_exact" } else { "marmot_field" };
                Typed::new(format!("{function}({})", join(&values)), ColumnType::bigint())
            }
            "STRCMP" | "FIND_IN_SET" => {
                count(2, 2)?;
                let values = self.each(arguments)?;
                let exact = u8::from(values.iter().any(|v| v.ignores_case() == Some(false)));
                let (x, y) = (values[0].text_operand(), values[1].text_operand());
                let rules = self.rules();
                let how = match super::operator::agreed_collation(&values[0], &values[1], rules) {
                    "NOCASE" | "BINARY" => exact.to_string(),
                    _ if name == "FIND_IN_SET" => exact.to_string(),
                    collation => quote_text(collation),
                };
                let sql = format!("marmot_{}({x}, {y}, {how})", name.to_lowercase());
                Typed::new(sql, ColumnType::bigint())
            }
            "WEIGHT_STRING" => {
                count(1, 1)?;
                let value = self.expression(arguments[0])?;
                let collation = match &value.ty {
                    ResultType::Known(ty) => ty.collation().cloned().unwrap_or_default(),
                    ResultType::Dynamic | ResultType::Null => Collation::default(),
                };
                let sql = format!("marmot_weight_string({}, {})", value.text_operand(), quote_text(collation.name()));
                Typed::new(sql, ColumnType::varbinary(65_535))
            }
            "VALUES" => {
                count(1, 1)?;
                self.inserted_value(arguments[0])?
            }
            "DEFAULT" => {
                count(1, 1)?;
                self.default_of(arguments[0])?
            }
            "#BINARY" => {
                let value = self.expression(arguments[0])?;
                let sql = format!("CAST({} AS BLOB)", value.sql);
                Typed::new(sql, ColumnType::varbinary(65_535))
            }
            "#CAST" => self.cast(arguments)?,
            "#INTRODUCED" => {
                let charset = self.constant_text(arguments[0]).unwrap_or_default();
                self.introduced(&charset, arguments[1])?
            }
            _ => return Ok(None),
        }))
    }

    /// A string constant and the character set that its bytes are in.
    ///
    /// # Errors
    /// 1115 for a character set that there is not, 1235 for one that Marmot does not have, 1300 for bytes that are none
    /// of its text.
    fn introduced(&mut self, charset: &str, literal: &Expr) -> Result<Typed, Error> {
        let collation = Collation::default_of(charset).ok_or_else(|| Error::unknown_charset(charset))?;
        let bytes = match literal {
            Expr::Value(value) => match &value.value {
                sqlparser::ast::Value::Placeholder(text) => super::translator::placeholder_bytes(text).map(|(b, _)| b),
                _ => None,
            },
            _ => None,
        };
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => match self.constant_text(literal) {
                // The same in all of them but those that have no ASCII.
                Some(text) if !text.is_ascii() && !["ascii", "binary"].contains(&charset) => text.into_bytes(),
                Some(text) if ["ucs2", "utf16", "utf16le", "utf32"].contains(&charset) => text.into_bytes(),
                _ => {
                    let value = self.expression(literal)?;
                    return Ok(Typed { ty: ResultType::Known(Self::text_of(collation.name())), ..value });
                }
            },
        };
        let text = crate::sql::encoding::introduced(charset, &bytes)
            .ok_or_else(|| Error::unsupported(format!("_{charset} literals")))?
            .ok_or_else(|| Error::invalid_characters(charset, crate::sql::tokens::hex(&bytes)))?;
        Ok(Typed { nullable: false, ..Typed::new(quote_text(&text), Self::text_of(collation.name())) })
    }

    fn each(&mut self, arguments: &[&Expr]) -> Result<Vec<Typed>, Error> {
        arguments.iter().map(|a| self.expression(a)).collect()
    }

    /// A parameter that was translated only for its type, if it was the last one.
    fn forget(&mut self, value: &Typed) {
        if value.parameter == Some(self.parameters.len().wrapping_sub(1)) {
            self.parameters.pop();
        }
    }

    /// A date or time in numeric context; anything else as it is.
    fn temporal_as_number(&mut self, value: Typed) -> Typed {
        if value.kind() != Kind::Temporal {
            return value;
        }
        let ty = match value.fsp() {
            0 => ColumnType::bigint(),
            fsp => ColumnType::decimal(14 + fsp, fsp),
        };
        Typed { ty: ResultType::Known(ty), ..value.with_sql(self.numeric_operand(&value)) }
    }

    fn round(&mut self, name: &str, arguments: &[&Expr]) -> Result<Typed, Error> {
        let value = self.expression(arguments[0])?;
        let value = self.temporal_as_number(value);
        let wanted = arguments.get(1).map(|d| match d {
            // Rounding to tens leaves no decimals.
            Expr::UnaryOp { op: sqlparser::ast::UnaryOperator::Minus, expr } => {
                self.constant(expr).map(|_| Literal::Int(0))
            }
            d => self.constant(d),
        });
        let decimals = match arguments.get(1) {
            Some(d) => self.expression(d)?.sql,
            None => "0".to_string(),
        };
        // A DOUBLE has no fixed number of decimals beyond this.
        let few = !matches!(wanted, Some(Some(Literal::Int(31..)) | Some(Literal::Decimal(_))));
        let scale = match wanted {
            None => Some(0),
            Some(Some(Literal::Int(n))) => Some(n.clamp(0, i64::from(MAX_SCALE)) as u8),
            Some(_) => None,
        };
        let ty = match (value.known(), scale) {
            (Some(ty), _) if ty.is_integer() && ty.is_unsigned() => ResultType::Known(ColumnType::bigint_unsigned()),
            (Some(ty), _) if ty.is_integer() => ResultType::Known(ColumnType::bigint()),
            (Some(ColumnType::Decimal { .. }), Some(scale)) => ResultType::Known(ColumnType::decimal(65, scale)),
            (Some(ColumnType::Decimal { .. }), None) => value.ty.clone(),
            (None, _) => value.ty.clone(),
            (Some(_), Some(scale)) if few => ResultType::Known(double_of(scale)),
            (Some(_), _) => ResultType::Known(ColumnType::double()),
        };
        let function = match (name, value.known()) {
            ("ROUND", Some(ColumnType::Float { .. } | ColumnType::Text { .. })) => "marmot_round_double",
            ("ROUND", _) => "marmot_round",
            _ => "marmot_truncate",
        };
        Ok(Typed { ty, ..Typed::dynamic(format!("{function}({}, {decimals})", value.sql)) })
    }

    /// LOCATE, INSTR, POSITION: by case where one of the strings is binary or `_bin`.
    pub fn locate(&mut self, needle: &Typed, haystack: &Typed, from: Option<&Typed>) -> Typed {
        let exact = needle.ignores_case() == Some(false) || haystack.ignores_case() == Some(false);
        let function = if exact { "marmot_locate" } else { "marmot_locate_ci" };
        let from = from.map(|f| format!(", {}", f.sql)).unwrap_or_default();
        Typed::new(format!("{function}({}, {}{from})", needle.sql, haystack.sql), ColumnType::bigint())
    }

    /// `VALUES(column)` in ON DUPLICATE KEY UPDATE.
    fn inserted_value(&mut self, argument: &Expr) -> Result<Typed, Error> {
        let name = match argument {
            Expr::Identifier(name) => &name.value,
            Expr::CompoundIdentifier(path) => match path.last() {
                Some(name) => &name.value,
                None => return Err(Error::wrong_arguments("VALUES")),
            },
            _ => return Err(Error::wrong_arguments("VALUES")),
        };
        match &self.inserted {
            Some(source) => match source.column(name) {
                Some(column) => Ok(source.reference(column)),
                None => Err(Error::unknown_column(name, "field list")),
            },
            // Outside of INSERT ... ON DUPLICATE KEY UPDATE it is NULL.
            None => Ok(Typed::null()),
        }
    }

    /// `DEFAULT(column)`.
    fn default_of(&mut self, argument: &Expr) -> Result<Typed, Error> {
        // Where a row is put together its columns are not those of a table that is read.
        if let (Expr::Identifier(name), Some(table)) = (argument, &self.target)
            && self.scopes.last().is_some_and(|s| s.sources.iter().all(|s| s.database.is_none()))
            && let Some((_, column)) = table.column(&name.value)
        {
            let column = column.clone();
            return self.default_value(&column)?.ok_or_else(|| Error::no_default(&column.name));
        }
        let value = self.expression(argument)?;
        let Some(origin) = value.origin.clone() else { return Err(Error::wrong_arguments("DEFAULT")) };
        let table = self.context.catalog.table(&origin.database, &origin.table);
        match table.and_then(|t| t.column(&origin.column)) {
            Some((_, column)) => {
                let column = column.clone();
                let default = self.default_value(&column)?;
                default.ok_or_else(|| Error::no_default(&column.name))
            }
            None => Err(Error::wrong_arguments("DEFAULT")),
        }
    }

    /// `#cast(value, 'TYPE')`.
    fn cast(&mut self, arguments: &[&Expr]) -> Result<Typed, Error> {
        let [value, target] = arguments else { return Err(Error::parameter_count("CAST")) };
        let Some(target) = self.constant_text(target) else { return Err(Error::wrong_arguments("CAST")) };
        let value = match Self::hex_number(value) {
            Some(number) if !target.starts_with("CHAR") && !target.starts_with("BINARY") => number,
            _ => self.expression(value)?,
        };
        let words: Vec<&str> = target.split(' ').collect();
        let numbers: Vec<i64> = words.iter().filter_map(|w| w.trim_end_matches('L').parse().ok()).collect();
        let v = self.numeric_cast_operand(&value, words.first().copied().unwrap_or(""));
        let fsp = numbers.first().copied().unwrap_or(0).clamp(0, 6) as u8;
        let length = numbers.first().copied().unwrap_or(-1);
        Ok(match words.as_slice() {
            ["SIGNED" | "INT" | "INTEGER", ..] => Typed::new(format!("marmot_cast_signed({v})"), ColumnType::bigint()),
            ["UNSIGNED", ..] => Typed::new(format!("marmot_cast_unsigned({v})"), ColumnType::bigint_unsigned()),
            ["DECIMAL" | "DEC" | "NUMERIC", ..] => {
                let (precision, scale) = (numbers.first().copied().unwrap_or(10), numbers.get(1).copied().unwrap_or(0));
                if precision > 65 {
                    return Err(Error::too_big_precision(precision, "CAST", 65));
                }
                if scale > i64::from(MAX_SCALE) {
                    return Err(Error::too_big_scale(scale, "CAST", MAX_SCALE));
                }
                if scale > precision.max(1) && numbers.len() > 1 {
                    return Err(Error::scale_above_precision(""));
                }
                let ty = ColumnType::decimal(precision.max(1) as u8, scale as u8);
                Typed::new(format!("marmot_cast_decimal({v}, {precision}, {scale})"), ty)
            }
            ["DOUBLE" | "FLOAT" | "REAL", ..] => Typed::new(format!("marmot_cast_double({v})"), ColumnType::double()),
            ["CHAR" | "CHARACTER" | "NCHAR" | "NATIONAL", ..] => {
                let ty = ColumnType::Text {
                    kind: TextKind::VarChar,
                    length: if length >= 0 { length.min(16_383) as u32 } else { 16_383 },
                    collation: if words.contains(&"BINARY") { Self::bin_collation() } else { Default::default() },
                };
                Typed::new(format!("marmot_cast_char({}, {length})", value.text_operand()), ty)
            }
            ["BINARY", ..] => {
                let bytes = if length >= 0 { length.min(65_535) as u32 } else { 65_535 };
                Typed::new(
                    format!("marmot_cast_binary({}, {length})", value.text_operand()),
                    ColumnType::varbinary(bytes),
                )
            }
            ["DATE"] if is_time(&value) => {
                Typed::new(format!("substr(marmot_time_today({}, 0), 1, 10)", value.sql), ColumnType::Date)
            }
            ["DATETIME", ..] if is_time(&value) => {
                Typed::new(format!("marmot_time_today({}, {fsp})", value.sql), ColumnType::DateTime(fsp))
            }
            ["DATE"] if value.kind() == Kind::Temporal => {
                Typed::new(format!("marmot_date({})", value.sql), ColumnType::Date)
            }
            ["DATE"] => Typed::new(format!("marmot_cast_date({})", value.sql), ColumnType::Date),
            ["DATETIME", ..] => {
                Typed::new(format!("marmot_cast_datetime({}, {fsp})", value.sql), ColumnType::DateTime(fsp))
            }
            ["TIME", ..] => Typed::new(format!("marmot_cast_time({}, {fsp})", value.sql), ColumnType::Time(fsp)),
            ["YEAR"] => Typed::new(format!("marmot_cast_year({})", value.sql), ColumnType::Year),
            ["JSON"] => match value.kind() {
                Kind::Json | Kind::Text | Kind::Open => {
                    Typed::new(format!("marmot_json({})", value.sql), ColumnType::Json)
                }
                _ => Typed::new(format!("CAST({} AS TEXT)", value.sql), ColumnType::Json),
            },
            _ => return Err(Error::unsupported(format!("CAST(... AS {target})"))),
        })
    }

    fn bin_collation() -> crate::sql::catalog::Collation {
        crate::sql::catalog::Collation::new("utf8mb4_bin").unwrap_or_default()
    }

    /// Temporal values become numbers before they are cast to one.
    fn numeric_cast_operand(&mut self, value: &Typed, target: &str) -> String {
        let numeric = matches!(target, "SIGNED" | "INT" | "INTEGER" | "UNSIGNED" | "DECIMAL" | "DOUBLE" | "FLOAT");
        match value.known() {
            Some(ty) if numeric && ty.is_temporal() => format!("marmot_temporal_number({})", value.sql),
            Some(ColumnType::Enum { .. } | ColumnType::Set { .. }) if numeric => self.numeric_operand(value),
            _ => value.sql.clone(),
        }
    }
}

/// What GREATEST and LEAST of dates and numbers are: the numbers are dates too. `None` for others.
fn dates_among_numbers(values: &[Typed]) -> Option<ColumnType> {
    let dated = |v: &&Typed| v.kind() == Kind::Temporal && !is_time(v);
    if !values.iter().all(|v| v.kind() == Kind::Number || dated(&v)) || values.iter().all(|v| v.kind() == Kind::Number)
    {
        return None;
    }
    let dates = values.iter().filter(dated).fold(ResultType::Null, |ty, v| unify(&ty, &v.ty));
    match dates {
        ResultType::Known(ColumnType::Timestamp(fsp)) => Some(ColumnType::DateTime(fsp)),
        ResultType::Known(ty) => Some(ty),
        _ => None,
    }
}

/// A TIME as the DATETIME it is today.
pub fn of_today(time: &Typed) -> Typed {
    let fsp = time.fsp();
    let ty = ResultType::Known(ColumnType::DateTime(fsp));
    Typed { ty, ..time.with_sql(format!("marmot_time_today({}, {fsp})", time.sql)) }
}

/// The text of arguments between commas.
pub fn join(values: &[Typed]) -> String {
    values.iter().map(|v| v.sql.as_str()).collect::<Vec<_>>().join(", ")
}

/// The fraction digits of a time: those of the seconds that it is made of.
fn seconds(entry: &Entry, values: &[Typed]) -> u8 {
    let place = if entry.name == "MAKETIME" { 2 } else { 0 };
    values.get(place).map_or(0, Typed::fsp)
}

fn fill(entry: &Entry, values: &[Typed]) -> Result<Typed, Error> {
    let arguments: Vec<String> = match entry.takes_text() {
        true => values.iter().map(Typed::text_operand).collect(),
        false => values.iter().map(|v| v.sql.clone()).collect(),
    };
    // Arguments are put in from the template's own text only: an argument may contain braces.
    let mut sql = String::new();
    let mut rest = entry.call;
    while let Some((before, after)) = rest.split_once('{') {
        let (index, after) = after.split_once('}').unwrap_or((after, ""));
        sql.push_str(before);
        match index.parse::<usize>() {
            Ok(i) => sql.push_str(arguments.get(i).map_or("NULL", String::as_str)),
            Err(_) => sql.push_str(&arguments.join(", ")),
        }
        rest = after;
    }
    sql.push_str(rest);
    let first = values.first();
    let operands: Vec<&Typed> = values.iter().collect();
    let common = match entry.takes_text() {
        true => collation::common(&operands, entry.name)?,
        false => None,
    };
    let returns = match entry.returns {
        Returns::Int => ColumnType::bigint(),
        Returns::Unsigned => ColumnType::bigint_unsigned(),
        Returns::Double => ColumnType::double(),
        Returns::SixDecimals => ColumnType::double_with(6),
        Returns::Boolean => return Ok(Typed::boolean(sql)),
        Returns::Text if entry.carries_bytes() && values.iter().any(|v| v.kind() == Kind::Binary) => {
            ColumnType::varbinary(65_535)
        }
        Returns::Text => match &common {
            Some((common, _)) => collation::with_collation(text_type(), common),
            None => text_type(),
        },
        Returns::Blob => ColumnType::varbinary(65_535),
        Returns::Date => ColumnType::Date,
        Returns::Time => {
            let fsp = seconds(entry, values);
            if fsp > 0 {
                sql = format!("marmot_time({sql}, {fsp})");
            }
            ColumnType::Time(fsp)
        }
        Returns::DateTime => match first.and_then(Typed::known) {
            Some(ColumnType::Time(fsp)) => ColumnType::Time(*fsp),
            Some(ColumnType::Text { .. }) | None => text_type(),
            _ => {
                let fsp = first.map_or(0, Typed::fsp);
                if entry.name == "FROM_UNIXTIME" && fsp > 0 {
                    sql = format!("marmot_datetime({sql}, {fsp})");
                }
                ColumnType::DateTime(fsp)
            }
        },
        Returns::Json => ColumnType::Json,
        Returns::String => first.map_or_else(text_type, super::expression::string_like),
        Returns::Number => {
            let ty = first.map_or(ResultType::Dynamic, |v| match v.kind() {
                Kind::Text | Kind::Binary if entry.name != "ANY_VALUE" => ResultType::Known(ColumnType::double()),
                _ => v.ty.clone(),
            });
            return Ok(Typed { ty, ..Typed::dynamic(sql) });
        }
    };
    let text = Typed::new(sql, returns);
    let temporal = entry.returns == Returns::DateTime;
    Ok(match common {
        Some((_, strength)) => Typed { strength, temporal, ..text },
        None => Typed { temporal, ..text },
    })
}
