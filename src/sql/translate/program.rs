//! Stored programs: their definitions, CALL, SIGNAL, and the names and leaves of their bodies.

use super::routine::{converted, show_create_function};
use super::session::{Context, Visited, text_columns, translate_all};
use super::translator::{Translator, quote_text};
use super::typed::{Typed, text_type};
use crate::sql::account::{Needs, Privileges, Subject};
use crate::sql::catalog::{Collation, Column, Database};
use crate::sql::error::Error;
use crate::sql::modes::Modes;
use crate::sql::parameter::{Convert, Source};
use crate::sql::parse::{
    Call as ParsedCall, CreateProgram, Filter, GetDiagnostics as ParsedGet, NatureChange, ROUTINE_STATUS,
    Signal as ParsedSignal, SignalSubject, TRIGGERS, TableName,
};
use crate::sql::plan::{
    Argument, Call, Called, GetDiagnostics, Plan, Read, SessionCommand, SetValue, Signal, VariableTarget,
};
use crate::sql::program::{
    ConditionValue, Leaf, LeafKind, ParameterMode, StoredKind, StoredProgram, Variable, compile_program,
};
use crate::sql::schema_change::SchemaChange;
use crate::sql::tokens::{IntoName, Tokens};
use crate::types::Value;
use sqlparser::ast::Expr;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Translates a statement or expression of a stored program; `context` has its names.
///
/// # Errors
/// Those of statements.
pub fn translate_leaf(leaf: &Leaf, context: &Context<'_>) -> Result<(Plan, Needs), Error> {
    let context = Context { names: Some(&leaf.names), ..*context };
    match &leaf.kind {
        LeafKind::Statement(statement) => translate_all(statement, &context).map(|t| (t.plan, t.needs)),
        LeafKind::Value { expression, tokens, column } => {
            let mut translator = Translator::new(&context, tokens);
            let read = translator.value_for(expression, column.as_deref())?;
            Ok((Plan::Read(read), translator.needs))
        }
        LeafKind::Condition { expression, tokens } => translate_condition(expression, tokens, &context),
    }
}

fn translate_condition(expression: &Expr, tokens: &Tokens, context: &Context<'_>) -> Result<(Plan, Needs), Error> {
    let mut translator = Translator::new(context, tokens);
    let condition = translator.condition(expression)?;
    let sql = format!("(CASE WHEN {condition} THEN 1 ELSE 0 END)");
    let read = translator.constant_row(&[Typed::boolean(sql)]);
    Ok((Plan::Read(read), translator.needs))
}

fn undeclared(name: &str) -> Error {
    Error { code: 1327, state: "42000", message: format!("Undeclared variable: {name}") }
}

