//! Looking at a job until it has ended.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::{Task, TaskState};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use deis_model::Job;

use super::hand;
use crate::swarm::Swarm;
use crate::swarm::failure::refused;
use crate::swarm::history::{is_over, state_of};
use crate::swarm::trouble::refusal;
use crate::{HostState, OutputFrame, SchedulerError};

/// Between looks at a job's task.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Between looks at the job's host.
const HOST_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// How long the managers may take a job's host for lost before that is believed: one that was connected to a leader that
/// is gone is thought lost until it has found the next.
const LOST_FOR: Duration = Duration::from_secs(15);

/// How long a job may wait for a host that can take it, while the manager says that none can.
const PLACED_WITHIN: Duration = Duration::from_secs(10);

/// Looks at a job until it has ended.
pub(super) struct Watch<'a> {
    swarm: &'a Swarm,
    id: &'a str,
    job: &'a Job,
    begun: Instant,
    host_seen: Instant,
    host_lost: Option<Instant>,
}

impl<'a> Watch<'a> {
    /// Begins to look.
    pub(super) fn new(swarm: &'a Swarm, id: &'a str, job: &'a Job) -> Self {
        let now = Instant::now();
        Self { swarm, id, job, begun: now, host_seen: now, host_lost: None }
    }

    /// The job's task as soon as it is as `wanted`.
    pub(super) async fn until(&mut self, wanted: impl Fn(&Task) -> bool) -> Result<Task, SchedulerError> {
        loop {
            if let Some(task) = self.look().await?.filter(&wanted) {
                return Ok(task);
            }
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        }
    }

    /// Hands output on until the task is over; answers how many frames of it that were, and the task.
    pub(super) async fn while_following(
        &mut self,
        mut frames: BoxStream<'_, Result<LogOutput, Error>>,
        output: &Sender<OutputFrame>,
    ) -> Result<(usize, Task), SchedulerError> {
        let mut handed = 0;
        let ended = self.until(is_over);
        let mut ended = std::pin::pin!(ended);
        loop {
            tokio::select! {
                ended = &mut ended => return Ok((handed, ended?)),
                frame = frames.next() => match frame {
                    Some(Ok(frame)) => handed += hand(frame, output).await,
                    // What is missing is read at the end.
                    _ => return Ok((handed, ended.await?)),
                },
            }
        }
    }

    /// The job's task as it is now; none while there is none or the cluster is not able to tell.
    async fn look(&mut self) -> Result<Option<Task>, SchedulerError> {
        let tasks = self.swarm.tasks([("service".to_owned(), vec![self.id.to_owned()])].into()).await;
        let tasks = match tasks {
            // The managers choose a leader: hosts go on with what they have.
            Err(SchedulerError::Away { .. }) => return Ok(None),
            Ok(None) => return Err(self.lost("its service was removed")),
            tasks => tasks?.unwrap_or_default(),
        };
        let Some(task) = tasks.into_iter().next() else { return Ok(None) };
        let has_no_place = state_of(&task) == Some(TaskState::PENDING);
        if has_no_place && self.begun.elapsed() >= PLACED_WITHIN {
            refusal(&self.job.name.to_string(), &task).map_or(Ok(()), Err)?;
        }
        if !is_over(&task) && self.host_seen.elapsed() >= HOST_AGAIN_AFTER {
            self.look_at_host(&task).await?;
        }
        Ok(Some(task))
    }

    async fn look_at_host(&mut self, task: &Task) -> Result<(), SchedulerError> {
        self.host_seen = Instant::now();
        let Some(id) = task.node_id.as_ref().filter(|id| !id.is_empty()) else { return Ok(()) };
        let hosts = match self.swarm.nodes().await {
            Err(SchedulerError::Away { .. }) => return Ok(()),
            hosts => hosts?,
        };
        match hosts.iter().find(|host| host.id == *id) {
            Some(host) if host.state == HostState::Down => {
                match self.host_lost.get_or_insert_with(Instant::now).elapsed() >= LOST_FOR {
                    true => {
                        Err(self.lost(&format!("its host {} was lost; it is not started again", host.name)))
                    }
                    false => Ok(()),
                }
            }
            None => Err(self.lost("its host was removed; it is not started again")),
            Some(_) => {
                self.host_lost = None;
                Ok(())
            }
        }
    }

    fn lost(&self, reason: &str) -> SchedulerError {
        refused("run", &self.job.name.to_string(), reason)
    }
}
