//! What Patroni is told: where everything is, who gets in, how soon a silent primary is replaced.

use serde_json::{Value, json};

use crate::config::Config;
use crate::layout::Layout;
use crate::programs::Programs;
use crate::tls::TlsFiles;

/// The name of the cluster in etcd, and what it is below.
const SCOPE: &str = "database";
const NAMESPACE: &str = "/deis/";
/// The key in etcd that is there once a database has been made.
pub(crate) const INITIALIZED: &str = "/deis/database/initialize";
/// The key that is there while a host is the primary.
pub(crate) const LEADER: &str = "/deis/database/leader";
/// The name of the platform's database and of the account that owns it.
pub(crate) const PLATFORM: &str = "deis";
/// A primary that is silent for this long, in seconds, has lost its place. At least the loop and two retries, so that
/// a primary that cannot reach etcd has stepped down before another is made.
const TTL: u32 = 10;
const LOOP_WAIT: u32 = 2;
const RETRY_TIMEOUT: u32 = 4;

/// Where a database comes from that is not there yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Bootstrap {
    /// It is made empty.
    Empty,
    /// It is restored from the store, as of the given time or as new as can be.
    Restored(Option<String>),
}

/// What holds for all members, kept in etcd.
pub(crate) fn dynamic(config: &Config) -> Value {
    let replicated = config.members.len() > 1;
    json!({
        "ttl": TTL,
        "loop_wait": LOOP_WAIT,
        "retry_timeout": RETRY_TIMEOUT,
        "maximum_lag_on_failover": 1 << 20,
        "primary_start_timeout": 10,
        "master_start_timeout": 10,
        "synchronous_mode": replicated,
        // With three, a write waits rather than be on one host alone; with two there would be nobody to wait for when
        // one is lost.
        "synchronous_mode_strict": config.members.len() > 2,
        "synchronous_node_count": 1,
        "failsafe_mode": false,
        "postgresql": {
            "use_pg_rewind": true,
            "use_slots": true,
            "remove_data_directory_on_rewind_failure": true,
            "remove_data_directory_on_diverged_timelines": true,
            "parameters": parameters(),
        },
    })
}

fn parameters() -> Value {
    json!({
        "max_connections": 200,
        "shared_buffers": "64MB",
        "max_worker_processes": 8,
        "max_wal_senders": 10,
        "max_replication_slots": 10,
        "wal_level": "replica",
        "hot_standby": "on",
        "wal_compression": "on",
        "wal_keep_size": "128MB",
        "max_wal_size": "512MB",
        "min_wal_size": "64MB",
        "max_slot_wal_keep_size": "1GB",
        // Copies archive as well: the last files of a primary that is gone are not lost to the archive.
        "archive_mode": "always",
        "archive_timeout": "60s",
        "wal_sender_timeout": "5s",
        "wal_receiver_timeout": "5s",
        "tcp_keepalives_idle": 5,
        "tcp_keepalives_interval": 2,
        "tcp_keepalives_count": 3,
        "idle_in_transaction_session_timeout": "60s",
        "password_encryption": "scram-sha-256",
        "log_line_prefix": "",
        "log_checkpoints": "off",
        "logging_collector": "off",
    })
}

/// The settings file, in JSON, which is YAML as well.
pub(crate) fn settings(
    config: &Config,
    layout: &Layout,
    programs: &Programs,
    tls: Option<&TlsFiles>,
    bootstrap: &Bootstrap,
) -> Value {
    let me = config.this_member();
    let at = |port: u16| std::net::SocketAddr::new(me.address, port).to_string();
    let mut restapi =
        json!({ "listen": at(config.ports.patroni), "connect_address": at(config.ports.patroni) });
    let mut ctl = json!({});
    let etcd =
        config.members.iter().map(|member| std::net::SocketAddr::new(member.address, config.ports.etcd));
    let mut etcd = json!({ "hosts": etcd.map(|address| address.to_string()).collect::<Vec<_>>() });
    if let Some(tls) = tls {
        let own = json!({ "certfile": tls.certificate, "keyfile": tls.key, "cafile": tls.authorities });
        extend(&mut restapi, own);
        extend(&mut restapi, json!({ "verify_client": "required" }));
        let own = json!({ "certfile": tls.certificate, "keyfile": tls.key, "cacert": tls.authorities });
        extend(&mut ctl, own);
        let own = json!({ "protocol": "https", "cert": tls.certificate, "key": tls.key, "cacert": tls.authorities });
        extend(&mut etcd, own);
    }
    json!({
        "scope": SCOPE,
        "namespace": NAMESPACE,
        "name": config.host,
        "restapi": restapi,
        "ctl": ctl,
        "etcd3": etcd,
        "watchdog": { "mode": "off" },
        "bootstrap": bootstrapping(config, layout, bootstrap),
        "postgresql": postgresql(config, layout, programs, tls),
        "tags": { "nofailover": false, "noloadbalance": false, "clonefrom": false, "nosync": false },
    })
}

