//! Settings of connections: the PROXY protocol, TLS, ports.

use std::ops::RangeInclusive;

use super::app::AppSettings;
use super::cidr::Cidr;
use super::error::SettingError;
use super::mesh::MeshSettings;
use super::rules::{Protocol, ProxyProtocol};
use super::setting::Setting;
use super::tls::{TlsSettings, TlsVersions};
use super::value::{Must, count, list, millis, number, put, seconds, small, switch, word};

/// The setting of an app's own port.
pub const PORT: &str = "tcp/port";

pub(super) const SETTINGS: &[Setting] = &[
    Setting::mesh(
        "proxyProtocol",
        "off",
        "on: connections on 80 and 443, and at apps' own ports, begin with the client's address by the PROXY protocol, v1 or v2",
        |mesh, value| put(&mut mesh.proxy_protocol, switch(value)),
    ),
    Setting::mesh(
        "proxyRealIpCidr",
        "127.0.0.0/8,::1",
        "load balancers in front, whose word on clients is believed: addresses and ranges (the original: 10.0.0.0/8)",
        |mesh, value| put(&mut mesh.trusted, ranges(value)),
    ),
    Setting::mesh(
        "connectionLimit",
        "",
        "connections of one client address (IPv6: the first 64 bits) per router at a time; empty: a fifth of all; 0: any",
        |mesh, value| {
            let limit = if value.is_empty() { Ok(None) } else { count(value, 0..=1_000_000).map(Some) };
            put(&mut mesh.connection_limit, limit)
        },
    ),
    Setting::mesh(
        "maxWorkerConnections",
        "",
        "visitors' connections of each router at a time, all its workers together; further ones wait; empty: 10000",
        |mesh, value| put(&mut mesh.connections, connections(value)),
    ),
    Setting::mesh(
        "workerProcesses",
        "auto",
        "on how many cores a router serves visitors from its next start on; auto: on all",
        |mesh, value| put(&mut mesh.workers, workers(value)),
    ),
    Setting::mesh(
        "metrics/whitelist",
        "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7",
        "who may read /metrics, others get 403: addresses and ranges; /health-check is for everybody",
        |mesh, value| put(&mut mesh.metrics_readers, ranges(value)),
    ),
    Setting::mesh(
        "builder/timeout/connect",
        "10000",
        "how long a builder may take to accept a git connection, in milliseconds",
        |mesh, value| put(&mut mesh.builder.connect, millis(value)),
    ),
    Setting::mesh(
        "builder/timeout/tcp",
        "1200000",
        "how long nothing may move on a git connection, in milliseconds",
        |mesh, value| put(&mut mesh.builder.idle, millis(value)),
    ),
    Setting::mesh(
        "builder/proxyProtocol",
        "on",
        "on: builders learn clients' addresses by the PROXY protocol",
        |mesh, value| put(&mut mesh.builder.is_told, switch(value)),
    ),
    Setting::mesh(
        "git/proxyProtocol",
        "off",
        "on: git connections begin with the client's address by the PROXY protocol, v1 or v2",
        |mesh, value| put(&mut mesh.git_proxy_protocol, switch(value)),
    ),
    Setting::mesh(
        "tcp/ports",
        "",
        "the ports that apps may have of their own, as 20000-20999; empty: none",
        |mesh, value| put(&mut mesh.tcp_ports, ports(value)),
    ),
    Setting::mesh("http2", "on", "off: visitors are spoken to in HTTP/1 only", |mesh, value| {
        put(&mut mesh.http2, switch(value))
    }),
    Setting::mesh(
        "sslCert",
        "",
        "the certificate for hosts without one of their own, PEM, with sslKey",
        |mesh, value| pair(mesh, |pair| pair.chain = value.to_owned(), value, "CERTIFICATE-----"),
    ),
    Setting::mesh("sslKey", "", "the private key of sslCert, PEM", |mesh, value| {
        pair(mesh, |pair| pair.key = value.to_owned(), value, "PRIVATE KEY-----")
    })
    .secret(),
    Setting::mesh("sslProtocols", "TLSv1.2 TLSv1.3", "the versions of TLS that are spoken", |mesh, value| {
        put(&mut mesh.tls.versions, TlsVersions::parse(value))
    }),
    Setting::mesh(
        "sslCiphers",
        "",
        "the cipher suites that may be used, best first, by OpenSSL's names; empty: all safe ones",
        |mesh, value| put(&mut mesh.tls.ciphers, TlsSettings::ciphers(value)),
    ),
    Setting::mesh(
        "sslSessionTickets",
        "on",
        "on: TLS sessions go on by tickets, which every router of the mesh opens",
        |mesh, value| put(&mut mesh.tls.session_tickets, switch(value)),
    ),
    Setting::mesh("sslSessionTimeout", "10m", "how long TLS sessions may go on", |mesh, value| {
        put(&mut mesh.tls.session_timeout, seconds(value))
    }),
    Setting::app(
        "protocol",
        "http1",
        "what containers speak: http1, or h2c for HTTP/2 without TLS, which gRPC needs",
        |rules, value| {
            let protocols = [("http1", Protocol::Http1), ("h2c", Protocol::H2c)];
            put(&mut rules.protocol, word(value, protocols))
        },
    ),
    Setting::app(
        PORT,
        "0",
        "a port of routers at which connections are passed on to the app as they are; 0: none",
        |rules, value| {
            put(&mut rules.tcp_port, small(value, 0..=65_535).map(|port| Some(port).filter(|port| *port > 0)))
        },
    ),
    Setting::app(
        "tcp/proxyProtocol",
        "off",
        "v1 or v2: connections passed on as they are begin with the client's address by the PROXY protocol",
        |rules, value| {
            let words = [("off", None), ("v1", Some(ProxyProtocol::V1)), ("v2", Some(ProxyProtocol::V2))];
            put(&mut rules.proxy_protocol, word(value, words))
        },
    ),
    Setting::app(
        "tls/passthrough",
        "off",
        "on: TLS connections to the app's hosts are passed on unopened, for the app to answer",
        |rules, value| put(&mut rules.tls_passthrough, switch(value)),
    ),
];

