//! What one router counts of itself, whichever app it serves.

use std::fmt::Write;

use http::{StatusCode, Version};

use crate::metrics::{Counter, Slots, class};

/// What one router counts since it started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    answers: Slots<Answers>,
    /// Clients' connections accepted.
    pub(crate) connections: Counter,
    /// Those of them, and of git clients, that were closed at once, as their client had as many as it may.
    pub(crate) connections_refused: Counter,
    /// TLS handshakes of clients that came to their end.
    pub(crate) tls_handshakes: Counter,
    /// Those that did not.
    pub(crate) tls_failures: Counter,
    /// Requests that were none, and were answered with a bare 400, 414 or 431.
    pub(crate) malformed: Counter,
    /// Exchanges with endpoints that brought no answer.
    pub(crate) endpoint_failures: Counter,
    /// Requests tried again after that.
    pub(crate) retries: Counter,
    /// Endpoints taken out for not accepting a connection.
    pub(crate) ejections: Counter,
}

#[derive(Debug, Default)]
struct Answers {
    /// By the first digit of their status, 1 to 5.
    classes: [Counter; 5],
    /// By the protocol of the request, in the order of [`PROTOCOLS`].
    protocols: [Counter; PROTOCOLS.len()],
}

const PROTOCOLS: [(Version, &str); 4] =
    [(Version::HTTP_10, "1.0"), (Version::HTTP_11, "1.1"), (Version::HTTP_2, "2"), (Version::HTTP_3, "3")];

/// What is so at one moment.
pub(crate) struct Gauges {
    /// Requests under way to endpoints in the table.
    pub(crate) in_flight: usize,
    /// Apps in the table.
    pub(crate) apps: usize,
    /// Endpoints in the table.
    pub(crate) endpoints: usize,
    /// The table's generation.
    pub(crate) generation: u64,
    /// Seconds since the controller was heard; none if it never was.
    pub(crate) controller_age: Option<f64>,
    /// When the first certificate ends, in seconds since 1970; none if there is none.
    pub(crate) certificate_end: Option<u64>,
    /// Connections and tunnels that are being served.
    pub(crate) tasks: usize,
    /// Idle connections that are kept to endpoints.
    pub(crate) kept_links: usize,
    /// Memory that the process holds, in bytes.
    pub(crate) memory: Option<u64>,
    /// Lines of access logs that came faster than they could be written; only grows.
    pub(crate) log_lines_dropped: u64,
}

impl Counters {
    /// Counts an answer to a request in `version` of the protocol.
    pub(crate) fn answered(&self, version: Version, status: StatusCode) {
        let answers = self.answers.mine();
        if let Some(counter) = answers.classes.get(class(status)) {
            counter.add();
        }
        let protocol = PROTOCOLS.iter().position(|(known, _)| *known == version);
        if let Some(counter) = protocol.and_then(|protocol| answers.protocols.get(protocol)) {
            counter.add();
        }
    }

    /// All of it as text.
    pub(crate) fn render(&self, gauges: &Gauges) -> String {
        let mut page = Page::default();
        page.labelled("answers_total", "class", |class| format!("{}xx", class + 1), self.sum(|a| &a.classes));
        let protocol = |place: usize| PROTOCOLS.get(place).map_or("", |(_, name)| *name).to_owned();
        page.labelled("requests_total", "protocol", protocol, self.sum(|answers| &answers.protocols));
        page.counter("connections_total", &self.connections);
        page.counter("connections_refused_total", &self.connections_refused);
        page.counter("tls_handshakes_total", &self.tls_handshakes);
        page.counter("tls_failures_total", &self.tls_failures);
        page.counter("requests_malformed_total", &self.malformed);
        page.counter("endpoint_failures_total", &self.endpoint_failures);
        page.counter("retries_total", &self.retries);
        page.counter("ejections_total", &self.ejections);
        page.add("deis_router_log_lines_dropped_total", "counter", gauges.log_lines_dropped);
        page.gauge("requests_in_flight", gauges.in_flight);
        page.gauge("connections_open", gauges.tasks);
        page.gauge("links_idle", gauges.kept_links);
        page.gauge("apps", gauges.apps);
        page.gauge("endpoints", gauges.endpoints);
        page.gauge("table_generation", gauges.generation);
        if let Some(age) = gauges.controller_age {
            page.gauge("controller_heard_seconds", age);
        }
        if let Some(end) = gauges.certificate_end {
            page.gauge("certificate_end_timestamp_seconds", end);
        }
        if let Some(memory) = gauges.memory {
            // A name that all programs share, by which dashboards find it.
            page.add("process_resident_memory_bytes", "gauge", memory);
        }
        page.0
    }

    fn sum<const N: usize>(&self, of: impl Fn(&Answers) -> &[Counter; N]) -> [u64; N] {
        let mut sums = [0; N];
        for answers in self.answers.all() {
            for (sum, counter) in sums.iter_mut().zip(of(answers)) {
                *sum += counter.value();
            }
        }
        sums
    }
}

/// A page in the text form that Prometheus reads. Writing to a string cannot fail.
#[derive(Default)]
struct Page(String);

impl Page {
    fn counter(&mut self, name: &str, counter: &Counter) {
        self.add(&format!("deis_router_{name}"), "counter", counter.value());
    }

    fn gauge(&mut self, name: &str, value: impl std::fmt::Display) {
        self.add(&format!("deis_router_{name}"), "gauge", value);
    }

    fn add(&mut self, name: &str, kind: &str, value: impl std::fmt::Display) {
        let _ = write!(self.0, "# TYPE {name} {kind}\n{name} {value}\n");
    }

    fn labelled<const N: usize>(
        &mut self,
        name: &str,
        label: &str,
        label_of: impl Fn(usize) -> String,
        values: [u64; N],
    ) {
        let _ = writeln!(self.0, "# TYPE deis_router_{name} counter");
        for (place, value) in values.iter().enumerate() {
            let _ = writeln!(self.0, "deis_router_{name}{{{label}=\"{}\"}} {value}", label_of(place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_shown_by_name() {
        let counters = Counters::default();
        counters.answered(Version::HTTP_11, StatusCode::OK);
        counters.answered(Version::HTTP_2, StatusCode::BAD_GATEWAY);
        counters.retries.add();
        let text = counters.render(&Gauges {
            in_flight: 3,
            apps: 2,
            endpoints: 5,
            generation: 7,
            controller_age: Some(1.5),
            certificate_end: Some(1_800_000_000),
            tasks: 9,
            kept_links: 4,
            memory: None,
            log_lines_dropped: 0,
        });
        for line in [
            "deis_router_answers_total{class=\"2xx\"} 1",
            "deis_router_answers_total{class=\"5xx\"} 1",
            "deis_router_requests_total{protocol=\"1.1\"} 1",
            "deis_router_requests_total{protocol=\"2\"} 1",
            "deis_router_retries_total 1",
            "deis_router_requests_in_flight 3",
            "deis_router_links_idle 4",
            "deis_router_table_generation 7",
            "deis_router_controller_heard_seconds 1.5",
            "deis_router_certificate_end_timestamp_seconds 1800000000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
