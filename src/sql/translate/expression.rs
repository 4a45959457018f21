//! Expressions, node by node.

use super::translator::{Translator, quote_text};
use super::typed::{Kind, Typed, text_type, unify};
use crate::sql::column_type::ColumnType;
use crate::sql::error::Error;
use crate::sql::parameter::{Literal, Source};
use crate::sql::plan::ResultType;
use sqlparser::ast::{BinaryOperator, CaseWhen, CeilFloorKind, Expr, Ident, Query, TrimWhereField, UnaryOperator};

/// Stack kept free for one level of an expression.
const RED_ZONE: usize = 256 << 10;
const STACK: usize = 2 << 20;

impl Translator<'_> {
    /// Any expression.
    pub fn expression(&mut self, expression: &Expr) -> Result<Typed, Error> {
        let value = stacker::maybe_grow(RED_ZONE, STACK, || self.node(expression))?;
        let value = self.measure(expression, value);
        Ok(self.rolled(expression, value))
    }

    fn node(&mut self, expression: &Expr) -> Result<Typed, Error> {
        match expression {
            Expr::Identifier(name) => self.column(std::slice::from_ref(name)),
            Expr::CompoundIdentifier(path) => self.column(path),
            Expr::Value(value) => self.value(value, false),
            Expr::Nested(inner) => self.expression(inner),
            Expr::Function(function) => self.call(function),
            Expr::BinaryOp { left, op, right } => self.binary(expression, left, op, right),
            Expr::UnaryOp { op, expr } => self.unary(op, expr),
            Expr::IsNull(e) => self.test(e, "IS NULL"),
            Expr::IsNotNull(e) => self.test(e, "IS NOT NULL"),
            Expr::IsUnknown(e) => self.test(e, "IS NULL"),
            Expr::IsNotUnknown(e) => self.test(e, "IS NOT NULL"),
            Expr::IsTrue(e) => self.truth(e, "IS 1"),
            Expr::IsNotTrue(e) => self.truth(e, "IS NOT 1"),
            Expr::IsFalse(e) => self.truth(e, "IS 0"),
            Expr::IsNotFalse(e) => self.truth(e, "IS NOT 0"),
            Expr::InList { expr, list, negated } => self.in_list(expr, list, *negated),
            Expr::InSubquery { expr, subquery, negated } => self.in_subquery(expr, subquery, *negated),
            Expr::Between { expr, negated, low, high } => self.between(expr, low, high, *negated),
            Expr::Like { negated, any: false, expr, pattern, escape_char } => {
                self.like(expr, pattern, escape_char.as_deref(), *negated)
            }
            Expr::RLike { negated, expr, pattern, .. } => self.regexp(expr, pattern, *negated),
            Expr::AnyOp { left, compare_op, right, .. } => self.quantified(left, compare_op, right, false),
            Expr::AllOp { left, compare_op, right } => self.quantified(left, compare_op, right, true),
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref())
            }
            Expr::Exists { subquery, negated } => {
                let query = self.query_block(subquery)?;
                let not = if *negated { "NOT " } else { "" };
                Ok(Typed { nullable: false, ..Typed::boolean(format!("({not}EXISTS ({}))", query.sql)) })
            }
            Expr::Subquery(query) => self.scalar_subquery(query),
            Expr::Tuple(_) => Err(Error::operand_columns(1)),
            Expr::Collate { expr, collation } => {
                let value = self.expression(expr)?;
                self.collated_by(&value, collation.to_string().trim_matches('`'))
            }
            Expr::Ceil { expr, field } => self.whole("marmot_ceil", expr, field),
            Expr::Floor { expr, field } => self.whole("marmot_floor", expr, field),
            Expr::Position { expr, r#in } => {
                let (needle, haystack) = (self.expression(expr)?, self.expression(r#in)?);
                Ok(self.locate(&needle, &haystack, None))
            }
            Expr::Substring { expr, substring_from, substring_for, .. } => {
                let whole = self.expression(expr)?;
                let mut arguments = vec![whole.sql.clone()];
                for part in [substring_from, substring_for].into_iter().flatten() {
                    arguments.push(self.expression(part)?.sql);
                }
                let sql = format!("marmot_substring({})", arguments.join(", "));
                Ok(Typed::new(sql, string_like(&whole)))
            }
            Expr::Trim { trim_where, trim_what, expr, trim_characters: None } => {
                let whole = self.expression(expr)?;
                let ty = string_like(&whole);
                let sides = match trim_where {
                    Some(TrimWhereField::Leading) => 1,
                    Some(TrimWhereField::Trailing) => 2,
                    _ => 3,
                };
                let what = match trim_what {
                    Some(what) => self.expression(what)?.sql,
                    None => "' '".to_string(),
                };
                Ok(Typed::new(format!("marmot_trim({sides}, {what}, {})", whole.text_operand()), ty))
            }
            Expr::MemberOf(member) => {
                let (value, array) = (self.expression(&member.value)?, self.expression(&member.array)?);
                Ok(Typed::boolean(format!("marmot_member_of({}, {})", value.sql, array.sql)))
            }
            Expr::MatchAgainst { .. } => Err(Error::unsupported("MATCH ... AGAINST")),
            other => Err(Error::unsupported(format!("the expression {other}"))),
        }
    }

    /// A list of expressions.
    pub fn expressions(&mut self, all: &[Expr]) -> Result<Vec<Typed>, Error> {
        all.iter().map(|e| self.expression(e)).collect()
    }

    /// A column by one to three names.
    pub fn column(&mut self, path: &[Ident]) -> Result<Typed, Error> {
        let (database, table, name) = match path {
            [name] => (None, None, name),
            [table, name] => (None, Some(table.value.as_str()), name),
            [database, table, name] => (Some(database.value.as_str()), Some(table.value.as_str()), name),
            _ => return Err(Error::unsupported("a name of more than three parts")),
        };
        if let Some(value) = self.local(database, table, &name.value)? {
            return Ok(value);
        }
        let innermost = self.scopes.len();
        for (index, scope) in self.scopes.iter().enumerate().rev() {
            let level = index + 1;
            if let Some(found) = scope.resolve(database, table, &name.value, self.clause)? {
                self.level = self.level.max(level);
                if level < innermost && !found.column && scope.is_aggregated(&name.value) {
                    return outer_aggregate(found);
                }
                return Ok(found);
            }
            // A subquery may name the select items of the queries around it, those that come before it.
            if level < innermost
                && table.is_none()
                && let Some(found) = scope.alias(&name.value)
            {
                if scope.is_aggregated(&name.value) {
                    return Err(Error::unusable_reference(&name.value, "reference to group function"));
                }
                self.level = self.level.max(level);
                return Ok(found);
            }
        }
        let around = &self.scopes[..innermost.saturating_sub(1)];
        if table.is_none() && around.iter().any(|s| s.pending.iter().any(|a| a.eq_ignore_ascii_case(&name.value))) {
            return Err(Error::unusable_reference(&name.value, "forward reference in item list"));
        }
        let full: Vec<&str> = path.iter().map(|p| p.value.as_str()).collect();
        Err(Error::unknown_column(full.join("."), self.clause))
    }

    fn test(&mut self, operand: &Expr, test: &str) -> Result<Typed, Error> {
        let value = self.expression(operand)?;
        Ok(Typed { nullable: false, ..Typed::boolean(format!("({} {test})", value.sql)) })
    }

    fn truth(&mut self, operand: &Expr, test: &str) -> Result<Typed, Error> {
        let value = self.expression(operand)?;
        let sql = if value.boolean { value.sql } else { format!("marmot_is_true({})", value.sql) };
        Ok(Typed { nullable: false, ..Typed::boolean(format!("({sql} {test})")) })
    }

    /// An expression as a condition, whose text SQLite may take for true or false.
    pub fn condition(&mut self, expression: &Expr) -> Result<String, Error> {
        let value = self.expression(expression)?;
        Ok(match value.kind() {
            // SQLite reads text as a number just as MySQL does; a temporal value is never false.
            Kind::Temporal => format!("(marmot_temporal_number({}) <> 0)", value.sql),
            _ => value.sql,
        })
    }

    fn unary(&mut self, op: &UnaryOperator, operand: &Expr) -> Result<Typed, Error> {
        match op {
            UnaryOperator::Plus => self.expression(operand),
            UnaryOperator::Not => {
                let inner = self.condition(operand)?;
                Ok(Typed::boolean(format!("(NOT {inner})")))
            }
            UnaryOperator::BitwiseNot => {
                let value = self.expression(operand)?;
                Ok(Typed::new(format!("marmot_bit_not({})", value.sql), ColumnType::bigint_unsigned()))
            }
            UnaryOperator::Minus => {
                if let Expr::Value(value) = operand
                    && let Some(index) = self.literal_at(value.span)
                    && !matches!(self.tokens.literals.get(index), Some(Literal::Text(_)) | None)
                {
                    return self.value(value, true);
                }
                let value = Self::hex_number(operand).map_or_else(|| self.expression(operand), Ok)?;
                let sql = self.numeric_operand(&value);
                if value.is_big_unsigned() {
                    return Ok(Typed::new(format!("marmot_subtract(0, {sql}, 0)"), ColumnType::bigint()));
                }
                if value.is_wide() || value.unrounded {
                    let negated = value.with_sql(format!("marmot_decimal_negate({sql})"));
                    return Ok(Typed { unrounded: value.unrounded, ..negated });
                }
                let ty = match value.known() {
                    Some(ty) if ty.is_integer() => ResultType::Known(ColumnType::bigint()),
                    Some(ty) if ty.is_numeric() => value.ty.clone(),
                    Some(_) => ResultType::Known(ColumnType::double()),
                    None => value.ty.clone(),
                };
                Ok(Typed { ty, ..value.with_sql(format!("(- {sql})")) })
            }
            other => Err(Error::unsupported(format!("the operator {other}"))),
        }
    }

    fn binary(&mut self, whole: &Expr, left: &Expr, op: &BinaryOperator, right: &Expr) -> Result<Typed, Error> {
        use BinaryOperator as B;
        match op {
            B::And | B::Or => self.chain(whole, op),
            B::Xor => {
                let (l, r) = (self.expression(left)?, self.expression(right)?);
                Ok(Typed::boolean(format!("(marmot_is_true({}) <> marmot_is_true({}))", l.sql, r.sql)))
            }
            B::Eq | B::NotEq | B::Lt | B::LtEq | B::Gt | B::GtEq | B::Spaceship => self.comparison(left, op, right),
            B::Arrow | B::LongArrow => self.json_arrow(left, right, *op == B::LongArrow),
            B::StringConcat => {
                let (l, r) = (self.expression(left)?, self.expression(right)?);
                let sql = format!("marmot_concat({}, {})", l.text_operand(), r.text_operand());
                Ok(Typed::new(sql, text_type()))
            }
            B::Assignment => self.assign_variable(left, right),
            _ => self.arithmetic(left, op, right),
        }
    }

    /// `@name := value`.
    fn assign_variable(&mut self, variable: &Expr, value: &Expr) -> Result<Typed, Error> {
        let Some(name) = user_variable(variable) else { return Err(Error::unsupported("this use of :=")) };
        let name = quote_text(name);
        let value = self.expression(value)?;
        let kept = match value.is_decimal() {
            // With all the decimals of its type.
            true => format!(", {}", value.text_operand()),
            false => String::new(),
        };
        Ok(value.with_sql(format!("marmot_assign({name}, {}{kept})", value.sql)))
    }

    /// `a AND b AND c ...`: all operands at one level, written as a balanced tree, since SQLite limits its depth.
    fn chain(&mut self, whole: &Expr, op: &BinaryOperator) -> Result<Typed, Error> {
        let mut operands = Vec::new();
        let mut rest = whole;
        while let Expr::BinaryOp { left, op: o, right } = rest
            && o == op
        {
            operands.push(&**right);
            rest = left;
        }
        operands.push(rest);
        operands.reverse();
        let mut parts = Vec::with_capacity(operands.len());
        for operand in operands {
            parts.push(self.condition(operand)?);
        }
        let word = if *op == BinaryOperator::And { " AND " } else { " OR " };
        Ok(Typed::boolean(balanced(&parts, word)))
    }

    fn case(&mut self, operand: Option<&Expr>, arms: &[CaseWhen], otherwise: Option<&Expr>) -> Result<Typed, Error> {
        let mut sql = String::from("(CASE");
        let mut ty = ResultType::Null;
        let operand = operand.map(|o| self.expression(o)).transpose()?;
        let mut results = Vec::new();
        for arm in arms {
            let condition = match &operand {
                Some(operand) => {
                    let mut value = self.expression(&arm.condition)?;
                    let mut against = self.again(operand);
                    let (l, r) = self.comparable(&mut against, &mut value);
                    format!("({l} = {r})")
                }
                None => self.condition(&arm.condition)?,
            };
            let result = self.expression(&arm.result)?;
            ty = unify(&ty, &result.ty);
            results.push((Some(condition), result));
        }
        if let Some(otherwise) = otherwise {
            let result = self.expression(otherwise)?;
            ty = unify(&ty, &result.ty);
            results.push((None, result));
        }
        for (condition, result) in &results {
            match condition {
                Some(condition) => sql.push_str(&format!(" WHEN {condition} THEN {}", result.as_part_of(&ty))),
                None => sql.push_str(&format!(" ELSE {}", result.as_part_of(&ty))),
            }
        }
        sql.push_str(" END)");
        Ok(Typed { ty, ..Typed::dynamic(sql) })
    }

    fn whole(&mut self, function: &str, operand: &Expr, field: &CeilFloorKind) -> Result<Typed, Error> {
        if !matches!(field, CeilFloorKind::DateTimeField(sqlparser::ast::DateTimeField::NoDateTime)) {
            return Err(Error::unsupported("CEIL or FLOOR with a unit"));
        }
        self.whole_number(function, operand)
    }

    /// CEIL and FLOOR: integers of exact numbers, DOUBLE of others.
    pub(super) fn whole_number(&mut self, function: &str, operand: &Expr) -> Result<Typed, Error> {
        let value = self.expression(operand)?;
        let sql = format!("{function}({})", self.numeric_operand(&value));
        let ty = match value.known() {
            Some(ty) if ty.is_integer() && ty.is_unsigned() => ColumnType::bigint_unsigned(),
            Some(ColumnType::Decimal { precision, scale, .. }) if precision - scale > 18 => ColumnType::decimal(65, 0),
            Some(ty) if ty.is_integer() || ty.is_temporal() => ColumnType::bigint(),
            Some(ColumnType::Decimal { .. } | ColumnType::Enum { .. } | ColumnType::Set { .. }) => ColumnType::bigint(),
            Some(_) => super::typed::double_of(0),
            None => return Ok(Typed { ty: value.ty.clone(), ..value.with_sql(sql) }),
        };
        Ok(Typed::new(sql, ty))
    }

    /// A subquery as a value: of more than one row error 1242, where SQLite would take the first.
    fn scalar_subquery(&mut self, query: &Query) -> Result<Typed, Error> {
        let block = self.query_block(query)?;
        let [column] = block.columns.as_slice() else { return Err(Error::operand_columns(1)) };
        let value = Typed { ty: column.ty.clone(), ..Typed::dynamic("") };
        if block.single_row {
            return Ok(value.with_sql(format!("({})", block.sql)));
        }
        let name = super::translator::quote_name(&column.name);
        let sql =
            format!("(SELECT marmot_only_row(count(*), {name}) FROM (SELECT {name} FROM ({}) LIMIT 2))", block.sql);
        Ok(value.with_sql(sql))
    }

    /// Marks a parameter's value as looked at here, for literals; false for what only the session knows.
    pub fn literal_of(&mut self, value: &Typed) -> Option<Literal> {
        let parameter = self.parameters.get(value.parameter?)?;
        match parameter.source {
            Source::Literal { index, .. } => self.tokens.literals.get(index).cloned(),
            _ => None,
        }
    }
}

