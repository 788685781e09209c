//! The page that Prometheus reads, made piece by piece while it is sent.
//!
//! Ten thousand apps make tens of megabytes: whoever reads them gets them at their own pace, and between two pieces the
//! core has time for everybody else. Source: the text format of Prometheus, version 0.0.4.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame};

use super::Tally;
use super::histogram::Distribution;
use super::tally::{EVENTS, Event, Sum};
use crate::endpoint::Endpoint;
use crate::service::Service;

/// A piece is sent once it is as long as this.
const PIECE_BYTES: usize = 32 * 1024;

/// The page, from its first piece to its last.
pub(crate) struct Exposition {
    /// What is not of one app; taken as the first piece.
    general: Option<String>,
    series: Vec<Series>,
    family: usize,
    /// Where to go on within the family.
    next: usize,
    /// Whether it is the others' turn.
    is_pausing: bool,
}

/// What one tally holds is shown as one series of each family.
struct Series {
    labels: String,
    tally: Arc<Tally>,
    /// Whose endpoints its requests are under way to.
    service: Arc<Service>,
}

/// Series that mean the same of different apps.
#[derive(Clone, Copy)]
enum Family {
    Requests,
    FirstByte,
    Whole,
    Received,
    Sent,
    InFlight,
    Of(Event),
}

const FAMILIES: [Family; 6 + EVENTS.len()] = [
    Family::Requests,
    Family::FirstByte,
    Family::Whole,
    Family::Received,
    Family::Sent,
    Family::InFlight,
    Family::Of(EVENTS[0]),
    Family::Of(EVENTS[1]),
    Family::Of(EVENTS[2]),
    Family::Of(EVENTS[3]),
    Family::Of(EVENTS[4]),
    Family::Of(EVENTS[5]),
    Family::Of(EVENTS[6]),
    Family::Of(EVENTS[7]),
];

impl Exposition {
    /// The page that begins with `general` and goes on with the apps of `services`, but for those that nobody visited.
    pub(crate) fn new(general: String, services: &[Arc<Service>]) -> Self {
        let series = services.iter().flat_map(Series::of).collect();
        Self { general: Some(general), series, family: 0, next: 0, is_pausing: false }
    }

    /// The next piece; none at the end.
    fn piece(&mut self) -> Option<String> {
        if let Some(general) = self.general.take() {
            return Some(general);
        }
        let mut text = String::with_capacity(PIECE_BYTES + PIECE_BYTES / 4);
        while text.len() < PIECE_BYTES {
            let Some(family) = FAMILIES.get(self.family) else { break };
            if self.next == 0 {
                family.open(&mut text);
            }
            match self.series.get(self.next) {
                Some(series) => {
                    series.write(*family, &mut text);
                    self.next += 1;
                }
                None => (self.family, self.next) = (self.family + 1, 0),
            }
        }
        (!text.is_empty()).then_some(text)
    }
}

impl Series {
    fn of(service: &Arc<Service>) -> impl Iterator<Item = Self> {
        let series = |tally: &Arc<Tally>| Self {
            labels: labels(tally),
            tally: Arc::clone(tally),
            service: Arc::clone(service),
        };
        service.tallies.iter().filter(|tally| tally.is_used()).map(series)
    }

    fn write(&self, family: Family, text: &mut String) {
        let Some(sum) = self.tally.sum() else { return };
        let name = family.name();
        match family {
            Family::Requests => {
                for (class, count) in (1..).zip(sum.classes) {
                    self.line(text, name, "", &format!("class=\"{class}xx\""), count);
                }
            }
            Family::FirstByte => self.histogram(text, name, &sum.first_byte),
            Family::Whole => self.histogram(text, name, &sum.whole),
            Family::InFlight => self.line(text, name, "", "", self.in_flight()),
            Family::Received => self.line(text, name, "", "", sum.received),
            Family::Sent => self.line(text, name, "", "", sum.sent),
            Family::Of(event) => self.event(text, name, event, &sum),
        }
    }

    fn histogram(&self, text: &mut String, name: &str, distribution: &Distribution) {
        for (end, count) in distribution.cumulated() {
            let end = end.map_or_else(|| "+Inf".to_owned(), |end| end.to_string());
            self.line(text, name, "_bucket", &format!("le=\"{end}\""), count);
        }
        self.line(text, name, "_sum", "", distribution.seconds());
        self.line(text, name, "_count", "", distribution.count());
    }