fn extend(object: &mut Value, more: Value) {
    if let (Some(object), Value::Object(more)) = (object.as_object_mut(), more) {
        object.extend(more);
    }
}

fn postgresql(config: &Config, layout: &Layout, programs: &Programs, tls: Option<&TlsFiles>) -> Value {
    let me = config.this_member();
    let at = std::net::SocketAddr::new(me.address, config.ports.postgres).to_string();
    let account = |name: &str, password: &str| {
        let mut account = json!({ "username": name, "password": password });
        if let Some(tls) = tls {
            let checks = json!({
                "sslmode": "verify-ca",
                "sslrootcert": tls.roots,
                "sslcert": tls.certificate,
                "sslkey": tls.key,
            });
            extend(&mut account, checks);
        }
        account
    };
    json!({
        "listen": at,
        "connect_address": at,
        "data_dir": layout.data(),
        "bin_dir": programs.postgres,
        "pgpass": layout.run().join("pgpass"),
        "use_unix_socket": true,
        "use_unix_socket_repl": true,
        "authentication": {
            "superuser": account("postgres", &config.passwords.superuser),
            "replication": account("replicator", &config.passwords.replication),
            "rewind": account("rewinder", &config.passwords.replication),
        },
        "parameters": own_parameters(config, layout, tls),
        "pg_hba": admitted(tls.is_some()),
        "recovery_conf": { "restore_command": command(config, layout, "restore-wal", "%f %p") },
        "basebackup": [{ "checkpoint": "fast" }],
    })
}

/// What differs between hosts.
fn own_parameters(config: &Config, layout: &Layout, tls: Option<&TlsFiles>) -> Value {
    let mut parameters = json!({
        "unix_socket_directories": layout.run(),
        "archive_command": command(config, layout, "archive-wal", "%p"),
    });
    if let Some(tls) = tls {
        let security = json!({
            "ssl": "on",
            "ssl_cert_file": tls.server_certificate,
            "ssl_key_file": tls.server_key,
            "ssl_ca_file": tls.clients,
            "ssl_min_protocol_version": "TLSv1.3",
        });
        extend(&mut parameters, security);
    }
    parameters
}

/// Who gets in: the platform's account to the platform's database, members to copy each other, and the superuser on its
/// own host. Over the network only with a certificate as well.
fn admitted(tls: bool) -> Vec<String> {
    let (kind, certificate) = if tls { ("hostssl", " clientcert=verify-ca") } else { ("host", "") };
    vec![
        "local all all scram-sha-256".to_owned(),
        "local replication replicator scram-sha-256".to_owned(),
        format!("{kind} replication replicator all scram-sha-256{certificate}"),
        format!("{kind} all rewinder all scram-sha-256{certificate}"),
        format!("{kind} {PLATFORM} {PLATFORM} all scram-sha-256{certificate}"),
        "host all all all reject".to_owned(),
    ]
}

fn bootstrapping(config: &Config, layout: &Layout, bootstrap: &Bootstrap) -> Value {
    let mut settings = json!({
        "dcs": dynamic(config),
        "initdb": [{ "encoding": "UTF8" }, { "locale": "C.UTF-8" }, "data-checksums"],
    });
    // Patroni lets nobody in before this has run, and adds an argument of its own.
    let complete = format!("sh -c 'rm -f {}'", layout.incomplete().display());
    extend(&mut settings, json!({ "post_bootstrap": complete }));
    if let Bootstrap::Restored(until) = bootstrap {
        let mut recovery = json!({
            // Unlike a copy's, this one fails when the store does: a recovery that takes a store that is away for the
            // end of the log would silently lose what comes after.
            "restore_command": command(config, layout, "restore-wal --required", "%f %p"),
            "recovery_target_timeline": "latest",
            "recovery_target_action": "promote",
        });
        if let Some(until) = until {
            extend(&mut recovery, json!({ "recovery_target_time": until }));
        }
        let method = json!({
            "command": command(config, layout, "restore-base", &layout.data().display().to_string()),
            "no_params": true,
            "keep_existing_recovery_conf": false,
            "recovery_conf": recovery,
        });
        extend(&mut settings, json!({ "method": "store", "store": method }));
    }
    settings
}

/// A command line for PostgreSQL, which gives it to a shell: its words were checked to need no quotes.
fn command(config: &Config, layout: &Layout, verb: &str, rest: &str) -> String {
    let program = config.program.join(" ");
    format!("{program} database {verb} --socket {} {rest}", layout.socket().display())
}
