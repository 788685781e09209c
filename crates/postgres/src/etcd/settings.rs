//! What one member of etcd is told at its start.

use std::path::Path;

use serde_json::{Value, json};

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

/// The settings file, in JSON, which is YAML as well.
pub(crate) fn settings(config: &Config, directory: &Path, start: &Start, tls: Option<&TlsFiles>) -> Value {
    let (client, peer) = (own(config, config.ports.etcd), own(config, config.ports.etcd_peer));
    let mut settings = json!({
        "name": config.host,
        "data-dir": directory,
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster-token": "deis-database",
        "initial-cluster": initial(config, start).join(","),
        "initial-cluster-state": if matches!(start, Start::Joining(_)) { "existing" } else { "new" },
        "strict-reconfig-check": true,
        "pre-vote": true,
        // Slower than the defaults: three members on busy machines must not hold elections for want of CPU.
        "heartbeat-interval": 200,
        "election-timeout": 2000,
        "snapshot-count": 10_000,
        "auto-compaction-mode": "periodic",
        "auto-compaction-retention": "1h",
        "quota-backend-bytes": 256 << 20,
        "enable-v2": false,
        // Off unless it is named, once settings come from a file.
        "enable-grpc-gateway": true,
        "logger": "zap",
        "log-level": "warn",
        "log-outputs": ["stderr"],
    });
    if let (Some(tls), Some(settings)) = (tls, settings.as_object_mut()) {
        let security = json!({
            "cert-file": tls.certificate,
            "key-file": tls.key,
            "trusted-ca-file": tls.authorities,
            "client-cert-auth": true,
        });
        settings.insert("client-transport-security".into(), security.clone());
        settings.insert("peer-transport-security".into(), security);
    }
    settings
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
