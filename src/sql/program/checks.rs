//! Which statements may stand in which kind of program (manual, "Restrictions on Stored Programs").

use super::names::Names;
use super::stored::StoredKind;
use crate::sql::error::Error;
use crate::sql::parse::{Body, TableChange};
use crate::sql::plan::{Plan, SessionCommand};
use crate::sql::tokens::IntoName;

fn refused(code: u16, state: &'static str, message: impl Into<String>) -> Error {
    Error { code, state, message: message.into() }
}

/// Checks a statement that stands in a body.
///
/// # Errors
/// 1303, 1314 for what no program may do; 1415, 1422, 1336 for what functions and triggers may not; 1327.
pub(super) fn check_statement(body: &Body, kind: StoredKind, names: &Names) -> Result<(), Error> {
    match body {
        Body::Program(create) => {
            let message = format!("Can't create a {} from within another stored routine", create.kind.name());
            return Err(refused(1303, "2F003", message));
        }
        Body::CreateFunction(_) => {
            return Err(refused(1303, "2F003", "Can't create a FUNCTION from within another stored routine"));
        }
        Body::DropProgram { kind: dropped, .. } if *dropped != "EVENT" => {
            let message = format!("Can't drop or alter a {dropped} from within another stored routine");
            return Err(refused(1357, "HY000", message));
        }
        Body::AlterProgram { kind: altered, .. } => {
            let message = format!("Can't drop or alter a {} from within another stored routine", altered.name());
            return Err(refused(1357, "HY000", message));
        }
        Body::Ready(Plan::Use(_)) => {
            return Err(refused(1314, "0A000", "USE is not allowed in stored procedures"));
        }
        Body::LoadData(_) => {
            return Err(refused(1314, "0A000", "LOAD DATA is not allowed in stored procedures"));
        }
        Body::Query { into, .. } => {
            for name in into {
                if let IntoName::Local(name) = name
                    && names.variable(name).is_none()
                {
                    return Err(refused(1327, "42000", format!("Undeclared variable: {name}")));
                }
            }
        }
        _ => {}
    }
    if kind == StoredKind::Procedure {
        return Ok(());
    }
    if returns_rows(body) {
        let what = if kind == StoredKind::Trigger { "trigger" } else { "function" };
        return Err(refused(1415, "0A000", format!("Not allowed to return a result set from a {what}")));
    }
    if commits(body) {
        let message = "Explicit or implicit commit is not allowed in stored function or trigger.";
        return Err(refused(1422, "HY000", message));
    }
    if is_dynamic(body) {
        return Err(refused(1336, "0A000", "Dynamic SQL is not allowed in stored function or trigger"));
    }
    if kind == StoredKind::Function && matches!(body, Body::Insert(_) | Body::Update(_) | Body::Delete(_)) {
        return Err(Error::unsupported("a stored function that changes data"));
    }
    Ok(())
}

fn returns_rows(body: &Body) -> bool {
    match body {
        Body::Query { into, file, .. } => into.is_empty() && file.is_none(),
        Body::Show(_) | Body::Describe { .. } | Body::Explain(_) | Body::Maintenance { .. } => true,
        Body::Insert(insert) => insert.returning.is_some(),
        Body::Delete(delete) => delete.returning.is_some(),
        Body::Ready(Plan::Session(command)) => {
            matches!(command, SessionCommand::ShowWarnings { .. } | SessionCommand::ShowGrants { .. })
        }
        _ => false,
    }
}

fn commits(body: &Body) -> bool {
    match body {
        Body::Table { change, .. } => {
            !matches!(change, TableChange::Create { create, .. } | TableChange::CreateLike { create, .. } if create.temporary)
        }
        Body::CreateSelect(create) => !create.create.temporary,
        Body::DropTables { temporary, .. } => !temporary,
        Body::View(_) | Body::DropViews { .. } | Body::DropProgram { .. } | Body::RenameTables { .. } => true,
        Body::Ready(plan) => matches!(
            plan,
            Plan::Begin { .. }
                | Plan::Commit(_)
                | Plan::Rollback(_)
                | Plan::Schema(_)
                | Plan::Schemas(_)
                | Plan::Admin(_)
        ),
        _ => false,
    }
}

fn is_dynamic(body: &Body) -> bool {
    let deallocates = matches!(body, Body::Ready(Plan::Session(SessionCommand::Deallocate { .. })));
    deallocates || matches!(body, Body::Prepare { .. } | Body::Execute { .. })
}
