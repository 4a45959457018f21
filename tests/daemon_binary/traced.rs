//! Spans of a transaction, from three nodes, at a collector.

use crate::http::{self, Request};
use crate::process::{Daemon, free_port, homes, log, start, voters, wait};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What was sent, each span with the node that did.
type Taken = Arc<Mutex<Vec<(String, Span)>>>;

fn text(attributes: &[KeyValue], key: &str) -> String {
    let found = attributes.iter().find(|a| a.key == key).and_then(|a| a.value.clone());
    match found {
        Some(AnyValue { value: Some(Value::StringValue(text)) }) => text,
        other => panic!("{key} is {other:?}"),
    }
}

/// A collector that demands a password; its port.
fn collector(taken: &Taken) -> u16 {
    let taken = taken.clone();
    http::serve(move |request: Request| {
        assert_eq!((&*request.method, &*request.target), ("POST", "/v1/traces"));
        assert_eq!(request.headers["content-type"], "application/x-protobuf");
        assert_eq!(request.headers["authorization"], "Bearer sesame");
        let sent = ExportTraceServiceRequest::decode(&*request.body).expect("a request of OTLP");
        for of in sent.resource_spans {
            let resource = of.resource.expect("whose spans they are").attributes;
            assert_eq!(text(&resource, "service.name"), "marmot");
            let node = text(&resource, "service.instance.id");
            let spans = of.scope_spans.into_iter().flat_map(|scope| scope.spans);
            taken.lock().expect("no panic").extend(spans.map(|span| (node.clone(), span)));
        }
        ("200 OK", "Content-Type: application/x-protobuf\r\n".to_string(), Vec::new())
    })
}

fn configure(home: &std::path::Path, port: u16, more: &str) {
    let text = format!("[logging]\notlp_endpoint = 'http://127.0.0.1:{port}'\n{more}");
    std::fs::write(home.join("m.toml"), text).expect("a file");
}

#[test]
fn spans_of_one_insert_come_from_three_nodes_and_join() {
    let taken = Taken::default();
    let port = collector(&taken);
    let (_root, homes) = homes::<3>();
    homes.iter().for_each(|home| configure(home, port, ""));
    // Every node has the password from its environment.
    let launch = |id: usize, seed: Option<&Daemon>| {
        let mut command = crate::process::command(&homes[id - 1]);
        command.env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20sesame");
        let (id_text, seeds) = (id.to_string(), seed.map(|seed| format!("127.0.0.1:{}", seed.cluster_port)));
        let mut flags = vec!["--config", "m.toml", "--node-id", &id_text];
        seeds.iter().for_each(|seeds| flags.extend(["--seeds", seeds]));
        let mut node = Daemon::launch_through(command, &homes[id - 1], &flags);
        node.wait_until_it_answers(&homes[id - 1]);
        node
    };
    let first = launch(1, None);
    let others = [2, 3].map(|id| {
        let node = launch(id, Some(&first));
        voters(&first, id);
        node
    });
    first.run("CREATE DATABASE d");
    first.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    let since = taken.lock().expect("no panic").len();
    first.run("INSERT INTO d.t VALUES (1)");
    let class = |span: &Span| {
        span.attributes
            .iter()
            .any(|a| a.key == "marmot.statement.class")
            .then(|| text(&span.attributes, "marmot.statement.class"))
    };
    let of_insert = wait("the spans of the INSERT", || {
        let all = taken.lock().expect("no panic")[since..].to_vec();
        let (_, root) = all.iter().find(|(_, span)| class(span).as_deref() == Some("write"))?;
        let trace: Vec<_> = all.iter().filter(|(_, span)| span.trace_id == root.trace_id).cloned().collect();
        let count = |name: &str| trace.iter().filter(|(_, span)| span.name == name).count();
        let complete = count("participant prepare") == 2 && count("participant apply") == 2;
        (complete && count("apply") == 1 && count("commit") == 1).then_some(trace)
    });
    let nodes: BTreeSet<&String> = of_insert.iter().map(|(node, _)| node).collect();
    let all: Vec<String> =
        [&first, &others[0], &others[1]].iter().map(|node| format!("127.0.0.1:{}", node.cluster_port)).collect();
    assert_eq!(nodes, all.iter().collect(), "who sent spans of it");
    let by_id: BTreeMap<&[u8], &Span> = of_insert.iter().map(|(_, span)| (&*span.span_id, span)).collect();
    assert_eq!(by_id.len(), of_insert.len(), "ids are used once");
    for (_, span) in &of_insert {
        let parent = by_id.get(&*span.parent_span_id).map(|parent| &*parent.name);
        let expected = match &*span.name {
            "statement" => None,
            "commit" => Some("statement"),
            "prepare" | "accept" | "apply" | "participant apply" => Some("commit"),
            "participant prepare" => Some("prepare"),
            "participant accept" => Some("accept"),
            other => panic!("a span {other}"),
        };
        assert_eq!(parent, expected, "the parent of {}", span.name);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        assert!(text(&span.attributes, "marmot.transaction").starts_with("n1:"), "{span:?}");
    }
    // To a millisecond: each batch reads the clocks anew.
    let root = of_insert.iter().find(|(_, span)| span.name == "statement").expect("a root");
    let commit = of_insert.iter().find(|(_, span)| span.name == "commit").expect("its child");
    assert!(commit.1.start_time_unix_nano + 1_000_000 >= root.1.start_time_unix_nano);
    for home in &homes {
        assert!(!log(home).contains("sesame"), "{}", log(home));
    }
}

/// The value of a series at the admin address.
fn metric(admin: u16, series: &str) -> Option<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin)).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[test]
fn a_collector_that_is_away_costs_nothing_but_its_spans() {
    let (_root, homes) = homes::<1>();
    let (nobody, admin) = (free_port(), free_port());
    configure(&homes[0], nobody, "otlp_sample_ratio = 1.0\n");
    let flags = ["--config", "m.toml", "--admin-addr", &format!("127.0.0.1:{admin}")];
    let node = start(&homes, 1, None, &flags);
    node.run("CREATE DATABASE d");
    node.run("CREATE TABLE d.t (id INT PRIMARY KEY)");
    let dropped = || metric(admin, "marmot_trace_spans_total{outcome=\"dropped\"}");
    let mut id = 0;
    for more in [1.0, 2.0, 3.0] {
        // Three requests at least, each in vain.
        let before = dropped().expect("a counter");
        wait("spans to be dropped", || {
            id += 1;
            node.run(&format!("INSERT INTO d.t VALUES ({id})"));
            (dropped()? >= before + more).then_some(())
        });
    }
    assert_eq!(metric(admin, "marmot_trace_spans_total{outcome=\"exported\"}"), Some(0.0));
    assert_eq!(log(&homes[0]).matches("the OTLP collector took no spans").count(), 1, "{}", log(&homes[0]));
    let since = Instant::now();
    assert!(node.stop().success());
    assert!(since.elapsed() < Duration::from_secs(20), "it does not wait for the collector");
}
