//! The life of etcd on one host: founding, joining, running, and beginning anew after it was removed.

use std::fs;
use std::time::Duration;

use deis_runtime::Shutdown;
use tracing::info;

use super::EtcdClient;
use super::membership::{Situation, Step, plan};
use super::settings::{Start, words};
use crate::child::{Ends, Program};
use crate::error::DatabaseError;
use crate::host::Host;
use crate::http::address;
use crate::member::ask_others;

const ETCD: Program = Program {
    name: "etcd",
    cure: "see the journal of the database role; if its disk is broken, remove the host and let it join anew",
    grace: Duration::from_secs(5),
    routine: &[],
};
/// How soon a host that has to wait for others looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Keeps etcd running until `shutdown`.
pub(crate) async fn keep(host: &Host, shutdown: &Shutdown) -> Result<(), DatabaseError> {
    let mut ends = Ends::default();
    while !shutdown.is_cancelled() {
        let step = plan(&situation(host).await);
        match act(host, step).await {
            Ok(Some(start)) => {
                run(host, &start, &mut ends, shutdown).await?;
                ends.pause(shutdown).await;
                continue;
            }
            Ok(None) => {}
            Err(error) => host.status.trouble("etcd", error, ETCD.cure),
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
    Ok(())
}

/// Does what was planned; gives back how etcd is to be started, if it is.
async fn act(host: &Host, step: Step) -> Result<Option<Start>, DatabaseError> {
    let (cluster, peer) = (others(host), own_peer(host));
    match step {
        Step::Start => return Ok(Some(Start::Again)),
        Step::Found => {
            host.account.write(&host.layout.founding(), b"")?;
            return Ok(Some(Start::Founding));
        }
        Step::Join(members) => return Ok(Some(Start::Joining(members))),
        Step::Wait(reason) => host.status.trouble("etcd", reason, "start the database on all of its hosts"),
        Step::Empty => empty(host)?,
        Step::Add => {
            any(cluster, |etcd| async move { etcd.add(&own_peer(host)).await }).await?;
            info!(peer, "asked to join");
        }
        Step::Forget(id) => {
            any(cluster, |etcd| {
                let id = id.clone();
                async move { etcd.remove(&id).await }
            })
            .await?;
            info!(id, "had the member that this host was before forgotten");
        }
    }
    Ok(None)
}

async fn run(host: &Host, start: &Start, ends: &mut Ends, shutdown: &Shutdown) -> Result<(), DatabaseError> {
    let mut command = host.account.command(&host.programs.etcd);
    command.args(words(&host.config, &host.layout.etcd(), start, host.tls.as_ref()));
    command.current_dir(host.layout.root());
    info!(?start, "starting etcd");
    ETCD.run(command, ends, &host.status, shutdown).await.map(drop)
}

/// Others removed this host: what etcd has here is of no use to anybody.
fn empty(host: &Host) -> Result<(), DatabaseError> {
    let path = host.layout.etcd();
    fs::remove_dir_all(&path).map_err(|source| DatabaseError::File { path: path.clone(), source })?;
    host.account.make_directory(&path)
}

async fn situation(host: &Host) -> Situation {
    let cluster = any(others(host), |etcd| async move { etcd.members().await });
    let (cluster, others) = tokio::join!(cluster, ask_others(&host.config, &host.http));
    Situation {
        has_etcd: host.layout.has_etcd(),
        cluster: cluster.ok(),
        others,
        peer: own_peer(host),
        name: host.config.host.clone(),
    }
}

fn others(host: &Host) -> Vec<EtcdClient> {
    host.config.others().map(|member| host.etcd(member)).collect()
}

fn own_peer(host: &Host) -> String {
    address(host.config.scheme(), host.config.this_member().address, host.config.ports.etcd_peer)
}

/// The first answer of any of `clients`.
async fn any<T, F, Fut>(clients: Vec<EtcdClient>, question: F) -> Result<T, DatabaseError>
where
    F: Fn(EtcdClient) -> Fut,
    Fut: Future<Output = Result<T, DatabaseError>>,
{
    let mut last = DatabaseError::Settings { reason: "there is no other host to ask".to_owned() };
    for client in clients {
        match question(client).await {
            Ok(answer) => return Ok(answer),
            Err(error) => last = error,
        }
    }
    Err(last)
}
