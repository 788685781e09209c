//! Settings of how requests and answers pass.

use std::sync::Arc;

use super::rules::{Affinity, IDLE_MARGIN, LogForm, Timeouts};
use super::setting::{Scope, Setter, Setting};
use super::value::{Must, bytes, count, is_token, put, seconds, seconds_or_none, small, switch, word};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::both(
        "bodySize",
        "1m",
        "the longest body of a request, others get 413; 0: any",
        |rules, value| {
            put(&mut rules.body_bytes, bytes(value).map(|bytes| Some(bytes).filter(|bytes| *bytes > 0)))
        },
    ),
    Setting::both(
        "bufferRequests",
        "0",
        "how much of a request's body is taken in before a container is bothered, so that slow clients cost it nothing",
        |rules, value| put(&mut rules.buffer_bytes, buffer(value)),
    ),
    Setting {
        name: "defaultTimeout",
        scope: Scope::Both,
        default: "1300s",
        meaning: "how long containers may take to answer, and 10 s more how long nothing may move; the finer ones beat it",
        is_secret: false,
        set: Setter::Either(
            |mesh, value| {
                let apps = Arc::make_mut(&mut mesh.apps);
                take_default(&mut apps.timeouts, value)?;
                mesh.clients.idle = apps.timeouts.idle;
                Ok(())
            },
            |rules, value| take_default(&mut rules.timeouts, value),
        ),
    },
    Setting::both(
        "timeout/connect",
        "5s",
        "how long containers may take to accept a connection",
        |rules, value| put(&mut rules.timeouts.connect, seconds(value)),
    ),
    Setting::both(
        "timeout/answer",
        "",
        "how long containers may take to begin with an answer, then 504; defaultTimeout if nobody says",
        |rules, value| put(&mut rules.timeouts.answer, seconds(value)),
    ),
    Setting {
        name: "timeout/idle",
        scope: Scope::Both,
        default: "",
        meaning: "how long nothing may move in an answer, a WebSocket or on a client's connection; defaultTimeout and 10 s more \
            if nobody says",
        is_secret: false,
        set: Setter::Either(
            |mesh, value| {
                mesh.clients.idle = seconds(value)?;
                Arc::make_mut(&mut mesh.apps).timeouts.idle = mesh.clients.idle;
                Ok(())
            },
            |rules, value| put(&mut rules.timeouts.idle, seconds(value)),
        ),
    },
    Setting::mesh(
        "timeout/head",
        "60s",
        "how long a client may take to send the head of a request",
        |mesh, value| put(&mut mesh.clients.head, seconds(value)),
    ),
    Setting::mesh(
        "controller/timeout/connect",
        "10s",
        "how long a controller may take to accept a connection",
        |mesh, value| put(&mut Arc::make_mut(&mut mesh.controller).timeouts.connect, seconds(value)),
    ),
    Setting::mesh(
        "controller/timeout/read",
        "20m",
        "how long a controller may take to answer",
        |mesh, value| put(&mut Arc::make_mut(&mut mesh.controller).timeouts.answer, seconds(value)),
    ),
    Setting::both(
        "affinityArg",
        "",
        "the name of a query argument whose value decides which container answers; not with affinityCookie",
        |rules, value| {
            let argument = affinity(value, Affinity::Argument)?;
            // Without a value it only takes back itself, and not the cookie.
            if argument.is_some() || matches!(rules.affinity, Some(Affinity::Argument(_))) {
                rules.affinity = argument;
            }
            Ok(())
        },
    ),
    Setting::both(
        "affinityCookie",
        "",
        "the name of a cookie that the router gives, by which a visitor stays with one container; not with affinityArg",
        |rules, value| {
            let cookie = affinity(value, Affinity::Cookie)?;
            if cookie.is_some() || matches!(rules.affinity, Some(Affinity::Cookie(_))) {
                rules.affinity = cookie;
            }
            Ok(())
        },
    ),
    Setting::both(
        "queue",
        "100",
        "how many requests of an app wait in each router while no container is ready; 0: 503 at once",
        |rules, value| put(&mut rules.queue.limit, count(value, 0..=100_000)),
    ),
    Setting::both("queue/wait", "3s", "how long they wait, then 503", |rules, value| {
        put(&mut rules.queue.wait, seconds(value))
    }),
    Setting::both(
        "slowStart",
        "10s",
        "how long the share of requests grows that a container gets which joins others; 0: it gets its whole share at once",
        |rules, value| put(&mut rules.slow_start, seconds_or_none(value)),
    ),
    Setting::both(
        "ejectErrors",
        "off",
        "on: a container gets no requests for a while after five answers in a row that were errors of the server (5xx)",
        |rules, value| put(&mut rules.ejects_errors, switch(value)),
    ),
    Setting::app(
        "canary",
        "0",
        "how many of a hundred requests a new release gets until it is promoted; 0: it takes the place of the one before",
        |rules, value| put(&mut rules.canary_percent, percent(value)),
    ),
    Setting {
        name: "header/request/<Name>",
        scope: Scope::Both,
        default: "",
        meaning: "sets this header of requests before an app sees them; empty: removes it",
        is_secret: false,
        set: Setter::Header(|rules| &mut rules.headers.request),
    },
    Setting {
        name: "header/response/<Name>",
        scope: Scope::Both,
        default: "",
        meaning: "sets this header of apps' answers before a visitor sees them, not of the router's own pages; empty: removes it",
        is_secret: false,
        set: Setter::Header(|rules| &mut rules.headers.response),
    },
    Setting::both(
        "requestStart",
        "on",
        "on: apps learn from X-Request-Start when a request came in",
        |rules, value| put(&mut rules.request_start, switch(value)),
    ),
    Setting {
        name: "accessLog",
        scope: Scope::Both,
        default: "combined",
        meaning: "off, combined or json: whether, and how, requests leave a line in each router's access log; of an \
            app, which is off if it does not say so: in the app's own log",
        is_secret: false,
        set: Setter::Either(
            |mesh, value| put(&mut mesh.access_log.form, log_form(value)),
            |rules, value| put(&mut rules.access_log.form, log_form(value)),
        ),
    },
    Setting {
        name: "accessLog/sample",
        scope: Scope::Both,
        default: "100",
        meaning: "how many percent of the requests leave one, like 100, 5 or 0.1; those that failed (5xx) always do",
        is_secret: false,
        set: Setter::Either(
            |mesh, value| put(&mut mesh.access_log.per_ten_thousand, per_ten_thousand(value)),
            |rules, value| put(&mut rules.access_log.per_ten_thousand, per_ten_thousand(value)),
        ),
    },
    Setting::mesh(
        "metrics/apps",
        "on",
        "off: metrics say nothing of single apps, for platforms with more of them than Prometheus takes",
        |mesh, value| put(&mut mesh.app_metrics, switch(value)),
    ),
];

