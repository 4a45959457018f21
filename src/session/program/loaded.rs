//! Programs compiled, and the plans of their statements.

use crate::mysql::SqlError;
use crate::session::plans::Planned;
use crate::session::schema::Schema;
use crate::session::session::Session;
use crate::sql::{Called, Catalog, Code, Context, Modes, StoredProgram, compile_program, translate_leaf};
use crate::types::DatabaseName;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// How many programs are kept compiled.
const KEPT: usize = 1024;

/// One program, ready to run.
pub struct Loaded {
    pub program: Arc<StoredProgram>,
    /// Where its unqualified names are.
    pub database: Option<DatabaseName>,
    pub code: Code,
    /// By leaf: the plan made last, and the modes it was made in.
    plans: Vec<Mutex<Option<(Modes, Planned)>>>,
}

impl Loaded {
    /// # Errors
    /// Those of the body: its tables may have changed since it was created.
    pub fn new(program: &Arc<StoredProgram>, database: &crate::sql::Database) -> Result<Loaded, SqlError> {
        let code = compile_program(program, database)?;
        let plans = code.leaves.iter().map(|_| Mutex::default()).collect();
        Ok(Loaded { program: program.clone(), database: Some(database.name.clone()), code, plans })
    }

    /// The plan of a leaf, as it was made or is made now. `own`: a catalog that nobody else has, whose plans are not kept.
    /// `seen`: what SHOW lists for whoever runs the program, if not all.
    pub fn plan(
        &self,
        leaf: usize,
        schema: &Arc<Schema>,
        own: Option<&Catalog>,
        seen: Option<&Catalog>,
        modes: Modes,
    ) -> Result<Planned, SqlError> {
        let place = &self.plans[leaf];
        let seen = seen.filter(|_| self.code.leaves[leaf].lists());
        let kept = own.is_none() && seen.is_none();
        if kept
            && let Some((then, planned)) = &*place.lock().unwrap_or_else(PoisonError::into_inner)
            && *then == modes
            && Arc::ptr_eq(&planned.schema, schema)
        {
            return Ok(planned.clone());
        }
        let catalog = own.unwrap_or(&schema.catalog);
        let context = Context { seen, ..Context::new(catalog, self.database.as_deref(), modes) };
        let leaf = &self.code.leaves[leaf];
        let (plan, needs) = translate_leaf(leaf, &context)?;
        let literals = leaf.literals().into();
        let (plan, needs) = (Arc::new(plan), Arc::new(needs));
        let planned = Planned { plan, literals, markers: 0, schema: schema.clone(), needs };
        if kept {
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some((modes, planned.clone()));
        }
        Ok(planned)
    }
}

/// A program by name, with the version of the database it was compiled for.
type Kept = (u64, Arc<Loaded>);

/// The programs that are kept compiled, for all sessions.
#[derive(Default)]
pub struct Programs(Mutex<BTreeMap<Called, Kept>>);

impl Programs {
    /// The program that is called, if `schema` has it.
    ///
    /// # Errors
    /// 1305 if it is gone, and those of [`Loaded::new`].
    pub fn load(&self, called: &Called, schema: &Schema) -> Result<Arc<Loaded>, SqlError> {
        let found = schema.catalog.database(&called.database);
        let program = found.and_then(|d| Some((d, d.program(called.kind, &called.name)?)));
        let Some((database, program)) = program else {
            let name = format!("{}.{}", called.database, called.name);
            return Err(crate::mysql::SP_DOES_NOT_EXIST.with(&[&called.kind.name(), &name]));
        };
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((version, loaded)) = kept.get(called)
            && *version == database.version
        {
            return Ok(loaded.clone());
        }
        let loaded = Arc::new(Loaded::new(program, database)?);
        if kept.len() >= KEPT {
            // Which one goes hardly matters: there are rarely so many, and it is compiled again when it is called.
            kept.pop_first();
        }
        kept.insert(called.clone(), (database.version, loaded.clone()));
        Ok(loaded)
    }
}

impl Session {
    /// The plan of a statement of a stored program against the schema as the session sees it.
    pub(in crate::session) fn plan_leaf(&mut self, loaded: &Loaded, leaf: usize) -> Result<Planned, SqlError> {
        let schema = self.schema()?;
        let permit = self.permits()?;
        let seen = self.seen_with(&schema, &permit);
        let own = (!self.temporary.is_empty()).then(|| self.temporary.catalog(&schema.catalog));
        loaded.plan(leaf, &schema, own.as_ref(), seen.as_deref(), self.state.settings.modes)
    }
}
