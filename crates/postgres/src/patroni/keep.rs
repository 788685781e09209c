//! The life of Patroni on one host: where the database comes from, running, and ending PostgreSQL when nobody watches it.

use std::time::Duration;
use std::{fs, io};

use deis_runtime::Shutdown;
use tracing::{info, warn};

use super::settings::{Bootstrap, INITIALIZED, LEADER, settings};
use crate::child::{End, Ends, Program};
use crate::error::DatabaseError;
use crate::host::Host;
use crate::member::ask_others;
use crate::moment::in_words;
use crate::restore::target;

const PATRONI: Program = Program {
    name: "patroni",
    cure: "see the journal of the database role for what it said before",
    grace: Duration::from_secs(20),
    routine: &["INFO: no action. ", "INFO: Lock owner: ", "rescheduling immediately"],
};
/// How soon a host that has to wait looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// After so many ends in short order PostgreSQL is ended as well: unwatched, it would take itself for the primary.
const UNWATCHED_ENDS: u32 = 3;

/// Keeps Patroni running until `shutdown`, and with it PostgreSQL.
pub(crate) async fn keep(host: &Host, shutdown: &Shutdown) -> Result<(), DatabaseError> {
    let mut ends = Ends::default();
    while let Some(bootstrap) = origin(host, shutdown).await {
        let settings = settings(&host.config, &host.layout, &host.programs, host.tls.as_ref(), &bootstrap);
        let file = host.layout.settings("patroni.yml");
        host.account.write(&file, settings.to_string().as_bytes())?;
        let mut command = host.account.command(&host.programs.patroni);
        command.arg(file).env("LC_ALL", "C.UTF-8").current_dir(host.layout.root());
        info!(?bootstrap, "starting patroni");
        match PATRONI.run(command, &mut ends, &host.status, shutdown).await? {
            End::Asked | End::Killed => break,
            End::Itself(count) if count >= UNWATCHED_ENDS => end_unwatched(host).await,
            End::Itself(_) => {}
        }
        ends.pause(shutdown).await;
    }
    // Patroni may have been killed before it could.
    end_unwatched(host).await;
    Ok(())
}

/// Ends PostgreSQL if it still runs.
async fn end_unwatched(host: &Host) {
    if !host.layout.is_running() {
        return;
    }
    match host.server.end_now().await {
        Ok(()) => warn!("ended PostgreSQL, which nobody watched"),
        Err(error) => warn!(%error, "failed to end PostgreSQL; most likely it did not run"),
    }
}

/// Where the database comes from if this host is to make it; none when it is time to end.
async fn origin(host: &Host, shutdown: &Shutdown) -> Option<Bootstrap> {
    loop {
        match decide(host).await {
            Ok(Decision::Start(bootstrap)) => {
                host.status.well("bootstrap");
                return (!shutdown.is_cancelled()).then_some(bootstrap);
            }
            Ok(Decision::Wait(reason)) => {
                host.status.trouble("bootstrap", reason, "start the database on all of its hosts");
            }
            Err(error) => {
                let cure = "see that the store is up: only it knows whether there is a database to restore";
                host.status.trouble("bootstrap", format!("the database is not started: {error}"), cure);
            }
        }
        tokio::select! {
            () = shutdown.cancelled() => return None,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

enum Decision {
    Start(Bootstrap),
    Wait(String),
}

async fn decide(host: &Host) -> Result<Decision, DatabaseError> {
    let (layout, etcd) = (&host.layout, host.etcd(host.config.this_member()));
    let part = layout.incomplete().exists();
    // Patroni would end at once without etcd. If PostgreSQL still runs, somebody has to watch over it all the same.
    if layout.has_data() && !part && layout.is_running() {
        return Ok(Decision::Start(Bootstrap::Empty));
    }
    let (initialized, leader) = match (etcd.read(INITIALIZED).await, etcd.read(LEADER).await) {
        (Ok(initialized), Ok(leader)) => (initialized, leader),
        (Err(error), _) | (_, Err(error)) => {
            return Ok(Decision::Wait(format!("etcd is not ready: {error}")));
        }
    };
    if layout.has_data() && !part {
        return Ok(Decision::Start(Bootstrap::Empty));
    }
    let made = initialized.as_ref().is_some_and(|system| !system.is_empty());
    if layout.has_data() && made && leader.is_none() {
        // Nobody is there to copy from: what is here may be all there is.
        return Ok(Decision::Start(Bootstrap::Empty));
    }
    if part && initialized.is_some() && !made && (layout.has_data() || host.config.members.len() == 1) {
        // This host was killed while it made the database, and nobody else will before that is forgotten.
        etcd.delete(INITIALIZED).await?;
    }
    clear(host)?;
    // Else this host becomes a copy of what is there.
    if initialized.is_none() || !made && part {
        make(host).await
    } else {
        Ok(Decision::Start(Bootstrap::Empty))
    }
}

/// Removes what is only a part of a database, and marks what comes next as one until it is whole.
fn clear(host: &Host) -> Result<(), DatabaseError> {
    for path in [host.layout.data(), host.layout.failed_data()] {
        match fs::remove_dir_all(&path) {
            Ok(()) => warn!(path = %path.display(), "removed what was only a part of a database"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(DatabaseError::File { path, source }),
        }
    }
    host.account.write(&host.layout.incomplete(), b"")
}

/// There is no database yet: how it is made, unless somebody else has one.
async fn make(host: &Host) -> Result<Decision, DatabaseError> {
    for (name, said) in ask_others(&host.config, &host.http).await {
        match said {
            None => return Ok(Decision::Wait(format!("{name} must answer before a database is made"))),
            Some(peer) if peer.has_data => {
                return Ok(Decision::Wait(format!("{name} has the database to be copied")));
            }
            Some(_) => {}
        }
    }
    let until = target(&host.layout)?;
    match (host.catalog.newest(until).await?, until) {
        (Some(_), _) => {
            Ok(Decision::Start(Bootstrap::Restored(until.map(|until| in_words(until.unix_timestamp())))))
        }
        (None, None) => Ok(Decision::Start(Bootstrap::Empty)),
        (None, Some(until)) => Ok(Decision::Wait(format!("the store has no backup from before {until}"))),
    }
}
