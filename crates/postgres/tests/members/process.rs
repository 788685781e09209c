//! This test's own program, started again as a member or as what PostgreSQL calls.

use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use deis_postgres::{Config, Keeper, Passwords, Ports, archive_wal, restore_base, restore_wal};
use deis_runtime::{Role, Shutdown, StatusBoard};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

/// Has the program be a member.
pub(crate) const MEMBER: &str = "DEIS_TEST_MEMBER";
/// Has the program do what it is called back for.
pub(crate) const CALLBACK: &str = "DEIS_TEST_CALLBACK";
/// Away from what else may run on this machine, and below the ports that the kernel gives out.
pub(crate) const PORTS: Ports =
    Ports { postgres: 25432, patroni: 28008, etcd: 22379, etcd_peer: 22380, member: 25433 };

/// What a member is told.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub(crate) directory: PathBuf,
    pub(crate) host: String,
    pub(crate) members: Vec<String>,
    pub(crate) store: String,
    pub(crate) identity: PathBuf,
    pub(crate) program: String,
    pub(crate) backup_every_seconds: u64,
}

pub(crate) fn passwords() -> Passwords {
    Passwords {
        superuser: "superuser0123456789".into(),
        replication: "replication0123456789".into(),
        platform: "platform0123456789".into(),
    }
}

#[test]
fn member_process() {
    let Ok(orders) = env::var(MEMBER) else { return };
    let orders: Orders = serde_json::from_str(&orders).unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(be(orders));
}

async fn be(orders: Orders) {
    let shutdown = Shutdown::new();
    let asked = shutdown.clone();
    tokio::spawn(async move {
        signal(SignalKind::terminate()).unwrap().recv().await;
        asked.cancel();
    });
    let members = orders.members.iter().map(|member| member.parse().unwrap()).collect();
    let store = deis_store::open(&orders.store).await.unwrap();
    let mut config = Config::new(orders.directory, &orders.host, members, passwords(), store);
    config.ports = PORTS;
    config.identity = Some(orders.identity);
    config.program = vec![orders.program];
    config.retention.every = Duration::from_secs(orders.backup_every_seconds);
    let board = StatusBoard::new(Role::Registry);
    tokio::spawn(tell(board.clone()));
    let keeper = Keeper::bind(config, board).await.unwrap();
    keeper.run(shutdown).await.unwrap();
}

/// Has the log say what the status says, whenever that changes.
async fn tell(board: StatusBoard) {
    let mut last = String::new();
    loop {
        let status = board.snapshot();
        let now = format!("{} {:?}", status.address, status.problems);
        if now != last {
            tracing::info!(status = now, "changed");
            last = now;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[test]
fn callback_process() {
    let Ok(words) = env::var(CALLBACK) else { return };
    let words: Vec<&str> = words.split(' ').collect();
    let status = match words.as_slice() {
        ["database", "archive-wal", "--socket", socket, file] => {
            archive_wal(Path::new(socket), Path::new(file))
        }
        ["database", "restore-wal", "--socket", socket, name, file] => {
            restore_wal(Path::new(socket), name, Path::new(file), false)
        }
        ["database", "restore-wal", "--required", "--socket", socket, name, file] => {
            restore_wal(Path::new(socket), name, Path::new(file), true)
        }
        ["database", "restore-base", "--socket", socket, data] => {
            restore_base(Path::new(socket), Path::new(data))
        }
        _ => panic!("unknown words: {words:?}"),
    };
    std::process::exit(status.into());
}
