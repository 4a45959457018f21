//! Sends spans to a collector: OTLP over HTTP, in protobuf (OpenTelemetry Protocol 1.x), from a thread of its own.
//!
//! The collector's share of the OTEL_ variables holds: `OTEL_EXPORTER_OTLP_HEADERS` (credentials belong there, and are never
//! logged) and `OTEL_RESOURCE_ATTRIBUTES`. What a collector does not take within [`PATIENCE`] is dropped and counted.

use super::clock::SystemClock;
use super::log_limit::LogLimit;
use super::metrics::Metrics;
use super::spans::{Finished, SpanQueue, Step};
use crate::config::Otlp;
use crate::types::Mono;
use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

/// Spans of one request at most.
const BATCH: usize = 512;
/// How long spans wait for others.
const COMPANY: Duration = Duration::from_secs(1);
/// How long the collector may take over one request.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last spans of a life may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// The sending end, while the node lives.
pub struct Exporting {
    ended: Receiver<()>,
}

impl Exporting {
    /// Starts to send; `node` is where the node is reached, by which collectors tell nodes apart.
    ///
    /// # Errors
    /// A sentence: nothing can be sent to such an address, or there is no thread.
    pub fn start(
        otlp: &Otlp,
        node: String,
        clock: SystemClock,
        metrics: Arc<Metrics>,
    ) -> Result<(SpanQueue, Exporting), String> {
        let collector = collector(&otlp.endpoint, node)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| format!("no threads: {e}"))?;
        let (queue, finished) = SpanQueue::new(otlp.sampled_millionths, &metrics);
        let (end, ended) = channel();
        let endpoint = otlp.endpoint.clone();
        let scope = InstrumentationScope::builder("marmot").with_version(env!("CARGO_PKG_VERSION")).build();
        let run = move || {
            // When this is dropped the sending has ended.
            let _end = end;
            let said = LogLimit::default();
            while let Some(batch) = gather(&finished) {
                let count = batch.len() as u64;
                let zero = zero(&clock);
                let batch = batch.iter().map(|span| data(span, zero, &scope)).collect();
                match runtime.block_on(collector.export(batch)) {
                    Ok(()) => metrics.spans_exported.inc_by(count),
                    Err(error) => {
                        metrics.spans_dropped.inc_by(count);
                        if let Some(unsaid) = said.admit(()) {
                            tracing::warn!(%endpoint, %error, unsaid, "the OTLP collector took no spans: they are dropped");
                        }
                    }
                }
            }
        };
        let thread = std::thread::Builder::new().name("otlp".to_string()).spawn(run);
        thread.map_err(|e| format!("no thread to send spans: {e}"))?;
        Ok((queue, Exporting { ended }))
    }

    /// Waits for the last spans to be sent, but not for long. All that could bring more is gone.
    pub fn finish(self) {
        // That nothing comes any more is what is waited for.
        let _ = self.ended.recv_timeout(FAREWELL);
    }
}

fn collector(endpoint: &str, node: String) -> Result<SpanExporter, String> {
    // Whoever set a provider before did so for the whole process.
    let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
    let unusable = |e: &dyn std::fmt::Display| format!("logging.otlp_endpoint {endpoint} cannot be used: {e}");
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(|e| unusable(&e))?;
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .with_timeout(PATIENCE)
        .build()
        .map_err(|e| unusable(&e))?;
    let resource = Resource::builder()
        .with_service_name("marmot")
        .with_attribute(KeyValue::new("service.instance.id", node))
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    exporter.set_resource(&resource.build());
    Ok(exporter)
}

/// Waits for spans; `None`: there will be none.
fn gather(finished: &Receiver<Finished>) -> Option<Vec<Finished>> {
    let mut batch = vec![finished.recv().ok()?];
    let until = Instant::now() + COMPANY;
    while batch.len() < BATCH {
        match finished.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    Some(batch)
}

/// When monotonic time was zero, by the wall clock.
fn zero(clock: &SystemClock) -> SystemTime {
    SystemTime::now() - Duration::from_nanos(clock.now().mono.0)
}

fn data(span: &Finished, zero: SystemTime, scope: &InstrumentationScope) -> SpanData {
    let at = |mono: Mono| zero + Duration::from_nanos(mono.0);
    let id = SpanId::from_bytes(span.span_id());
    let trace = TraceId::from_bytes(span.trace_id());
    let node = i64::try_from(span.node.0).unwrap_or(i64::MAX);
    let mut attributes =
        vec![KeyValue::new("marmot.transaction", span.txn.to_string()), KeyValue::new("marmot.node", node)];
    if let Step::Statement { class, connection } = span.step {
        attributes.push(KeyValue::new("marmot.statement.class", class));
        attributes.push(KeyValue::new("marmot.connection", i64::try_from(connection).unwrap_or(i64::MAX)));
    }
    let of_participant = span.step.is_of_participant();
    let serves = of_participant || matches!(span.step, Step::Statement { .. });
    SpanData {
        span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::default()),
        parent_span_id: span.parent_id().map_or(SpanId::INVALID, SpanId::from_bytes),
        parent_span_is_remote: of_participant,
        span_kind: if serves { SpanKind::Server } else { SpanKind::Internal },
        name: span.step.name().into(),
        start_time: at(span.from),
        end_time: at(span.to),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.failure.map_or(Status::Unset, Status::error),
        instrumentation_scope: scope.clone(),
    }
}
