//! What the router counts, in the text form that Prometheus reads.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use http::StatusCode;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub(crate) fn add(&self) {
        self.0.fetch_add(1, Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What one router counts since it started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    /// Answers by the first digit of their status, 1 to 5.
    answers: [Counter; 5],
    /// Clients' connections accepted.
    pub(crate) connections: Counter,
    /// Exchanges with endpoints that brought no answer.
    pub(crate) endpoint_failures: Counter,
    /// Requests tried again after that.
    pub(crate) retries: Counter,
    /// Endpoints taken out for not accepting a connection.
    pub(crate) ejections: Counter,
}

/// What is so at one moment.
pub(crate) struct Gauges {
    /// Requests under way to endpoints in the table.
    pub(crate) in_flight: usize,
    /// Apps in the table.
    pub(crate) apps: usize,
    /// The table's generation.
    pub(crate) generation: u64,
}

impl Counters {
    /// Counts an answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.answers.get(class) {
            counter.add();
        }
    }

    /// All of it as text.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        let mut text = String::from("# TYPE deis_router_answers_total counter\n");
        for (class, counter) in (1..).zip(&self.answers) {
            let value = counter.value();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "deis_router_answers_total{{class=\"{class}xx\"}} {value}");
        }
        for (name, kind, value) in [
            ("connections_total", "counter", self.connections.value()),
            ("endpoint_failures_total", "counter", self.endpoint_failures.value()),
            ("retries_total", "counter", self.retries.value()),
            ("ejections_total", "counter", self.ejections.value()),
            ("requests_in_flight", "gauge", gauges.in_flight as u64),
            ("apps", "gauge", gauges.apps as u64),
            ("table_generation", "gauge", gauges.generation),
        ] {
            let _ = writeln!(text, "# TYPE deis_router_{name} {kind}\ndeis_router_{name} {value}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shown_by_name() {
        let counters = Counters::default();
        counters.answered(StatusCode::OK);
        counters.answered(StatusCode::BAD_GATEWAY);
        counters.retries.add();
        let text = counters.render(&Gauges { in_flight: 3, apps: 2, generation: 7 });
        for line in [
            "deis_router_answers_total{class=\"2xx\"} 1",
            "deis_router_answers_total{class=\"5xx\"} 1",
            "deis_router_retries_total 1",
            "deis_router_requests_in_flight 3",
            "deis_router_table_generation 7",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
