//! The task that walks through all tables, again and again.

use super::Place;
use super::book::{Book, Done};
use super::local::Local;
use super::look::{first, second};
use super::peer::{Peer, Trouble, later};
use super::verdict::{Tally, settle};
use super::{NAMED, compare::Suspect};
use crate::core::{NodeStatus, PeerState, PeerStatus};
use crate::session::Agreement;
use crate::shell::greeting::Credentials;
use crate::shell::metrics::Metrics;
use crate::sqlite::{Error, KeyCells, RowDigest, file_name};
use crate::types::{DatabaseName, Hlc, NodeId, Span, TableId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// Ranges without a row here, in a row, after which a table is given up: the other node's keys have no end.
const EMPTY_RANGES: u32 = 100_000;
/// How often the other node hears of this one while there is nothing to ask: it hangs up on who is silent for a minute.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
/// How often the same range is looked at, as long as something was repaired in it.
const LOOKS: u32 = 1000;

/// Compares this node with one other after another.
pub(super) struct Verifier {
    pub local: Local,
    pub credentials: Credentials,
    pub metrics: Arc<Metrics>,
    pub book: Arc<Book>,
    /// Between the beginnings of two passes; `None`: there is one when it is wanted.
    pub interval: Option<Span>,
    /// Rows compared in a second at most; 0: as fast as it goes.
    pub rows_per_second: u64,
    /// From the start to the first pass, so that not all nodes read at the same time.
    pub offset: Span,
}

/// A table of this node.
struct Table {
    name: (DatabaseName, String),
    place: Place,
    definition: RowDigest,
}

/// The members of the cluster as a pass began.
pub(super) struct Round<'s> {
    pub status: &'s NodeStatus,
    /// The other voters that are alive.
    others: Vec<&'s PeerStatus>,
}

/// What came of a table.
enum Outcome {
    Compared(Done),
    /// Its rows were not compared.
    OtherDefinition(NodeId, Agreement),
}

