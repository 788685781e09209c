//! Visitors: what a load generator saw of a router. wrk for HTTP/1.1, h2load for HTTP/2 and for a steady rate, newcomers of
//! our own for TLS that is set up from nothing each time, as both of them resume it.

use std::net::SocketAddr;
use std::process::Command;

use super::case::Case;
use super::newcomers;
use super::place::Place;

/// What visitors saw.
pub(super) struct Seen {
    /// How many requests were answered.
    pub(super) requests: f64,
    /// How many did not succeed.
    pub(super) failed: f64,
    /// In a second.
    pub(super) rate: f64,
    /// Milliseconds from request to answer: the median and the 99th percentile.
    pub(super) p50: f64,
    /// See there.
    pub(super) p99: f64,
}

/// Asks the router at `address` by the rules of `case`, for `seconds`.
pub(super) fn ask(case: &Case, address: SocketAddr, seconds: u32, place: &Place) -> Seen {
    if case.is_http_2 || case.per_second.is_some() {
        ask_with_h2load(case, address, seconds, place)
    } else if case.is_tls && case.is_new_each_time && !case.is_resumed {
        newcomers::ask(case, address, seconds, &place.certificate)
    } else {
        ask_with_wrk(case, address, seconds, place)
    }
}

fn ask_with_wrk(case: &Case, address: SocketAddr, seconds: u32, place: &Place) -> Seen {
    let scheme = if case.is_tls { "https" } else { "http" };
    let mut command = Command::new("wrk");
    command.args(["--latency", "-t1", &format!("-c{}", case.connections), &format!("-d{seconds}s")]);
    if case.asked > 1 {
        command.arg("-s").arg(place.write("hosts.lua", &hosts_script(case)));
    } else {
        command.args(["-H", &format!("Host: {}", super::host(0))]);
    }
    if case.is_new_each_time {
        command.args(["-H", "Connection: close"]);
    }
    command.arg(format!("{scheme}://{}:{}{}", super::host(0), address.port(), case.path));
    let said = output(&mut command);
    let number = |name: &str| figure(&said, name);
    let errors = said
        .lines()
        .find(|line| line.contains("Socket errors:"))
        .map_or(0.0, |line| line.split(&[' ', ','][..]).filter_map(|word| word.parse::<f64>().ok()).sum());
    Seen {
        requests: said
            .lines()
            .find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok())
            .expect("wrk counts"),
        failed: errors + number("Non-2xx or 3xx responses:").unwrap_or(0.0),
        rate: number("Requests/sec:").expect("wrk tells the rate"),
        p50: number("50%").expect("asked for"),
        p99: number("99%").expect("asked for"),
    }
}

/// Requests for the apps that are asked, in turn; they are spread over all that there are.
fn hosts_script(case: &Case) -> String {
    let hosts = (0..case.asked).map(|place| super::host(place * (case.apps / case.asked)));
    let hosts = hosts.map(|host| format!("'{host}'")).collect::<Vec<_>>().join(", ");
    format!(
        "local at = 0\nlocal heads = {{}}\nfunction init()\n for i, host in ipairs({{{hosts}}}) do\n  wrk.headers['Host'] = host\n  \
         heads[i - 1] = wrk.format('GET', '{path}')\n end\nend\nfunction request()\n at = (at + 1) % {asked}\n return heads[at]\nend\n",
        path = case.path,
        asked = case.asked,
    )
}

/// The number behind `name`; times in milliseconds.
fn figure(said: &str, name: &str) -> Option<f64> {
    let line = said.lines().find_map(|line| line.trim().strip_prefix(name))?.trim();
    let digits = line.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &line[digits.len()..] {
        "us" => 1e-3,
        "s" => 1e3,
        "m" => 60e3,
        _ => 1.0,
    };
    digits.parse::<f64>().ok().map(|number| number * scale)
}

fn ask_with_h2load(case: &Case, address: SocketAddr, seconds: u32, place: &Place) -> Seen {
    let log = place.directory.join("h2load.log");
    // It appends.
    let _ = std::fs::remove_file(&log);
    let mut command = Command::new("h2load");
    let at_a_time = if case.is_http_2 { 10 } else { 1 };
    let connections = case.connections / at_a_time;
    command.args(["-t1", &format!("-m{at_a_time}"), &format!("-c{connections}"), &format!("-D{seconds}")]);
    if !case.is_http_2 {
        command.arg("--h1");
    }
    if let Some(per_second) = case.per_second {
        command.arg(format!("--rps={}", per_second / connections));
    }
    let scheme = if case.is_tls { "https" } else { "http" };
    command.arg(format!("--log-file={}", log.display())).arg(format!("--connect-to={address}"));
    command.arg(format!("{scheme}://{}{}", super::host(0), case.path));
    let said = output(&mut command);
    let mut times: Vec<f64> =
        std::fs::read_to_string(&log).expect("h2load writes a log").lines().filter_map(time).collect();
    times.sort_by(f64::total_cmp);
    let counted = |what: &str| {
        said.lines()
            .find_map(|line| count_before(line.strip_prefix("requests:")?, what))
            .expect("h2load counts")
    };
    let requests = counted("succeeded");
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or(f64::NAN) / 1e3;
    Seen {
        requests,
        failed: counted("failed") + counted("errored"),
        rate: requests / f64::from(seconds),
        p50: at(50),
        p99: at(99),
    }
}

/// Microseconds of one answered request: start, status, time taken.
fn time(line: &str) -> Option<f64> {
    let mut fields = line.split('\t').skip(1);
    (fields.next()? == "200").then(|| fields.next()?.parse().ok()).flatten()
}

/// The number before `what` in `12 total, 12 started, 10 succeeded`.
fn count_before(line: &str, what: &str) -> Option<f64> {
    line.split(',').find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| {
        panic!("failed to start {command:?}: {error}; install wrk and nghttp2-client")
    });
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?} failed: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
