//! One HTML file for each run: every operation by time and latency, with the faults behind them.

use crate::history::{End, Operation};
use crate::run::Verdict;
use std::collections::BTreeMap;
use std::fmt::Write;

const WIDTH: f64 = 1400.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 60.0;

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Milliseconds on a logarithmic axis from 0.1 ms to 30 s.
fn height_of(ms: f64) -> f64 {
    let (low, high) = (0.1f64.log10(), 30_000f64.log10());
    let part = (ms.max(0.1).log10() - low) / (high - low);
    HEIGHT - part.clamp(0.0, 1.0) * HEIGHT
}

struct Scale {
    end: f64,
}

impl Scale {
    fn x(&self, ns: u64) -> f64 {
        LEFT + ns as f64 / self.end * (WIDTH - LEFT)
    }
}

/// The page of a run.
pub fn page(
    title: &str,
    histories: &BTreeMap<&str, Vec<Operation>>,
    faults: &[Operation],
    verdicts: &[Verdict],
) -> String {
    let all = || histories.values().flatten().chain(faults);
    let end = all().map(|op| if op.returned == u64::MAX { op.called } else { op.returned }).max().unwrap_or(1).max(1);
    let scale = Scale { end: end as f64 };
    let mut page = String::new();
    let title = escape(title);
    let _ = write!(
        page,
        "<!DOCTYPE html><meta charset=utf-8><title>{title}</title><style>body{{font:14px sans-serif}}svg{{background:#fff;\
         border:1px solid #ccc}}.ok{{fill:#2a9d3a}}.fail{{fill:#e0a000}}.info{{fill:#d22}}.fault{{fill:#fbb;opacity:.5}}\
         text{{font:10px sans-serif}}pre{{white-space:pre-wrap}}</style><h1>{title}</h1><p>Each dot is an operation at the time \
         it was called, higher for longer latency (0.1 ms to 30 s, logarithmic): <b style=color:#2a9d3a>acknowledged</b>, \
         <b style=color:#e0a000>refused</b>, <b style=color:#d22>unknown</b>. Faults are red behind them.</p>"
    );
    let _ = write!(page, "<h2>Faults</h2><ol>");
    for fault in faults {
        let what = fault.call.text().unwrap_or_default();
        let (from, to) = (fault.called as f64 / 1e9, fault.returned as f64 / 1e9);
        let _ = write!(page, "<li>{from:.2} s to {to:.2} s: {}</li>", escape(what));
    }
    let _ = write!(page, "</ol><h2>Verdicts</h2><ul>");
    for verdict in verdicts {
        let counts: Vec<String> = verdict.report.counts.iter().map(|(what, n)| format!("{n} {what}")).collect();
        let good = verdict.report.violations.is_empty();
        let _ = write!(
            page,
            "<li><b style=color:{}>{}</b> {}: {}",
            if good { "#2a9d3a" } else { "#d22" },
            if good { "ok" } else { "FAILED" },
            escape(&verdict.test),
            escape(&counts.join(", "))
        );
        for violation in verdict.report.violations.iter().take(20) {
            let _ = write!(page, "<pre>{}</pre>", escape(violation));
        }
        let _ = write!(page, "</li>");
    }
    let _ = write!(page, "</ul>");
    for (name, history) in histories {
        let _ = write!(page, "<h2>{}</h2>{}", escape(name), chart(history, faults, &scale));
    }
    page
}

/// Dots that would cover each other are one: ten minutes have more operations than a screen has points.
fn chart(history: &[Operation], faults: &[Operation], scale: &Scale) -> String {
    let mut svg = format!("<svg width={WIDTH} height={}>", HEIGHT + 18.0);
    for fault in faults {
        let (x, to) = (scale.x(fault.called), scale.x(fault.returned));
        let what = escape(fault.call.text().unwrap_or_default());
        let _ = write!(
            svg,
            "<rect class=fault x={x:.1} y=0 width={:.1} height={HEIGHT}><title>{what}</title></rect>",
            to - x
        );
    }
    for ms in [1.0, 10.0, 100.0, 1000.0, 10_000.0] {
        let y = height_of(ms);
        let _ = write!(
            svg,
            "<line x1={LEFT} x2={WIDTH} y1={y:.1} y2={y:.1} stroke=#eee /><text x=4 y={y:.1}>{ms} ms</text>"
        );
    }
    let seconds = scale.end / 1e9;
    let step = [1.0, 5.0, 10.0, 60.0].into_iter().find(|step| seconds / step <= 30.0).unwrap_or(300.0);
    let mut at = 0.0;
    while at < seconds {
        let _ = write!(svg, "<text x={:.1} y={}>{at} s</text>", scale.x((at * 1e9) as u64), HEIGHT + 14.0);
        at += step;
    }
    let mut drawn = std::collections::BTreeSet::new();
    for op in history.iter().filter(|op| op.process != crate::history::NEMESIS) {
        let returned = if op.returned == u64::MAX { scale.end as u64 } else { op.returned };
        let ms = returned.saturating_sub(op.called) as f64 / 1e6;
        let (x, y) = (scale.x(op.called), height_of(ms));
        if !drawn.insert(((x * 2.0) as u64, y as u64, op.end.name())) {
            continue;
        }
        let radius = if op.end == End::Ok { 1.3 } else { 2.0 };
        let mut says = format!("{} {} node {} {ms:.1} ms", op.f, op.result, op.node + 1);
        if let Some(error) = &op.error {
            let _ = write!(says, ": {error}");
        }
        let says: String = says.chars().take(160).collect();
        let _ = write!(svg, "<circle class={} cx={x:.1} cy={y:.1} r={radius}>", op.end.name());
        let _ = write!(svg, "<title>{}</title></circle>", escape(&says));
    }
    svg + "</svg>"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::testing::op;

    #[test]
    fn a_page_has_a_dot_for_each_operation_and_no_markup_from_outside() {
        let mut lost = op("add", "<b>", (1_000_000, u64::MAX), End::Info);
        lost.error = Some("<i>".into());
        let histories = [("set", vec![op("add", 1, (0, 5_000_000), End::Ok), lost])].into();
        let page = page("none", &histories, &[], &[]);
        assert_eq!(page.matches("<circle").count(), 2);
        assert!(!page.contains("<i>") && page.contains("&lt;i&gt;"));
    }
}
