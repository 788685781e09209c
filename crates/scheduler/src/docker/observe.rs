//! Telling what containers there are.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum as Listed};
use futures::stream::{self, StreamExt, TryStreamExt};

use deis_model::{AppId, ContainerName, ContainerState, ContainerStatus};

use super::Docker;
use super::failure::{away, present};
use super::inspection::{Inspection, LastExit};
use crate::SchedulerError;
use crate::labels;

/// Inspections under way at a time.
const PARALLEL: usize = 16;

impl Docker {
    pub(super) async fn observe_containers(
        &self,
        app: Option<&AppId>,
    ) -> Result<Vec<ContainerStatus>, SchedulerError> {
        let wanted = app.map(|app| (labels::APP, app.to_string()));
        let listed = self.list_containers(wanted.as_slice()).await?;
        let seen = stream::iter(listed).map(|(name, summary)| self.tell(name, summary));
        let seen = seen.buffer_unordered(PARALLEL).try_collect::<Vec<_>>().await?;
        let mut seen: Vec<_> = seen.into_iter().flatten().collect();
        seen.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(seen)
    }

    /// None if the container went meanwhile.
    async fn tell(
        &self,
        name: ContainerName,
        summary: ContainerSummary,
    ) -> Result<Option<ContainerStatus>, SchedulerError> {
        let (Some(id), Some(listed)) = (summary.id, summary.state) else { return Ok(None) };
        let Some(inspection) = self.inspection(&id, listed.as_ref()).await? else { return Ok(None) };
        let labels = summary.labels.unwrap_or_default();
        let state = state(listed, inspection.exit_code);
        let port = labels::port(&labels).filter(|_| state == ContainerState::Up);
        let address = match port {
            Some(port) => self.address(&inspection, port).await?,
            None => None,
        };
        let last = last_exit(listed, &inspection, self.watcher.inspections.last_exit(&id));
        Ok(Some(ContainerStatus {
            name,
            id,
            state,
            address,
            health_check: labels::health_check(&labels),
            restarts: inspection.restarts,
            started_at: inspection.started_at,
            exit_code: last.exit_code,
            out_of_memory: last.out_of_memory,
            trouble: inspection.trouble.filter(|_| state != ContainerState::Up),
            misplaced: false,
            fingerprint: labels::text(&labels, labels::FINGERPRINT).to_owned(),
        }))
    }

    /// Where `port` of a running container is reached: on a host of a Swarm from other hosts, too.
    async fn address(
        &self,
        inspection: &Inspection,
        port: u16,
    ) -> Result<Option<SocketAddr>, SchedulerError> {
        if inspection.published.is_none() && !inspection.on_host_network {
            return Ok(inspection.ip.map(|ip| SocketAddr::new(ip, port)));
        }
        let host = self.host_address().await?.unwrap_or(Ipv4Addr::LOCALHOST.into());
        Ok(Some(SocketAddr::new(host, inspection.published.unwrap_or(port))))
    }

    /// Where the other hosts of the Swarm reach this one; none outside of a Swarm.
    async fn host_address(&self) -> Result<Option<IpAddr>, SchedulerError> {
        let known = self.watcher.inspections.host();
        if known.is_some() {
            return Ok(known);
        }
        let info = self.client.info().await.map_err(|error| away(self.socket(), &error))?;
        let address = info.swarm.and_then(|swarm| swarm.node_addr?.parse().ok());
        self.watcher.inspections.remember_host(address);
        Ok(address)
    }

    async fn inspection(&self, id: &str, listed: &str) -> Result<Option<Inspection>, SchedulerError> {
        let ticket = match self.watcher.inspections.look_up(id, listed) {
            Ok(inspection) if self.watcher.is_connected() => return Ok(Some(inspection)),
            Ok(_) => None,
            Err(ticket) => Some(ticket),
        };
        let answer = present(self.client.inspect_container(id, None).await);
        let answer = answer.map_err(|error| self.failed("inspect container", id, &error))?;
        let inspection = answer.as_ref().map(Inspection::read);
        if let (Some(inspection), Some(ticket)) = (&inspection, ticket) {
            self.watcher.inspections.remember(id, listed, ticket, inspection);
        }
        Ok(inspection)
    }
}

fn state(listed: Listed, exit_code: i64) -> ContainerState {
    match listed {
        Listed::CREATED => ContainerState::Created,
        Listed::RUNNING => ContainerState::Up,
        Listed::RESTARTING if exit_code != 0 => ContainerState::Crashed,
        Listed::RESTARTING | Listed::PAUSED | Listed::STOPPING => ContainerState::Down,
        Listed::EXITED => ContainerState::Crashed,
        Listed::REMOVING => ContainerState::Destroyed,
        Listed::DEAD | Listed::EMPTY => ContainerState::Error,
    }
}

/// The engine's own word while the container does not run, and what its events told while it does.
fn last_exit(listed: Listed, inspection: &Inspection, told: LastExit) -> LastExit {
    match listed {
        Listed::EXITED | Listed::RESTARTING | Listed::DEAD => LastExit {
            exit_code: Some(inspection.exit_code),
            out_of_memory: inspection.out_of_memory || told.out_of_memory,
        },
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listed: Listed, exit_code: i64, expected: ContainerState) {
        assert_eq!(state(listed, exit_code), expected, "{listed} {exit_code}");
    }

    #[test]
    fn the_engines_states_have_platform_names() {
        check(Listed::CREATED, 0, ContainerState::Created);
        check(Listed::RUNNING, 0, ContainerState::Up);
        check(Listed::RESTARTING, 1, ContainerState::Crashed);
        check(Listed::RESTARTING, 0, ContainerState::Down);
        check(Listed::EXITED, 0, ContainerState::Crashed);
        check(Listed::PAUSED, 0, ContainerState::Down);
        check(Listed::REMOVING, 137, ContainerState::Destroyed);
        check(Listed::DEAD, 0, ContainerState::Error);
    }
}
