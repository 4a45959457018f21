//! Statements as trees: queries and expressions by sqlparser, everything around them by hand, since MySQL's statement
//! syntax is where sqlparser drops or misses most.

mod account;
mod alter;
mod column;
mod load;
mod program;
mod reader;
mod routine;
mod session;
mod show;
mod signal;
mod statement;
mod table;
mod view;
mod write;

pub use load::{FieldTarget, Fields, LoadData};
pub use program::{Call, CreateProgram, CreateTrigger, NatureChange, parse_leading_type, parse_program};
pub use reader::Reader;
pub use routine::CreateFunction;
pub use session::{SetExpression, SetItem, scoped_name};
pub use show::{Filter, ROUTINE_STATUS, Show, TRIGGERS};
pub use signal::{GetDiagnostics, Signal, SignalSubject};
pub use statement::{
    Body, Create, CreateSelect, Executed, Maintenance, Statement, TableChange, TableName, parse, parse_expression,
    parse_one, parse_type,
};
pub use view::{CreateView, ViewVerb};
pub use write::{Delete, DeleteTarget, Insert, InsertSource, Update};