impl Translator<'_> {
    /// A variable of the program that the statement is in, or a column of its NEW or OLD row.
    ///
    /// # Errors
    /// 1054 for a row without such a column, 1363 for a row that the trigger's event does not have.
    pub(super) fn local(
        &mut self,
        database: Option<&str>,
        table: Option<&str>,
        name: &str,
    ) -> Result<Option<Typed>, Error> {
        let Some(names) = self.context.names else { return Ok(None) };
        let found = match (database, table) {
            (None, None) => names.variable(name),
            (None, Some(row)) if names.has_row(row) => match names.of_row(row, name) {
                Some(found) => Some(found),
                None => return Err(Error::unknown_column(name, row.to_uppercase())),
            },
            (None, Some(row)) => {
                let row = row.to_uppercase();
                let other = [("NEW", "OLD", "DELETE"), ("OLD", "NEW", "INSERT")].into_iter().find(|(r, ..)| *r == row);
                return match other {
                    Some((_, other, event)) if names.has_row(other) && !self.is_source(&row) => {
                        let message = format!("There is no {row} row in on {event} trigger");
                        Err(Error { code: 1363, state: "HY000", message })
                    }
                    _ => Ok(None),
                };
            }
            _ => None,
        };
        Ok(found.cloned().map(|variable| self.variable(&variable)))
    }

    fn is_source(&self, alias: &str) -> bool {
        self.scopes.iter().any(|scope| scope.source(None, alias).is_some())
    }

    fn variable(&mut self, variable: &Variable) -> Typed {
        let (sql, parameter) = self.parameter(Source::Client(variable.slot), Convert::Plain);
        let value = match variable.ty() {
            Some(ty) => Typed::new(sql, ty.clone()),
            None => Typed::dynamic(sql),
        };
        Typed { parameter: Some(parameter), nullable: true, ..value }
    }

    /// What a name after INTO assigns.
    ///
    /// # Errors
    /// 1327 for a local that was not declared.
    pub(super) fn variable_target(&self, name: &IntoName) -> Result<VariableTarget, Error> {
        match name {
            IntoName::User(name) => Ok(VariableTarget::User(name.clone())),
            IntoName::Local(name) => {
                let found = self.context.names.and_then(|names| names.variable(name));
                let found = found.ok_or_else(|| undeclared(name))?;
                Ok(VariableTarget::Local { slot: found.slot, column: found.column.clone() })
            }
        }
    }

    /// One value, converted for a variable.
    fn value_for(&mut self, expression: &Expr, column: Option<&Column>) -> Result<Read, Error> {
        let value = match Self::hex_number(expression) {
            Some(number) if column.is_some_and(|c| c.ty.is_numeric()) => number,
            _ => self.expression(expression)?,
        };
        Ok(match column {
            None => self.constant_row(&[value]),
            Some(column) => {
                let sql = converted(&value, column);
                self.constant_row(&[Typed::new(sql, column.ty.clone())])
            }
        })
    }

    /// CREATE of any stored program but a function of one RETURN.
    pub fn create_program(&self, create: &CreateProgram) -> Result<Plan, Error> {
        let database = self.ddl_database(&create.name)?;
        let table = create.trigger.as_ref().map(|t| &t.table.name);
        if table.is_some_and(|t| self.temporary_table(&database, t).is_some()) {
            let message = format!("Trigger's '{}' is view or temporary table", table.map_or("", String::as_str));
            return Err(Error { code: 1361, state: "HY000", message });
        }
        let mut create = Box::new(create.clone());
        if let Some(trigger) = &mut create.trigger
            && trigger.table.database.is_none()
        {
            // An unqualified name is of the current database, wherever the trigger is to be.
            trigger.table.database = self.context.database.map(str::to_string);
        }
        Ok(Plan::Schema(SchemaChange::CreateProgram { database, create, modes: self.context.modes.bits() }))
    }

    /// ALTER PROCEDURE, ALTER FUNCTION.
    pub fn alter_program(&self, kind: StoredKind, name: &TableName, change: &NatureChange) -> Result<Plan, Error> {
        let database = self.ddl_database(name)?;
        let (name, change) = (name.name.clone(), change.clone());
        Ok(Plan::Schema(SchemaChange::AlterProgram { database, kind, name, change }))
    }

    /// DROP of a stored program.
    pub fn drop_program(&self, kind: &str, name: &TableName, if_exists: bool) -> Result<Plan, Error> {
        let kinds = [StoredKind::Procedure, StoredKind::Function, StoredKind::Trigger];
        match (kinds.into_iter().find(|k| k.name() == kind), self.ddl_database(name)) {
            (Some(kind), Ok(database)) => {
                let name = name.name.clone();
                Ok(Plan::Schema(SchemaChange::DropProgram { database, kind, name, if_exists }))
            }
            _ => self.missing_program(kind, name, if_exists),
        }
    }

    /// CALL.
    ///
    /// # Errors
    /// 1305, 1318; 1414 where a value goes out into what is no variable.
    pub fn call_procedure(&mut self, call: &ParsedCall) -> Result<Plan, Error> {
        let database = match &call.name.database {
            Some(name) => self
                .find_database(name)
                .map_err(|_| Error::no_such_program("PROCEDURE", format!("{name}.{}", call.name.name)))?,
            None => self.database_of(&call.name)?,
        };
        let database = database.clone();
        let full = format!("{}.{}", database.name, call.name.name);
        let procedure = database.program(StoredKind::Procedure, &call.name.name);
        let procedure = procedure.ok_or_else(|| Error::no_such_program("PROCEDURE", &full))?.clone();
        if procedure.parameters.len() != call.arguments.len() {
            let (expected, got) = (procedure.parameters.len(), call.arguments.len());
            let message = format!("Incorrect number of arguments for PROCEDURE {full}; expected {expected}, got {got}");
            return Err(Error { code: 1318, state: "42000", message });
        }
        let mut arguments = Vec::new();
        for (place, (parameter, argument)) in procedure.parameters.iter().zip(&call.arguments).enumerate() {
            let target = match parameter.mode {
                ParameterMode::In => None,
                _ => Some(self.out_target(argument)?.ok_or_else(|| {
                    let message = format!(
                        "OUT or INOUT argument {} for routine {full} is not a variable or NEW pseudo-variable in BEFORE trigger",
                        place + 1
                    );
                    Error { code: 1414, state: "42000", message }
                })?),
            };
            let value = match parameter.mode {
                ParameterMode::Out => None,
                _ => Some(self.value_for(argument, Some(&parameter.column))?),
            };
            arguments.push(Argument { value, target });
        }
        let name = procedure.name.clone();
        let procedure = Called { database: database.name.clone(), kind: StoredKind::Procedure, name };
        Ok(Plan::Call(Call { procedure, arguments }))
    }

    fn out_target(&self, argument: &Expr) -> Result<Option<VariableTarget>, Error> {
        let names = self.context.names;
        let local = |found: &Variable| VariableTarget::Local { slot: found.slot, column: found.column.clone() };
        Ok(match argument {
            Expr::Identifier(name) => names.and_then(|n| n.variable(&name.value)).map(local),
            Expr::CompoundIdentifier(path) => match path.as_slice() {
                [row, name] => names.and_then(|n| n.of_row(&row.value, &name.value)).map(local),
                _ => None,
            },
            Expr::Value(value) => match &value.value {
                sqlparser::ast::Value::Placeholder(text) => match (text.strip_prefix('@'), text.strip_prefix('?')) {
                    (Some(name), _) if !name.starts_with('@') => Some(VariableTarget::User(name.to_string())),
                    (_, Some(marker)) => marker.parse().ok().map(VariableTarget::Marker),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        })
    }

    /// SIGNAL, RESIGNAL.
    ///
    /// # Errors
    /// 1319 for a name that no condition has, 1646 for one that is of an error number.
    pub fn signal(&mut self, signal: &ParsedSignal) -> Result<Plan, Error> {
        let state = match &signal.subject {
            None => None,
            Some(SignalSubject::State(state)) => Some(state.clone()),
            Some(SignalSubject::Named(name)) => match self.context.names.and_then(|n| n.condition(name)) {
                Some(ConditionValue::State(state)) => Some(state.clone()),
                Some(_) => {
                    let message = "SIGNAL/RESIGNAL can only use a CONDITION defined with SQLSTATE".to_string();
                    return Err(Error { code: 1646, state: "HY000", message });
                }
                None => {
                    let message = format!("Undefined CONDITION: {name}");
                    return Err(Error { code: 1319, state: "42000", message });
                }
            },
        };
        let mut items = Vec::new();
        for (item, value) in &signal.items {
            items.push((*item, self.session_value(value)?));
        }
        Ok(Plan::Session(SessionCommand::Signal(Signal { resignal: signal.resignal, state, items })))
    }

    /// GET DIAGNOSTICS.
    pub fn get_diagnostics(&mut self, get: &ParsedGet) -> Result<Plan, Error> {
        let condition = get.condition.as_ref().map(|c| self.session_value(c)).transpose()?;
        let target = |(name, item): &(IntoName, &'static str)| Ok((self.variable_target(name)?, *item));
        let items = get.items.iter().map(target).collect::<Result<Vec<_>, Error>>()?;
        let get = GetDiagnostics { stacked: get.stacked, condition, items };
        Ok(Plan::Session(SessionCommand::GetDiagnostics(get)))
    }

    /// SHOW PROCEDURE STATUS, SHOW FUNCTION STATUS; LIKE is about the name.
    pub fn show_routines(&mut self, kind: StoredKind, filter: &Filter) -> Result<Plan, Error> {
        let mut rows = Vec::new();
        let security = |invoker: bool| if invoker { "INVOKER" } else { "DEFINER" };
        let row = |database: &Database, cells: [&str; 6]| {
            let [name, definer, altered, created, security, comment] = cells;
            let cells = [
                &*database.name,
                name,
                kind.name(),
                definer,
                altered,
                created,
                security,
                comment,
                "utf8mb4",
                Collation::DEFAULT,
                database.collation.name(),
            ];
            cells.into_iter().map(Value::from).collect::<Vec<Value>>()
        };
        for database in self.context.listed().databases() {
            for p in database.programs.values().filter(|p| p.kind == kind) {
                let security = security(p.nature.invoker);
                rows.push(row(database, [&p.name, &p.definer, &p.altered, &p.created, security, &p.nature.comment]));
            }
            for r in database.routines.values().filter(|_| kind == StoredKind::Function) {
                let security = security(r.nature.invoker);
                rows.push(row(
                    database,
                    [
                        &r.name,
                        database.definer(&format!("{}()", r.name)),
                        &r.created,
                        &r.created,
                        security,
                        &r.nature.comment,
                    ],
                ));
            }
        }
        rows.sort_by(|a, b| a[..2].cmp(&b[..2]));
        let mut filter = filter;
        if let Filter::Like(pattern) = filter {
            rows.retain(|row| matches!(&row[1], Value::Text(name) if super::show::like(name, pattern)));
            filter = &Filter::None;
        }
        let columns = ROUTINE_STATUS.map(|name| (name, text_type()));
        self.filtered(&columns, &ROUTINE_STATUS, &rows, filter)
    }

    /// SHOW TRIGGERS; LIKE is about the table.
    pub fn show_triggers(&mut self, database: Option<&str>, filter: &Filter) -> Result<Plan, Error> {
        let wanted = database.or(self.context.database).ok_or_else(Error::no_database)?;
        self.need_any(Subject::Database(wanted.into()), Privileges::OF_DATABASE);
        let database = self.find_database(wanted)?;
        let database = self.context.listed().database(&database.name).unwrap_or(database);
        let mut found: Vec<_> = database.programs.values().filter_map(|p| p.trigger.as_ref().map(|t| (p, t))).collect();
        found.sort_by(|(_, a), (_, b)| {
            (&a.table, a.event, !a.before, a.order).cmp(&(&b.table, b.event, !b.before, b.order))
        });
        let mut rows = Vec::new();
        for (program, trigger) in found {
            let modes = Modes::from_bits(program.modes).to_string();
            let created = format!("{}.00", program.created);
            let cells = [
                program.name.as_str(),
                trigger.event.name(),
                &trigger.table,
                &program.body,
                trigger.timing(),
                &created,
                &modes,
                &program.definer,
                "utf8mb4",
                Collation::DEFAULT,
                database.collation.name(),
            ];
            rows.push(cells.into_iter().map(Value::from).collect::<Vec<Value>>());
        }
        let mut filter = filter;
        if let Filter::Like(pattern) = filter {
            rows.retain(|row| matches!(&row[2], Value::Text(name) if super::show::like(name, pattern)));
            filter = &Filter::None;
        }
        let columns = TRIGGERS.map(|name| (name, text_type()));
        self.filtered(&columns, &TRIGGERS, &rows, filter)
    }

    /// SHOW CREATE PROCEDURE, FUNCTION, TRIGGER.
    pub fn show_program(&mut self, kind: StoredKind, name: &TableName) -> Result<Plan, Error> {
        let database = self.database_of(name)?;
        let Some(database) = self.context.listed().database(&database.name) else {
            return Err(Error::no_such_program(kind.name(), &name.name));
        };
        let program = database.program(kind, &name.name);
        let routine = database.routine(&name.name).filter(|_| kind == StoredKind::Function);
        let (shown, modes, text) = match (program, routine) {
            (Some(program), _) => (program.name.as_str(), program.modes, program.create_statement()),
            (None, Some(routine)) => (routine.name.as_str(), routine.modes, {
                let definer = database.definer(&format!("{}()", routine.name));
                show_create_function(routine, definer)
            }),
            (None, None) if kind == StoredKind::Trigger => {
                return Err(Error { code: 1360, state: "HY000", message: "Trigger does not exist".to_string() });
            }
            (None, None) => return Err(Error::no_such_program(kind.name(), &name.name)),
        };
        if kind != StoredKind::Trigger {
            // Whoever may only run it is not told how it is made.
            let routine = Subject::Routine(database.name.clone(), name.name.clone());
            self.need_any(routine, Privileges::CREATE_ROUTINE | Privileges::ALTER_ROUTINE);
        }
        let modes = Modes::from_bits(modes).to_string();
        let mut cells: Vec<Value> =
            [shown, &modes, &text, "utf8mb4", Collation::DEFAULT, database.collation.name()].map(Value::from).into();
        let (first, third) = match kind {
            StoredKind::Procedure => ("Procedure", "Create Procedure"),
            StoredKind::Function => ("Function", "Create Function"),
            StoredKind::Trigger => ("Trigger", "SQL Original Statement"),
        };
        let mut columns =
            vec![first, "sql_mode", third, "character_set_client", "collation_connection", "Database Collation"];
        if let Some(trigger) = program.filter(|_| kind == StoredKind::Trigger) {
            columns.push("Created");
            cells.push(Value::text(format!("{}.00", trigger.created)));
        }
        Ok(Plan::Rows { columns: text_columns(&columns), rows: vec![cells] })
    }

    /// A call of a function whose body is statements: it runs within the statement, on the same connection.
    ///
    /// # Errors
    /// 1318 for another number of arguments.
    pub(super) fn call_of_function(
        &mut self,
        database: &Database,
        program: &Arc<StoredProgram>,
        arguments: &[&Expr],
    ) -> Result<Typed, Error> {
        if program.parameters.len() != arguments.len() {
            let (expected, got) = (program.parameters.len(), arguments.len());
            let name = format!("{}.{}", database.name, program.name);
            let message = format!("Incorrect number of arguments for FUNCTION {name}; expected {expected}, got {got}");
            return Err(Error { code: 1318, state: "42000", message });
        }
        let mut sql = format!("marmot_call({}, {}", quote_text(&database.name), quote_text(&program.name));
        for (parameter, argument) in program.parameters.iter().zip(arguments) {
            let value = match Self::hex_number(argument) {
                Some(number) if parameter.column.ty.is_numeric() => number,
                _ => self.expression(argument)?,
            };
            sql.push_str(&format!(", {}", converted(&value, &parameter.column)));
        }
        sql.push(')');
        self.calls = true;
        self.need(Subject::Routine(database.name.clone(), program.name.clone()), Privileges::EXECUTE);
        self.visit(database, program);
        let ty = program.returns.as_ref().map_or_else(text_type, |returns| returns.ty.clone());
        Ok(Typed { nullable: true, ..Typed::new(sql, ty) })
    }

    /// Takes the tables that a function reads for the statement's own: its connection must have them. What is wrong with
    /// the function shows when it runs.
    fn visit(&mut self, database: &Database, program: &Arc<StoredProgram>) {
        if !self.databases.contains(&database.name) {
            self.databases.push(database.name.clone());
        }
        let own = Visited::default();
        let visited = self.context.visited.unwrap_or(&own);
        let caller = self.actor.clone();
        self.visit_in(database, program, caller.as_ref(), visited);
    }

    /// `caller` is with whose rights it is called, if not of whoever runs the statement.
    fn visit_in(
        &mut self,
        database: &Database,
        program: &Arc<StoredProgram>,
        caller: Option<&Arc<str>>,
        visited: &Visited,
    ) {
        let actor = match program.nature.invoker {
            true => caller.cloned(),
            false => Some(program.definer.as_str().into()),
        };
        if !visited.borrow_mut().insert((database.name.clone(), program.name.clone(), actor.clone())) {
            return;
        }
        let Ok(code) = compile_program(program, database) else { return };
        let (modes, catalog) = (Modes::from_bits(program.modes), self.context.catalog);
        let context = Context {
            actor: actor.as_ref(),
            visited: Some(visited),
            ..Context::new(catalog, Some(&database.name), modes)
        };
        for leaf in &code.leaves {
            let plan = stacker::maybe_grow(256 << 10, 2 << 20, || translate_leaf(leaf, &context));
            let Ok((plan, needs)) = plan else { continue };
            self.needs.add_all(needs);
            for read in reads_of(&plan) {
                self.databases.extend(read.databases.clone());
                self.tables.extend(read.tables.clone());
            }
            if let Plan::Call(call) = &plan {
                let database = self.context.catalog.database(&call.procedure.database).cloned();
                let found = database
                    .and_then(|d| Some((d.clone(), d.program(call.procedure.kind, &call.procedure.name)?.clone())));
                if let Some((database, procedure)) = found {
                    stacker::maybe_grow(256 << 10, 2 << 20, || {
                        self.visit_in(&database, &procedure, actor.as_ref(), visited);
                    });
                }
            }
        }
        // Once each.
        let mut seen = BTreeSet::new();
        self.databases.retain(|database| seen.insert(database.clone()));
        let mut seen = BTreeSet::new();
        self.tables.retain(|table| seen.insert(table.clone()));
    }
}

fn query_of(value: &SetValue) -> Option<&Read> {
    match value {
        SetValue::Query(read) => Some(read),
        SetValue::Default | SetValue::Constant(_) => None,
    }
}

/// The queries of a statement in a function.
fn reads_of(plan: &Plan) -> Vec<&Read> {
    match plan {
        Plan::Read(read) | Plan::Session(SessionCommand::Do(read)) => vec![read],
        Plan::Set(assignments) => assignments.iter().filter_map(|a| query_of(&a.value)).collect(),
        Plan::Session(SessionCommand::Signal(signal)) => signal.items.iter().filter_map(|(_, v)| query_of(v)).collect(),
        Plan::Call(call) => call.arguments.iter().filter_map(|a| a.value.as_ref()).collect(),
        _ => Vec::new(),
    }
}
