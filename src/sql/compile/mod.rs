use super::catalog::*; use super::error::*; use super::schema_change::*;
pub fn resolve_collation(_c: Option<&str>, _d: Option<&str>) -> Result<Option<Collation>, Error> { Ok(None) }
pub fn compile(_: &SchemaChange, _: &Catalog, _: &mut CompileContext<'_>) -> Result<Compiled, Error> { Err(Error::empty_query()) }
