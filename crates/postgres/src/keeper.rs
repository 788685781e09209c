//! The role itself: brings up etcd, then Patroni, keeps both, and takes them down in good order.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use deis_runtime::{Shutdown, StatusBoard, serve};
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::archive::Archive;
use crate::config::Config;
use crate::error::DatabaseError;
use crate::host::Host;
use crate::member;
use crate::overseer::{Overseer, is_primary, is_well};
use crate::patroni::PatroniMember;
use crate::wal::WalArchive;
use crate::{etcd, patroni};

/// How long handing over may take before PostgreSQL is ended anyway.
const HAND_OVER: Duration = Duration::from_secs(15);
/// How often certificates are made anew, long before they end.
const RENEW_EVERY: Duration = Duration::from_secs(12 * 60 * 60);
/// How often it is looked whether the identity bundle has been replaced.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// One member of the database.
pub struct Keeper {
    host: Host,
    archive: UnixListener,
    member: TcpListener,
}

impl Keeper {
    /// Checks the settings and what is installed, writes certificates, and listens for PostgreSQL and other members.
    pub async fn bind(config: Config, status: StatusBoard) -> anyhow::Result<Self> {
        let host = Host::prepare(config, status)?;
        let config = &host.config;
        let address = SocketAddr::new(config.this_member().address, config.ports.member);
        let member = serve::bind(address).await?;
        let archive = Archive::bind(&host.layout, host.account)?;
        host.status.listens_on(SocketAddr::new(address.ip(), config.ports.postgres));
        Ok(Self { host, archive, member })
    }

    /// Keeps the member running until `shutdown`. A primary then hands over to a copy before it ends.
    pub async fn run(self, shutdown: Shutdown) -> anyhow::Result<()> {
        let Self { host, archive, member } = self;
        let (over, end_etcd, end_patroni) = (Shutdown::new(), Shutdown::new(), Shutdown::new());
        let mut services = services(&host, archive, member, &over);
        let etcd = tokio::spawn({
            let (host, end) = (host.clone(), end_etcd.clone());
            async move { etcd::keep(&host, &end).await }
        });
        let patroni = tokio::spawn({
            let (host, end) = (host.clone(), end_patroni.clone());
            async move { patroni::keep(&host, &end).await }
        });
        let (etcd_ends, patroni_ends) = (etcd.abort_handle(), patroni.abort_handle());
        tokio::select! {
            () = shutdown.cancelled() => hand_over(&host).await,
            () = until(|| etcd_ends.is_finished() || patroni_ends.is_finished()) => {}
        }
        end_patroni.cancel();
        let patroni = patroni.await.context("the keeper of Patroni panicked");
        end_etcd.cancel();
        let etcd = etcd.await.context("the keeper of etcd panicked");
        over.cancel();
        while services.join_next().await.is_some() {}
        patroni??;
        etcd??;
        Ok(())
    }
}

async fn until(done: impl Fn() -> bool) {
    while !done() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What goes on beside etcd and Patroni, until they have ended.
fn services(host: &Host, archive: UnixListener, member: TcpListener, over: &Shutdown) -> JoinSet<()> {
    let mut services = JoinSet::new();
    let answers = Archive {
        wal: WalArchive::new(host.config.store.clone()),
        catalog: host.catalog.clone(),
        layout: host.layout.clone(),
        status: host.status.clone(),
    };
    services.spawn({
        let over = over.clone();
        async move { told("the archive", answers.serve(archive, over).await) }
    });
    services.spawn({
        let (layout, tls, over) = (host.layout.clone(), host.tls.clone(), over.clone());
        async move { told("the member's door", member::serve(member, layout, tls, over).await) }
    });
    services.spawn({
        let (host, over) = (host.clone(), over.clone());
        async move { etcd::care(&host, &over).await }
    });
    services.spawn(Overseer { host: host.clone() }.run(over.clone()));
    services.spawn({
        let (host, over) = (host.clone(), over.clone());
        async move { rotate(&host, &over).await }
    });
    services
}

fn told<E: std::fmt::Display>(what: &str, ended: Result<(), E>) {
    if let Err(error) = ended {
        warn!(%error, "{what} ended");
    }
}

/// Makes new certificates in time, and at once when the identity bundle was replaced.
async fn rotate(host: &Host, over: &Shutdown) {
    let Some(bundle) = &host.config.identity else { return };
    let (mut made, mut seen) = (SystemTime::now(), changed(bundle));
    while !over.is_cancelled() {
        tokio::select! {
            () = over.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let now = changed(bundle);
        let old = made.elapsed().map_or(true, |age| age > RENEW_EVERY);
        if !old && now == seen {
            continue;
        }
        match host.renew().await {
            Ok(()) => {
                (made, seen) = (SystemTime::now(), now);
                info!("renewed certificates");
                host.status.well("certificates");
            }
            Err(error) => host.status.trouble("certificates", error, "see the journal of the database role"),
        }
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|found| found.modified()).ok()
}

/// Waits until the others can do without this host, and has a copy become the primary if this host is it: that takes
/// less time than noticing that it is gone. Hosts that are restarted one after the other so lose no moment.
async fn hand_over(host: &Host) {
    let handed = async {
        let own = &host.config.host;
        while let members = host.patroni.members().await?
            && is_awaited(host, &members).await
        {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let members = host.patroni.members().await?;
        let copy = members.iter().find(|member| member.role == "sync_standby" && member.follows());
        let (true, Some(copy)) = (is_primary(&members, own), copy) else { return Ok(()) };
        host.patroni.switch_over(own, &copy.name).await?;
        while is_primary(&host.patroni.members().await?, own) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        info!(to = %copy.name, "handed over");
        Ok::<(), DatabaseError>(())
    };
    match tokio::time::timeout(HAND_OVER, handed).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "ending without handing over"),
        Err(_) => warn!("ending without handing over: it took too long"),
    }
}

/// Whether another host is there and not yet as it should be.
async fn is_awaited(host: &Host, members: &[PatroniMember]) -> bool {
    let others = member::ask_others(&host.config, &host.http).await;
    others.iter().any(|(name, said)| said.is_some() && !is_well(members, name))
}
