//! What a node hears and says about a transaction, as events within a span that carries its id, at debug level. The id is the
//! same on every node, so the lines of one transaction are found everywhere by `id=n1:5`.

use crate::core::message::{Message, Outcome};
use crate::core::{Destination, Effect, Input, Response};
use crate::types::TxnId;
use tracing::{Level, Span, debug, debug_span};

/// The span of what is done about `txn` now.
fn about(txn: TxnId) -> Span {
    debug_span!("txn", id = %txn)
}

/// Tells what arrived; the span is to be entered while it is handled.
pub fn heard(input: &Input) -> Span {
    if !tracing::enabled!(Level::DEBUG) {
        return Span::none();
    }
    let Input::Message(envelope) = input else { return Span::none() };
    let Some((txn, what)) = subject(&envelope.message) else { return Span::none() };
    let span = about(txn);
    span.in_scope(|| debug!(from = %envelope.from, "heard {what}"));
    span
}

/// Tells what the node does.
pub fn said(effect: &Effect) {
    if !tracing::enabled!(Level::DEBUG) {
        return;
    }
    match effect {
        Effect::Send { to, message } => {
            let Some((txn, what)) = subject(message) else { return };
            about(txn).in_scope(|| match to {
                Destination::Node { id, .. } => debug!(to = %id, "says {what}"),
                Destination::Address(address) => debug!(to = %address, "says {what}"),
            });
        }
        Effect::Apply(task) => about(task.txn).in_scope(|| debug!(seq = task.seq, stamp = %task.stamp, "applies")),
        Effect::Reply(client, Response::Committed { txn, .. }) => {
            about(*txn).in_scope(|| debug!(client = client.0, "answers committed"));
        }
        Effect::Reply(..) | Effect::Publish(_) | Effect::Notice(_) => {}
    }
}

/// The transaction that a message is about, and what it says of it.
fn subject(message: &Message) -> Option<(TxnId, &'static str)> {
    Some(match message {
        Message::Prepare { record, .. } => (record.txn, "prepare"),
        Message::Prepared { txn, fast: true, .. } => (*txn, "prepared and accepted"),
        Message::Prepared { txn, .. } => (*txn, "prepared"),
        Message::Rejected { txn, .. } => (*txn, "rejected"),
        Message::Accept { txn, .. } => (*txn, "accept"),
        Message::Accepted { txn, .. } => (*txn, "accepted"),
        Message::Refused { txn, .. } => (*txn, "refused"),
        Message::Recover { txn, .. } => (*txn, "recover"),
        Message::Promise { txn, .. } => (*txn, "promise"),
        Message::Decided { txn, outcome: Outcome::Commit { .. } } => (*txn, "decided commit"),
        Message::Decided { txn, outcome: Outcome::Abort } => (*txn, "decided abort"),
        Message::Inquire { txn } => (*txn, "inquire"),
        Message::Working { txn } => (*txn, "working"),
        Message::Swim(_)
        | Message::Report(_)
        | Message::SyncRequest { .. }
        | Message::SyncRecords { .. }
        | Message::SyncTooOld { .. }
        | Message::Barrier { .. }
        | Message::BarrierState { .. }
        | Message::Join { .. }
        | Message::Welcome { .. }
        | Message::AdmitMe { .. }
        | Message::Outdated { .. }
        | Message::Leaving
        | Message::RemoveMe { .. } => return None,
        #[cfg(feature = "next-version")]
        Message::Novelty => return None,
    })
}
