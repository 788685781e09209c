//! Caring for the members of etcd: those that caught up get a vote, those that are gone for good are forgotten.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use deis_runtime::Shutdown;
use futures::future::join_all;
use tokio::net::TcpStream;
use tracing::{info, warn};
use url::Url;

use super::client::{EtcdClient, EtcdMember};
use crate::error::DatabaseError;
use crate::host::Host;
use crate::http::address;

/// How often the members are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A host that is not among the settings any more is forgotten after it was silent for this long: the settings of
/// hosts change one after the other, and one that still answers may be new to this host only.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// How long a member may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// Since when each member is silent, by its id.
type Silence = HashMap<String, Instant>;

/// Cares until `shutdown`.
pub(crate) async fn care(host: &Host, shutdown: &Shutdown) {
    let etcd = host.etcd(host.config.this_member());
    let mut silence = Silence::new();
    while !shutdown.is_cancelled() {
        match look(host, &etcd, &mut silence).await {
            Ok(()) => host.status.well("etcd"),
            Err(error) => {
                let cure = "start the database on more of its hosts: the majority has to agree";
                host.status.trouble("etcd", error, cure);
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

async fn look(host: &Host, etcd: &EtcdClient, silence: &mut Silence) -> Result<(), DatabaseError> {
    let members = etcd.members().await?;
    // A majority has answered: whatever comes, this cluster is founded.
    let _ = std::fs::remove_file(host.layout.founding());
    for learner in members.iter().filter(|member| member.learner && !member.name.is_empty()) {
        match etcd.promote(&learner.id).await {
            Ok(()) => info!(member = %learner.name, "gave a member its vote"),
            Err(error) => info!(member = %learner.name, %error, "a member has not caught up yet"),
        }
    }
    let present = join_all(members.iter().map(answers)).await;
    let present: Vec<(&EtcdMember, bool)> = members.iter().zip(present).collect();
    note(&present, silence);
    let wanted: Vec<String> = host
        .config
        .members
        .iter()
        .map(|member| address(host.config.scheme(), member.address, host.config.ports.etcd_peer))
        .collect();
    if let Some(gone) = to_forget(&present, &wanted, silence, Instant::now()) {
        warn!(member = %gone.name, peers = ?gone.peers, "forgot a host that is no member any more");
        etcd.remove(&gone.id).await?;
    }
    Ok(())
}

/// Whether somebody listens where the member should.
async fn answers(member: &EtcdMember) -> bool {
    let place = member.clients.first().and_then(|client| Url::parse(client).ok());
    let place =
        place.and_then(|url| Some((url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port()?)));
    let Some((host, port)) = place else { return false };
    let connected = tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await;
    matches!(connected, Ok(Ok(_)))
}

fn note(present: &[(&EtcdMember, bool)], silence: &mut Silence) {
    silence.retain(|id, _| present.iter().any(|(member, answers)| &member.id == id && !answers));
    for (member, _) in present.iter().filter(|(_, answers)| !answers) {
        silence.entry(member.id.clone()).or_insert_with(Instant::now);
    }
}

/// One member that is wanted no more and silent, if the others have a majority without it.
fn to_forget<'a>(
    present: &[(&'a EtcdMember, bool)],
    wanted: &[String],
    silence: &Silence,
    now: Instant,
) -> Option<&'a EtcdMember> {
    let silent = |member: &EtcdMember| {
        silence.get(&member.id).is_some_and(|since| now.duration_since(*since) >= SILENT_FOR)
    };
    let unwanted = |member: &EtcdMember| !member.peers.iter().any(|peer| wanted.contains(peer));
    let (gone, _) = present.iter().find(|(member, _)| unwanted(member) && silent(member))?;
    let rest = present.iter().filter(|(member, _)| member.id != gone.id && !member.learner);
    let (all, there) =
        rest.fold((0, 0), |(all, there), (_, answers)| (all + 1, there + usize::from(*answers)));
    (there > all / 2).then_some(gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Members as letters: capital ones answer. `a` and `b` are wanted, `x` and `y` are not.
    fn check(members: &str, silent_for: Duration, expected: Option<&str>) {
        let members: Vec<(EtcdMember, bool)> = members
            .chars()
            .map(|letter| {
                let id = letter.to_ascii_lowercase().to_string();
                let peers = vec![format!("http://{id}:2380")];
                (EtcdMember { name: id.clone(), id, peers, ..EtcdMember::default() }, letter.is_uppercase())
            })
            .collect();
        let present: Vec<(&EtcdMember, bool)> =
            members.iter().map(|(member, there)| (member, *there)).collect();
        let mut silence = Silence::new();
        note(&present, &mut silence);
        let wanted = ["http://a:2380".to_owned(), "http://b:2380".to_owned()];
        let now = Instant::now() + silent_for;
        let gone = to_forget(&present, &wanted, &silence, now).map(|member| member.id.as_str());
        assert_eq!(gone, expected);
    }

    #[test]
    fn only_hosts_that_are_silent_for_long_and_not_wanted_are_forgotten() {
        check("ABx", SILENT_FOR, Some("x"));
        check("ABx", SILENT_FOR / 2, None);
        check("ABX", SILENT_FOR, None);
        check("aBX", SILENT_FOR, None);
        check("abX", SILENT_FOR, None);
    }

    #[test]
    fn nobody_is_forgotten_when_the_rest_has_no_majority() {
        check("Abx", SILENT_FOR, None);
        check("Ax", SILENT_FOR, Some("x"));
        check("ABxy", SILENT_FOR, Some("x"));
    }
}
