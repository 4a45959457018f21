//! Plans by the shape of their statements.
//!
//! Two texts that differ only in literals share a key (see [`super::normalise`]) and usually a plan. Where a plan looked
//! at a literal's value (a select item's name, ORDER BY 2, a format string), it is one of several *variants* of the key,
//! each with the literals it holds for. A plan also names the databases it was made from and their versions: after DDL
//! it is found stale and made again.

use super::account::Needs;
use super::error::Error;
use super::modes::Modes;
use super::normal::{Normalised, normalise};
use super::parameter::Literal;
use super::parse::{Body, parse_one};
use super::plan::Plan;
use super::program::begins_program;
use super::translate::{Context, Translated, translate_all};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Variants of one key; more are not kept.
const VARIANTS: usize = 8;
/// A longer statement is not kept: it is data rather than code.
const MAX_KEY: usize = 16 << 10;

/// A statement ready to run: its plan and what was taken out of its text.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub plan: Arc<Plan>,
    /// For [`super::bind`].
    pub literals: Arc<[Literal]>,
    /// `?` markers.
    pub markers: usize,
    /// The privileges it needs.
    pub needs: Arc<Needs>,
}

struct Variant {
    plan: Arc<Plan>,
    needs: Arc<Needs>,
    pins: Vec<(usize, Literal)>,
    versions: Vec<(crate::types::DatabaseName, u64)>,
}

impl Variant {
    fn holds(&self, literals: &[Literal], context: &Context<'_>) -> bool {
        self.pins.iter().all(|(i, l)| literals.get(*i) == Some(l))
            && self
                .versions
                .iter()
                .all(|(name, version)| context.catalog.database(name).is_some_and(|d| d.version == *version))
    }
}

#[derive(Default)]
struct Entry {
    variants: Vec<Variant>,
    used: u64,
}

#[derive(Default)]
struct Entries {
    // Looked up only, never iterated in an order that matters: eviction takes the least recently used.
    by_key: HashMap<Key, Entry>,
    by_use: BTreeMap<u64, Key>,
    clock: u64,
}

type Key = Arc<(Option<String>, Modes, String)>;

/// A bounded cache of plans, shared by all sessions. Least recently used keys go first.
pub struct PlanCache {
    entries: Mutex<Entries>,
    capacity: usize,
}

impl PlanCache {
    /// A cache of at most `capacity` shapes.
    pub fn new(capacity: usize) -> PlanCache {
        PlanCache { entries: Mutex::default(), capacity }
    }

    /// The first statement of `sql` ready to run, and where the next one begins. `None`: there is only space.
    ///
    /// # Errors
    /// Those of parsing and translating. They are not kept.
    pub fn prepare(&self, sql: &str, context: &Context<'_>) -> Result<(Option<Prepared>, usize), Error> {
        if begins_program(sql, context.modes) {
            let (statement, end) = parse_one(sql, context.modes)?;
            let Some(statement) = statement else { return Ok((None, end)) };
            let Translated { plan, needs, .. } = translate_all(&statement, context)?;
            let (plan, needs) = (Arc::new(plan), Arc::new(needs));
            return Ok((Some(Prepared { plan, literals: Arc::default(), markers: 0, needs }), end));
        }
        let normal = normalise(sql, context.modes)?;
        if normal.is_empty {
            return Ok((None, normal.end));
        }
        let Normalised { key, literals, markers, end, .. } = normal;
        let literals: Arc<[Literal]> = literals.into();
        let cacheable = key.len() <= MAX_KEY && self.capacity > 0;
        let key: Key = Arc::new((context.database.map(str::to_string), context.modes, key));
        if cacheable && let Some((plan, needs)) = self.find(&key, &literals, context) {
            return Ok((Some(Prepared { plan, literals, markers, needs }), end));
        }
        let (statement, _) = parse_one(sql, context.modes)?;
        let Some(statement) = statement else { return Ok((None, end)) };
        let Translated { plan, pins, needs } = translate_all(&statement, context)?;
        let (plan, needs) = (Arc::new(plan), Arc::new(needs));
        let repeats = matches!(
            statement.body,
            Body::Query { file: None, .. } | Body::Insert(_) | Body::Update(_) | Body::Delete(_)
        );
        if cacheable && repeats {
            self.insert(key, (&plan, &needs), pins, context);
        }
        Ok((Some(Prepared { plan, literals, markers, needs }), end))
    }

    /// Shapes kept now.
    pub fn len(&self) -> usize {
        self.lock().by_key.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        // Every change under the lock is complete before anything can panic.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &Key, literals: &[Literal], context: &Context<'_>) -> Option<(Arc<Plan>, Arc<Needs>)> {
        let mut entries = self.lock();
        let Entries { by_key, by_use, clock } = &mut *entries;
        let entry = by_key.get_mut(key)?;
        let variant = entry.variants.iter().find(|v| v.holds(literals, context))?;
        let found = (variant.plan.clone(), variant.needs.clone());
        *clock += 1;
        if let Some(key) = by_use.remove(&entry.used) {
            by_use.insert(*clock, key);
        }
        entry.used = *clock;
        Some(found)
    }

    fn insert(
        &self,
        key: Key,
        (plan, needs): (&Arc<Plan>, &Arc<Needs>),
        pins: Vec<(usize, Literal)>,
        context: &Context<'_>,
    ) {
        let databases = match &**plan {
            Plan::Read(read) => &read.databases,
            Plan::Write(write) => &write.databases,
            Plan::Load(load) => &load.write.databases,
            _ => return,
        };
        let versions = databases.iter().filter_map(|n| context.catalog.database(n).map(|d| (n.clone(), d.version)));
        let variant = Variant { plan: plan.clone(), needs: needs.clone(), pins, versions: versions.collect() };
        let mut entries = self.lock();
        let Entries { by_key, by_use, clock } = &mut *entries;
        *clock += 1;
        let entry = by_key.entry(key.clone()).or_default();
        by_use.remove(&entry.used);
        entry.used = *clock;
        by_use.insert(*clock, key);
        // A variant for the same literals is stale, or the search would have found it.
        entry.variants.retain(|v| v.pins != variant.pins);
        if entry.variants.len() >= VARIANTS {
            entry.variants.remove(0);
        }
        entry.variants.push(variant);
        while by_key.len() > self.capacity {
            let Some((_, oldest)) = by_use.pop_first() else { break };
            by_key.remove(&oldest);
        }
    }
}