/// Takes over a time that is meant for all there is to wait for.
fn take_default(timeouts: &mut Timeouts, value: &str) -> Result<(), Must> {
    timeouts.answer = seconds(value)?;
    timeouts.idle = timeouts.answer + IDLE_MARGIN;
    Ok(())
}

/// The most of a request's body that can be taken in first, in bytes.
const MOST_BUFFERED: u64 = 64 << 20;

fn buffer(value: &str) -> Result<u64, Must> {
    bytes(value)
        .ok()
        .filter(|bytes| *bytes <= MOST_BUFFERED)
        .ok_or_else(|| Must::be("a size up to 64m, like 64k"))
}

fn affinity(value: &str, by: fn(String) -> Affinity) -> Result<Option<Affinity>, Must> {
    match value {
        "" => Ok(None),
        name if is_token(name) && name.len() <= 64 => Ok(Some(by(name.to_owned()))),
        _ => Err(Must::be("a name of at most 64 letters, digits, - and _")),
    }
}

/// Whole percent, with or without the sign; none if it is something else.
pub(crate) fn whole_percent(value: &str) -> Option<u8> {
    percent(value).ok()
}

fn percent(value: &str) -> Result<u8, Must> {
    let percent = small(value.strip_suffix('%').unwrap_or(value), 0..=100)?;
    u8::try_from(percent).map_err(|_| Must::be("from 0 to 100"))
}

fn log_form(value: &str) -> Result<LogForm, Must> {
    word(value, [("off", LogForm::Off), ("combined", LogForm::Combined), ("json", LogForm::Json)])
}

/// Percent with at most two decimals.
fn per_ten_thousand(value: &str) -> Result<u16, Must> {
    let must = || Must::be("percent from 0 to 100 with at most two decimals, like 5 or 0.1");
    let (whole, rest) = value.split_once('.').unwrap_or((value, "0"));
    let rest = format!("{rest:0<2}");
    let (whole, hundredths) = (small(whole, 0..=100), super::value::number::<u16>(&rest));
    let hundredths = hundredths.filter(|hundredths| *hundredths < 100 && rest.len() == 2);
    let share = whole.map_err(|_| must())? * 100 + hundredths.ok_or_else(must)?;
    if share <= 10_000 { Ok(share) } else { Err(must()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_percent_with_decimals() {
        let check = |text: &str, expected: Option<u16>| {
            assert_eq!(per_ten_thousand(text).ok(), expected, "{text:?}");
        };
        check("100", Some(10_000));
        check("5", Some(500));
        check("0.1", Some(10));
        check("0.25", Some(25));
        check("0", Some(0));
        for bad in ["", "101", "100.01", "-1", "0.001", ".", "1.x"] {
            check(bad, None);
        }
    }

    #[test]
    fn sizes_and_shares_have_bounds() {
        assert!(buffer("65m").is_err() && buffer("64m").is_ok());
        assert!(percent("101").is_err() && percent("5%") == Ok(5));
    }
}