    /// What never happened takes no line: most of these never do.
    fn event(&self, text: &mut String, name: &str, event: Event, sum: &Sum) {
        let count = sum.events[event as usize];
        if count > 0 {
            self.line(text, name, "", "", count);
        }
    }

    /// Labels are names of apps and numbers, in which nothing needs escaping.
    fn line(&self, text: &mut String, name: &str, suffix: &str, label: &str, value: impl std::fmt::Display) {
        let (labels, comma) = (&self.labels, if label.is_empty() { "" } else { "," });
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name}{suffix}{{{labels}{comma}{label}}} {value}");
    }

    fn in_flight(&self) -> usize {
        let is_counted = |endpoint: &&Arc<Endpoint>| Arc::ptr_eq(&endpoint.tally, &self.tally);
        self.service.all_endpoints().filter(is_counted).map(|endpoint| endpoint.in_flight()).sum()
    }
}

/// The API is shown as the app that its host names.
fn labels(tally: &Tally) -> String {
    let app = tally.app.as_ref().map_or("deis", |app| app.as_str());
    match tally.release {
        Some(release) => format!("app=\"{app}\",release=\"{release}\""),
        None => format!("app=\"{app}\",release=\"\""),
    }
}

impl Family {
    fn open(self, text: &mut String) {
        let (name, (kind, help)) = (self.name(), self.meaning());
        // Writing to a string cannot fail.
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    fn name(self) -> &'static str {
        match self {
            Self::Requests => "deis_app_requests_total",
            Self::FirstByte => "deis_app_first_byte_seconds",
            Self::Whole => "deis_app_request_seconds",
            Self::Received => "deis_app_received_bytes_total",
            Self::Sent => "deis_app_sent_bytes_total",
            Self::InFlight => "deis_app_requests_in_flight",
            Self::Of(Event::Retry) => "deis_app_retries_total",
            Self::Of(Event::Ejection) => "deis_app_ejections_total",
            Self::Of(Event::Queued) => "deis_app_queued_total",
            Self::Of(Event::Limited) => "deis_app_rate_limited_total",
            Self::Of(Event::Refused) => "deis_app_refused_total",
            Self::Of(Event::CutOff) => "deis_app_cut_off_total",
            Self::Of(Event::Connection) => "deis_app_connections_total",
            Self::Of(Event::Unconnected) => "deis_app_connections_failed_total",
        }
    }

    fn meaning(self) -> (&'static str, &'static str) {
        match self {
            Self::Requests => ("counter", "Requests answered, by the class of the status."),
            Self::FirstByte => ("histogram", "From a request's head to that of its answer."),
            Self::Whole => ("histogram", "From a request's head to the last byte of its answer."),
            Self::Received => {
                ("counter", "Bytes of requests' bodies, and of clients of connections passed on.")
            }
            Self::Sent => {
                ("counter", "Bytes of answers' bodies, as sent, and to clients of connections passed on.")
            }
            Self::InFlight => {
                ("gauge", "Requests that containers are working on, and connections passed on to them.")
            }
            Self::Of(Event::Retry) => ("counter", "Requests sent to a container once more."),
            Self::Of(Event::Ejection) => ("counter", "Containers taken out for a while."),
            Self::Of(Event::Queued) => ("counter", "Requests and connections that waited for a container."),
            Self::Of(Event::Limited) => ("counter", "Requests and connections refused as one too many."),
            Self::Of(Event::Refused) => ("counter", "Requests and connections refused by a rule of the app."),
            Self::Of(Event::CutOff) => ("counter", "Answers that the app began and did not end."),
            Self::Of(Event::Connection) => ("counter", "Connections passed on as they are."),
            Self::Of(Event::Unconnected) => ("counter", "The same that no container accepted."),
        }
    }
}

impl Body for Exposition {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.is_pausing = !self.is_pausing;
        if !self.is_pausing {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(self.piece().map(|text| Ok(Frame::data(text.into()))))
    }
}

#[cfg(test)]
mod tests;
