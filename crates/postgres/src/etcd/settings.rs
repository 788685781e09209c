//! What one member of etcd is told at its start.

use std::path::Path;

use crate::config::{Config, Member};
use crate::http::address;
use crate::tls::TlsFiles;

/// How a member that has nothing yet begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// It goes on with what it has.
    Again,
    /// It founds a cluster with all members.
    Founding,
    /// It becomes part of a cluster with these members, as `name=peer URL`, itself among them.
    Joining(Vec<String>),
}

/// The words etcd is started with: a file of settings cannot say all of it.
pub(crate) fn words(config: &Config, directory: &Path, start: &Start, tls: Option<&TlsFiles>) -> Vec<String> {
    let (client, peer) = (own(config, config.ports.etcd), own(config, config.ports.etcd_peer));
    let state = if matches!(start, Start::Joining(_)) { "existing" } else { "new" };
    let mut words = vec![
        format!("--name={}", config.host),
        format!("--data-dir={}", directory.display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster={}", initial(config, start).join(",")),
        format!("--initial-cluster-state={state}"),
    ];
    words.extend(ALWAYS.map(str::to_owned));
    words.extend(tls.map(secured).into_iter().flatten());
    words
}

/// What holds for every member.
const ALWAYS: [&str; 12] = [
    "--initial-cluster-token=deis-database",
    "--strict-reconfig-check=true",
    "--pre-vote=true",
    // Slower than the defaults: members on busy machines must not hold elections for want of CPU.
    "--heartbeat-interval=200",
    "--election-timeout=2000",
    "--snapshot-count=10000",
    "--auto-compaction-mode=periodic",
    "--auto-compaction-retention=1h",
    "--quota-backend-bytes=268435456",
    "--logger=zap",
    "--log-outputs=stderr",
    // It warns of every call through its gateway.
    "--log-level=error",
];

fn secured(tls: &TlsFiles) -> Vec<String> {
    let files = |what: &str| {
        [
            format!("--{what}cert-file={}", tls.certificate.display()),
            format!("--{what}key-file={}", tls.key.display()),
            format!("--{what}trusted-ca-file={}", tls.authorities.display()),
            format!("--{what}client-cert-auth=true"),
        ]
    };
    let mut words = [files(""), files("peer-")].concat();
    // A host with several addresses may call from another than the one it is known by. Who it is, its certificate says.
    words.push("--experimental-peer-skip-client-san-verification=true".to_owned());
    words
}

fn initial(config: &Config, start: &Start) -> Vec<String> {
    match start {
        Start::Joining(members) => members.clone(),
        _ => config.members.iter().map(|member| entry(config, member)).collect(),
    }
}

fn entry(config: &Config, member: &Member) -> String {
    format!("{}={}", member.name, address(config.scheme(), member.address, config.ports.etcd_peer))
}

fn own(config: &Config, port: u16) -> String {
    address(config.scheme(), config.this_member().address, port)
}