/// Routers with fewer places than that would turn away what one browser opens.
const FEWEST_CONNECTIONS: u32 = 64;

fn connections(value: &str) -> Result<Option<u32>, Must> {
    if value.is_empty() { Ok(None) } else { count(value, FEWEST_CONNECTIONS..=1_000_000).map(Some) }
}

fn workers(value: &str) -> Result<Option<u16>, Must> {
    let must = || Must::be("auto, or a whole number from 1 to 256");
    match value {
        "auto" => Ok(None),
        value => small(value, 1..=256).map(Some).map_err(|_| must()),
    }
}

fn ranges(value: &str) -> Result<Vec<Cidr>, Must> {
    let ranges: Option<Vec<_>> = list(value).map(|text| text.parse().ok()).collect();
    ranges.ok_or_else(|| Must::be("addresses and ranges with commas, like 10.0.0.0/8,fd00::/8"))
}

/// The most ports that apps may have together.
const MOST_PORTS: u16 = 1_000;

/// Ports below are for programs that the system trusts.
const FIRST_PORT: u16 = 1_024;

fn ports(value: &str) -> Result<Option<RangeInclusive<u16>>, Must> {
    if value.is_empty() {
        return Ok(None);
    }
    let range = value.split_once('-').and_then(|(first, last)| Some(number(first)?..=number(last)?));
    let fits = |range: &RangeInclusive<u16>| {
        !range.is_empty() && *range.start() >= FIRST_PORT && range.end() - range.start() < MOST_PORTS
    };
    let must = || Must::be(format!("at most {MOST_PORTS} ports from {FIRST_PORT} on, like 20000-20999"));
    range.filter(fits).map(Some).ok_or_else(must)
}

impl MeshSettings {
    /// Refuses a port of an app's own that no router opens.
    pub fn check_port(&self, app: &AppSettings) -> Result<(), SettingError> {
        let wanted = self.rules(app).tcp_port;
        let is_open = |port| self.tcp_ports.as_ref().is_some_and(|ports| ports.contains(&port));
        if wanted.is_none_or(is_open) {
            return Ok(());
        }
        let must = match &self.tcp_ports {
            Some(ports) => format!("from {} to {}, the ports for apps on this platform", ports.start(), ports.end()),
            None => "0, as this platform has no ports for apps; its operators say which with `deisctl config router set tcp/ports=20000-20999`".to_owned(),
        };
        Err(SettingError::value(PORT, Must(must)))
    }
}

/// Sets one half of the platform's certificate, a PEM with `mark` in it; empty takes it away.
fn pair(
    mesh: &mut MeshSettings,
    set: impl FnOnce(&mut crate::KeyPair),
    value: &str,
    mark: &str,
) -> Result<(), Must> {
    let is_pem = value.contains("-----BEGIN ") && value.contains(mark);
    if !value.is_empty() && !is_pem {
        return Err(Must::be(format!("the text of a PEM file with BEGIN … {mark}")));
    }
    let empty = || crate::KeyPair { chain: String::new(), key: String::new() };
    set(mesh.tls.certificate.get_or_insert_with(empty));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_has_a_port_that_routers_open_or_none() {
        let check = |offered: Option<&str>, port: &str, expected: &str| {
            let settings = offered.map(|ports| ("tcp/ports".to_owned(), ports.to_owned()));
            let mesh = MeshSettings::parse(&settings.into_iter().collect()).unwrap();
            let app = AppSettings::parse(&[(PORT.to_owned(), port.to_owned())].into()).unwrap();
            let found = mesh.check_port(&app).map_or_else(|error| error.to_string(), |()| "fine".to_owned());
            assert!(found.contains(expected), "{offered:?} {port}: {found}");
        };
        check(Some("20000-20999"), "20999", "fine");
        check(Some("20000-20999"), "0", "fine");
        check(None, "0", "fine");
        check(Some("20000-20999"), "21000", "it must be from 20000 to 20999");
        check(None, "20000", "it must be 0");
    }

    #[test]
    fn apps_ports_are_few_and_not_the_systems() {
        assert_eq!(ports(""), Ok(None));
        assert_eq!(ports("20000-20999"), Ok(Some(20_000..=20_999)));
        assert_eq!(ports("5432-5432"), Ok(Some(5_432..=5_432)));
        for bad in
            ["80-90", "20000", "20999-20000", "20000-21000", "20000-70000", "a-b", "-1-2", "1024 - 1025"]
        {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }
}