impl Verifier {
    /// Runs until the node stops.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let work = async {
            let mut next = self.interval.map(|_| Instant::now() + Duration::from(self.offset));
            for turn in 0.. {
                tokio::select! {
                    biased;
                    () = self.book.wanted() => {}
                    () = due(next) => {}
                }
                self.local.is_there().await;
                self.pass(turn).await;
                let now = Instant::now();
                // One that was wanted puts off none that is due later.
                if let (Some(at), Some(interval)) = (next.filter(|at| *at <= now), self.interval) {
                    next = Some((at + Duration::from(interval)).max(now));
                }
            }
        };
        tokio::select! {
            biased;
            // A node that is gone has stopped.
            _ = stop.wait_for(|stop| *stop) => {}
            () = work => {}
        }
    }

    /// Compares every table with one other voter; in the next pass it is another one's turn.
    async fn pass(&self, turn: usize) {
        let Some(status) = self.local.server.status().await else { return };
        let others: Vec<&PeerStatus> =
            status.peers.iter().filter(|p| p.id != status.id && p.voter && p.state == PeerState::Alive).collect();
        let tables = self.tables();
        let names: Vec<_> = tables.iter().map(|table| table.name.clone()).collect();
        self.book.set_tables(&names);
        if others.is_empty() {
            names.iter().for_each(|table| self.book.skipped(table, "no other voting member is alive"));
        }
        let round = Round { status: &status, others };
        let mut peer = None;
        for table in &tables {
            for attempt in 0..round.others.len() {
                let other = round.others[(turn + attempt) % round.others.len()];
                match self.compare(&mut peer, other, &round, table).await {
                    Ok(Outcome::Compared(done)) => {
                        self.report(&table.name, &done);
                        break;
                    }
                    Ok(Outcome::OtherDefinition(with, agreement)) => {
                        self.report_definition(&table.name, with, agreement);
                        break;
                    }
                    Err(trouble @ Trouble::Later(_)) => {
                        self.book.skipped(&table.name, &trouble.to_string());
                        break;
                    }
                    Err(trouble @ Trouble::Lost(..)) => {
                        peer = None;
                        self.book.skipped(&table.name, &trouble.to_string());
                    }
                }
            }
        }
        let shown = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.verify_undecided.set(shown(self.book.undecided()));
        self.metrics.verify_definitions.set(shown(self.book.other_definitions()));
    }

    /// All tables here, as they are now.
    fn tables(&self) -> Vec<Table> {
        let mut found = Vec::new();
        for database in self.local.server.data().databases() {
            let opened = self.local.server.data().open_rows(&database).and_then(|mut rows| {
                let definitions = rows.definitions(None, usize::MAX)?;
                Ok((rows, definitions))
            });
            let (rows, definitions) = match opened {
                Ok(opened) => opened,
                // Dropped since it was named.
                Err(Error::NoSuchDatabase(_)) => continue,
                Err(error) => {
                    tracing::error!(database = &*database, %error, "its tables cannot be compared: did somebody edit the file?");
                    continue;
                }
            };
            let version = rows.schema_version();
            let definitions: BTreeMap<TableId, RowDigest> = definitions.into_iter().collect();
            for (table, name) in rows.tables() {
                let Some(definition) = definitions.get(&table).copied() else { continue };
                let place = Place { database: database.clone(), version, table };
                found.push(Table { name: (database.clone(), name), place, definition });
            }
        }
        found
    }

    /// Compares one table with `other`, over the connection there is if it is to that one.
    async fn compare(
        &self,
        connection: &mut Option<Peer>,
        other: &PeerStatus,
        round: &Round<'_>,
        Table { place, definition, .. }: &Table,
    ) -> Result<Outcome, Trouble> {
        if connection.as_ref().is_none_or(|peer| peer.id != other.id) {
            *connection = Some(Peer::dial(&self.credentials, other.id, &other.address).await?);
        }
        let Some(peer) = connection else { return Err(later("there is no connection")) };
        let agreement = self.agreement(peer, round, place, *definition).await?;
        if agreement != Agreement::Same {
            return Ok(Outcome::OtherDefinition(other.id, agreement));
        }
        let mut done = Done { at: self.local.wall(), with: other.id, rows: 0, tally: Tally::default(), unsettled: 0 };
        let mut after: Option<KeyCells> = None;
        let mut empty = 0;
        loop {
            let began = Instant::now();
            let (until, (here, there)) = self.compare_range(peer, round, place, after.clone(), &mut done).await?;
            done.rows += here;
            self.metrics.verify_rows.inc_by(here);
            empty = if here == 0 { empty + 1 } else { 0 };
            match until {
                None => return Ok(Outcome::Compared(done)),
                Some(_) if empty > EMPTY_RANGES => return Err(later("the other node's rows have no end")),
                until => after = until,
            }
            if let Some(millis) = here.max(there).saturating_mul(1000).checked_div(self.rows_per_second) {
                rest(peer, place, began + Duration::from_millis(millis)).await?;
            }
        }
    }

    /// Compares the rows above `after` until nothing more can be done about them. Says where they end, and how many there are
    /// here and there.
    async fn compare_range(
        &self,
        peer: &mut Peer,
        round: &Round<'_>,
        place: &Place,
        after: Option<KeyCells>,
        done: &mut Done,
    ) -> Result<(Option<KeyCells>, (u64, u64)), Trouble> {
        // Rows that were judged: nothing more can be done about them in this pass.
        let mut judged: BTreeSet<KeyCells> = BTreeSet::new();
        for look in 1.. {
            let mut seen = first(&self.local, peer, place, after.clone()).await?;
            let clock = seen.clock;
            seen.suspects.retain(|suspect| !judged.contains(&suspect.key));
            let mut repaired = 0;
            for some in seen.suspects.chunks(NAMED) {
                let tally = self.judge(peer, round, place, some, clock).await?;
                judged.extend(some.iter().map(|suspect| suspect.key.clone()));
                repaired += tally.repaired;
                self.metrics.verify_mismatches.inc_by(tally.mismatches);
                self.metrics.verify_repaired.inc_by(tally.repaired);
                done.tally.add(tally);
            }
            if !seen.is_partial || repaired == 0 || look == LOOKS {
                done.unsettled += seen.unsettled;
                return Ok((seen.until, seen.rows));
            }
        }
        Err(later("a range was looked at too often"))
    }

    /// Looks again at rows that differ, and does what can be done about those that differ still.
    async fn judge(
        &self,
        peer: &mut Peer,
        round: &Round<'_>,
        place: &Place,
        suspects: &[Suspect],
        clock: Hlc,
    ) -> Result<Tally, Trouble> {
        let confirmed = second(&self.local, peer, place, suspects, clock).await?;
        if confirmed.rows.is_empty() {
            return Ok(Tally::default());
        }
        let mut more = self.others(round, peer.id).await;
        settle(&self.local, peer, &mut more, place, round.status.voters, &confirmed).await
    }

    /// Connections to the voters besides this node and `peer`.
    pub(super) async fn others(&self, round: &Round<'_>, peer: NodeId) -> Vec<Peer> {
        let mut more = Vec::new();
        for other in round.others.iter().filter(|other| other.id != peer) {
            match Peer::dial(&self.credentials, other.id, &other.address).await {
                Ok(peer) => more.push(peer),
                Err(trouble) => tracing::info!(%trouble, "a voting member has no say in what is right"),
            }
        }
        more
    }

    fn report_definition(&self, table: &(DatabaseName, String), with: NodeId, agreement: Agreement) {
        self.book.defined(table, with, agreement);
        let (database, name) = (&*table.0, &table.1);
        match agreement {
            Agreement::Same => {}
            Agreement::OtherHere | Agreement::Undecided => tracing::error!(
                database, table = name, %with, ?agreement,
                "the definition of a table differs between nodes at one version of the schema, nothing was changed, and its rows are \
                 not compared: somebody edited a file. Find out on which node (OtherHere: this one); stop it, move {} and the files \
                 beside it that begin with its name out of its data directory, and start it again: it fetches the file from the others",
                file_name(database)
            ),
            Agreement::OtherThere => tracing::warn!(
                database, table = name, %with,
                "the definition of a table is another one on that node than a majority of the voting members has: see its log"
            ),
        }
    }

    fn report(&self, table: &(DatabaseName, String), done: &Done) {
        self.book.done(table, done);
        let (database, name) = (&*table.0, &table.1);
        let Done { with, rows, tally: Tally { mismatches, repaired, undecided, elsewhere }, .. } = *done;
        if undecided > 0 {
            tracing::error!(
                database, table = name, %with, rows, mismatches, repaired, undecided, elsewhere,
                "rows differ between nodes, no majority of the voting members has them alike, and nothing was changed: find out \
                 which node is wrong; stop it, move {} and the files beside it that begin with its name out of its data \
                 directory, and start it again: it fetches the file from the others",
                file_name(database)
            );
        } else if mismatches > 0 {
            tracing::warn!(
                database, table = name, %with, rows, mismatches, repaired, elsewhere,
                "rows of this node were not as a majority of the voting members has them, and were replaced: did somebody edit \
                 the file? If not, check disk and memory"
            );
        } else if elsewhere > 0 {
            tracing::warn!(
                database, table = name, %with, rows, elsewhere,
                "rows of another node are not as a majority of the voting members has them: it replaces them when it compares"
            );
        }
    }
}

/// Waits until then, if there is a then.
async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits until then. The other node keeps no snapshot meanwhile, and hears that this one is there.
async fn rest(peer: &mut Peer, place: &Place, until: Instant) -> Result<(), Trouble> {
    while Instant::now() < until {
        peer.settled(&place.database, place.table, &[]).await?;
        sleep_until(until.min(Instant::now() + SIGN_OF_LIFE)).await;
    }
    Ok(())
}