/// The alias of an aggregate, named in a subquery of the clauses after GROUP BY: as a select list of its own, which SQLite
/// takes for the outer query's where it names a column of that.
fn outer_aggregate(value: Typed) -> Result<Typed, Error> {
    if value.sql.contains("count(*)") {
        return Err(Error::unsupported("an alias of COUNT(*) in a subquery"));
    }
    Ok(value.with_sql(format!("(SELECT {})", value.sql)))
}

/// The name of a user variable, without its `@`.
fn user_variable(expression: &Expr) -> Option<&str> {
    let Expr::Value(value) = expression else { return None };
    let sqlparser::ast::Value::Placeholder(text) = &value.value else { return None };
    text.strip_prefix('@').filter(|name| !name.starts_with('@'))
}

/// Joins conditions into a tree of logarithmic depth, in parentheses.
pub fn balanced(parts: &[String], word: &str) -> String {
    match parts {
        [] => "1".to_string(),
        [only] => only.clone(),
        _ if parts.len() <= 8 => format!("({})", parts.join(word)),
        _ => {
            let (left, right) = parts.split_at(parts.len() / 2);
            format!("({}{word}{})", balanced(left, word), balanced(right, word))
        }
    }
}

/// The type of a string made from `value`.
pub fn string_like(value: &Typed) -> ColumnType {
    match value.known() {
        Some(ColumnType::Binary { .. }) => ColumnType::varbinary(65_535),
        Some(ty @ ColumnType::Text { .. }) => ty.clone(),
        _ => text_type(),
    }
}
