//! Functions of dates and times whose type or arguments need care.

use super::function::plain_arguments;
use super::operator::is_time;
use super::translator::{Translator, quote_text};
use super::typed::{Kind, Typed, text_type};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::functions::pattern_parts;
use crate::sql::interval::Unit;
use crate::sql::parameter::{Literal, Wanted};
use sqlparser::ast::Expr;

/// The quantity and unit of `INTERVAL quantity unit`.
pub fn interval(expression: &Expr) -> Option<(&Expr, Unit)> {
    let Expr::Function(function) = expression else { return None };
    if function.name.to_string() != "#interval" && function.name.to_string() != "`#interval`" {
        return None;
    }
    let arguments = plain_arguments(function).ok()?;
    let [quantity, Expr::Value(unit)] = arguments.as_slice() else { return None };
    match &unit.value {
        sqlparser::ast::Value::SingleQuotedString(name) => Some((quantity, Unit::parse(name)?)),
        _ => None,
    }
}

/// A unit written as a bare word: TIMESTAMPDIFF(MONTH, a, b).
fn unit_name(expression: &Expr) -> Option<Unit> {
    match expression {
        Expr::Identifier(name) => Unit::parse(&name.value),
        _ => None,
    }
}

impl Translator<'_> {
    pub(super) fn temporal_call(&mut self, name: &str, arguments: &[&Expr]) -> Result<Option<Typed>, Error> {
        let count = arguments.len();
        let check = |least: usize, most: usize| {
            if (least..=most).contains(&count) { Ok(()) } else { Err(Error::parameter_count(name)) }
        };
        Ok(Some(match name {
            "NOW" | "CURRENT_TIMESTAMP" | "LOCALTIME" | "LOCALTIMESTAMP" | "SYSDATE" => {
                check(0, 1)?;
                let fsp = self.fsp_argument(arguments)?;
                self.wanted(Wanted::Now(fsp), Some(ColumnType::DateTime(fsp)))
            }
            "UTC_TIMESTAMP" => {
                check(0, 1)?;
                let fsp = self.fsp_argument(arguments)?;
                self.wanted(Wanted::UtcNow(fsp), Some(ColumnType::DateTime(fsp)))
            }
            "CURDATE" | "CURRENT_DATE" | "UTC_DATE" => {
                check(0, 0)?;
                let wanted = if name == "UTC_DATE" { Wanted::UtcNow(0) } else { Wanted::Now(0) };
                let now = self.wanted(wanted, None);
                Typed::new(format!("substr({}, 1, 10)", now.sql), ColumnType::Date)
            }
            "CURTIME" | "CURRENT_TIME" | "UTC_TIME" => {
                check(0, 1)?;
                let fsp = self.fsp_argument(arguments)?;
                let wanted = if name == "UTC_TIME" { Wanted::UtcNow(fsp) } else { Wanted::Now(fsp) };
                let now = self.wanted(wanted, None);
                Typed::new(format!("substr({}, 12)", now.sql), ColumnType::Time(fsp))
            }
            "DATE_ADD" | "DATE_SUB" | "ADDDATE" | "SUBDATE" => {
                check(2, 2)?;
                let minus = matches!(name, "DATE_SUB" | "SUBDATE");
                match interval(arguments[1]) {
                    Some((quantity, unit)) => self.date_arithmetic(arguments[0], quantity, unit, minus)?,
                    None if matches!(name, "ADDDATE" | "SUBDATE") => {
                        self.date_arithmetic(arguments[0], arguments[1], Unit::Day, minus)?
                    }
                    None => return Err(Error::wrong_arguments(name)),
                }
            }
            "TIMESTAMPADD" => {
                check(3, 3)?;
                let Some(unit) = unit_name(arguments[0]) else { return Err(Error::wrong_arguments(name)) };
                self.date_arithmetic(arguments[2], arguments[1], unit, false)?
            }
            "TIMESTAMPDIFF" => {
                check(3, 3)?;
                let Some(unit) = unit_name(arguments[0]) else { return Err(Error::wrong_arguments(name)) };
                let (from, to) = (self.expression(arguments[1])?, self.expression(arguments[2])?);
                let sql = format!("marmot_timestampdiff('{}', {}, {})", unit.name(), from.sql, to.sql);
                Typed::new(sql, ColumnType::bigint())
            }
            "TIMEDIFF" => {
                check(2, 2)?;
                let (x, y) = (self.expression(arguments[0])?, self.expression(arguments[1])?);
                let fsp = self.visible_fsp(&x).max(self.visible_fsp(&y));
                Typed::new(format!("marmot_time(marmot_timediff({}, {}), {fsp})", x.sql, y.sql), ColumnType::Time(fsp))
            }
            "#EXTRACT" => {
                let unit = self.constant_text(arguments[1]).and_then(|u| Unit::parse(&u));
                let Some(unit) = unit else { return Err(Error::wrong_arguments("EXTRACT")) };
                let value = self.expression(arguments[0])?;
                Typed::new(format!("marmot_extract({}, '{}')", value.sql, unit.name()), ColumnType::bigint())
            }
            "GET_FORMAT" => {
                check(2, 2)?;
                let kind = match arguments[0] {
                    Expr::Identifier(kind) => kind.value.to_ascii_uppercase(),
                    _ => return Err(Error::wrong_arguments(name)),
                };
                if !matches!(kind.as_str(), "DATE" | "TIME" | "DATETIME" | "TIMESTAMP") {
                    return Err(Error::wrong_arguments(name));
                }
                let standard = self.expression(arguments[1])?;
                Typed::new(format!("marmot_get_format('{kind}', {})", standard.sql), text_type())
            }
            "#INTERVAL" => return Err(Error::wrong_usage("INTERVAL", "this expression")),
            "#DATE" | "#TIME" | "#TIMESTAMP" => self.typed_literal(name, arguments[0])?,
            "TIME" => {
                check(1, 1)?;
                let value = self.expression(arguments[0])?;
                let fsp = self.visible_fsp(&value);
                Typed::new(format!("marmot_time({}, {fsp})", value.sql), ColumnType::Time(fsp))
            }
            "TIMESTAMP" => {
                check(1, 2)?;
                let value = self.expression(arguments[0])?;
                let value = if is_time(&value) { super::function::of_today(&value) } else { value };
                let fsp = self.visible_fsp(&value);
                let mut sql = format!("marmot_datetime({}, {fsp})", value.sql);
                if let Some(time) = arguments.get(1) {
                    sql = format!("marmot_addtime({sql}, {}, 1)", self.expression(time)?.sql);
                }
                Typed::new(sql, ColumnType::DateTime(fsp))
            }
            "UNIX_TIMESTAMP" => {
                check(0, 1)?;
                match arguments.first() {
                    None => {
                        let now = self.wanted(Wanted::Now(0), None);
                        Typed::new(format!("marmot_unix_timestamp({})", now.sql), ColumnType::bigint())
                    }
                    Some(value) => {
                        let value = self.expression(value)?;
                        let value = if is_time(&value) { super::function::of_today(&value) } else { value };
                        let fsp = self.visible_fsp(&value);
                        let ty = if fsp == 0 { ColumnType::bigint() } else { ColumnType::decimal(20, fsp) };
                        Typed::new(format!("marmot_unix_timestamp({})", value.sql), ty)
                    }
                }
            }
            "STR_TO_DATE" => {
                check(2, 2)?;
                let pattern = self.constant_text(arguments[1]);
                let (source, format) = (self.expression(arguments[0])?, self.expression(arguments[1])?);
                let ty = match pattern.map(|p| pattern_parts(&p)) {
                    Some((true, false, _)) => ColumnType::Date,
                    Some((false, true, fraction)) => ColumnType::Time(if fraction { 6 } else { 0 }),
                    Some((_, _, fraction)) => ColumnType::DateTime(if fraction { 6 } else { 0 }),
                    None => ColumnType::DateTime(0),
                };
                Typed::new(format!("marmot_str_to_date({}, {})", source.sql, format.sql), ty)
            }
            _ => return Ok(None),
        }))
    }

    /// The fraction digits that a function keeps of a value: text may have any.
    fn visible_fsp(&mut self, value: &Typed) -> u8 {
        match value.kind() {
            Kind::Temporal => value.fsp(),
            Kind::Text => match self.literal_of(value) {
                Some(Literal::Text(text)) => {
                    let digits = text.rsplit_once('.').map_or(0, |(_, d)| d.len().min(6)) as u8;
                    if let Some(crate::sql::parameter::Source::Literal { index, .. }) =
                        value.parameter.and_then(|p| self.parameters.get(p)).map(|p| p.source.clone())
                    {
                        self.looked_at.insert(index);
                    }
                    digits
                }
                _ => 6,
            },
            Kind::Number => value.fsp(),
            _ => 0,
        }
    }

    fn fsp_argument(&mut self, arguments: &[&Expr]) -> Result<u8, Error> {
        match arguments.first().map(|a| self.constant(a)) {
            None => Ok(0),
            Some(Some(Literal::Int(n @ 0..=6))) => Ok(n as u8),
            Some(Some(Literal::Int(n))) => Err(Error::too_big_precision(n, "now", 6)),
            Some(_) => Err(Error::wrong_arguments("now")),
        }
    }

    /// `DATE '2024-01-31'` and its kin.
    fn typed_literal(&mut self, name: &str, literal: &Expr) -> Result<Typed, Error> {
        let text = self.constant_text(literal).unwrap_or_default();
        let bad = |kind: &str| {
            Err(Error { code: 1525, state: "HY000", message: format!("Incorrect {kind} value: '{text}'") })
        };
        let value = crate::types::Value::text(text.as_str());
        let digits = text.rsplit_once('.').map_or(0, |(_, d)| d.len().min(6)) as u8;
        let (cell, ty) = match name {
            "#DATE" => match crate::sql::store::as_datetime(&value) {
                Some(p) if !p.truncated => (p.value.date_text(), ColumnType::Date),
                _ => return bad("DATE"),
            },
            "#TIME" => match crate::sql::store::as_time(&value) {
                Some(p) if !p.truncated => (crate::sql::temporal::time_text(p.value, digits), ColumnType::Time(digits)),
                _ => return bad("TIME"),
            },
            _ => match crate::sql::store::as_datetime(&value) {
                Some(p) if !p.truncated => (p.value.text(digits), ColumnType::DateTime(digits)),
                _ => return bad("DATETIME"),
            },
        };
        Ok(Typed { nullable: false, ..Typed::new(quote_text(&cell), ty) })
    }

    /// `date + INTERVAL quantity unit`.
    pub(super) fn date_arithmetic(
        &mut self,
        date: &Expr,
        quantity: &Expr,
        unit: Unit,
        minus: bool,
    ) -> Result<Typed, Error> {
        let (date, quantity) = (self.expression(date)?, self.expression(quantity)?);
        let sign = if minus { -1 } else { 1 };
        let sql = format!("marmot_date_add({}, {}, '{}', {sign})", date.sql, quantity.sql, unit.name());
        let fsp = if unit.has_microseconds() { 6 } else { date.fsp() };
        let ty = match date.known() {
            Some(ColumnType::Date) if unit.is_date() => ColumnType::Date,
            Some(ColumnType::Date) => ColumnType::DateTime(if unit.has_microseconds() { 6 } else { 0 }),
            Some(ColumnType::DateTime(_) | ColumnType::Timestamp(_)) => ColumnType::DateTime(fsp),
            Some(ColumnType::Time(_)) => ColumnType::Time(fsp),
            // Of text the result is text, in whatever form it has.
            _ => text_type(),
        };
        Ok(Typed { temporal: true, ..Typed::new(sql, ty) })
    }
}
