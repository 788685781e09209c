//! What containers print, wherever they are.

use std::time::Duration;

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::Task;
use bollard::query_parameters::LogsOptionsBuilder;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};

use super::Swarm;
use super::history::{container_id, created, is_over};
use super::job::last_lines;
use crate::docker::{newer, readable, stamped, status};
use crate::{ContainerOutput, OutputFrame, SchedulerError};

/// How long a host may take to answer with the end of an output.
const TAIL_WITHIN: Duration = Duration::from_secs(10);

/// How many tasks in one place are asked what they printed.
const TASKS_ASKED: usize = 3;

/// Between looks whether a followed container still runs.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(1);

#[async_trait]
impl ContainerOutput for Swarm {
    async fn follow(
        &self,
        id: &str,
        after: i64,
    ) -> Result<BoxStream<'static, Result<OutputFrame, SchedulerError>>, SchedulerError> {
        let Some(task) = self.task_with(id).await? else {
            return self.local.follow(id, after).await;
        };
        let since = i32::try_from(after / 1_000_000_000).unwrap_or(i32::MAX);
        let options =
            LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).since(since).follow(true);
        let ended = ended(self.client().clone(), task.clone());
        let frames = self.client().clone().task_logs(&task, Some(options.build())).boxed();
        let frames = printed(frames).map(|frame| Ok(stamped(frame)));
        let frames = frames.filter(move |frame| std::future::ready(newer(frame, after)));
        Ok(frames.take_until(ended).boxed())
    }

    async fn tail(&self, id: &str, lines: usize) -> Result<Vec<String>, SchedulerError> {
        let Some(tasks) = self.tasks_until(id).await? else {
            return self.local.tail(id, lines).await;
        };
        for task in tasks {
            let told = self.tail_of(&task, lines).await;
            if !told.is_empty() {
                return Ok(told);
            }
        }
        Ok(Vec::new())
    }
}

impl Swarm {
    /// The task whose container has this engine id, on whatever host.
    async fn task_with(&self, id: &str) -> Result<Option<String>, SchedulerError> {
        let services = self.services(&[]).await?;
        let tasks = self.tasks_of(&services).await?;
        let found = tasks.into_iter().find(|task| container_id(task).as_deref() == Some(id));
        Ok(found.and_then(|task| task.id))
    }

    /// The task that a container's status was told of by `id`, then those that ran in its place before, newest first; none if
    /// there is no such task: where one container starts again and again, all it printed would be told. Few, as each is asked for.
    async fn tasks_until(&self, id: &str) -> Result<Option<Vec<String>>, SchedulerError> {
        let services = self.services(&[]).await?;
        let tasks = self.tasks_of(&services).await?;
        let is_told =
            |task: &&Task| container_id(task).as_deref() == Some(id) || task.id.as_deref() == Some(id);
        let Some(told) = tasks.iter().find(is_told) else { return Ok(None) };
        let is_place = |task: &&Task| {
            let place = |task: &Task| (task.service_id.clone(), task.slot);
            let on_each_host = task.slot.is_none() && task.node_id != told.node_id;
            place(task) == place(told) && !on_each_host && created(task) <= created(told)
        };
        // One without a container has printed nothing, and its host would say so in words of its own.
        let ran = |task: &&Task| container_id(task).is_some();
        let mut place: Vec<&Task> = tasks.iter().filter(is_place).filter(ran).collect();
        place.sort_by_key(|task| std::cmp::Reverse(created(task)));
        Ok(Some(place.into_iter().take(TASKS_ASKED).filter_map(|task| task.id.clone()).collect()))
    }

    /// A host that does not answer has nothing to say.
    async fn tail_of(&self, task: &str, lines: usize) -> Vec<String> {
        let frames = self.client().task_logs(task, Some(last_lines(lines)));
        let told = printed(frames).map(|frame| readable(&frame.into_bytes())).collect::<Vec<_>>();
        tokio::time::timeout(TAIL_WITHIN, told).await.unwrap_or_default()
    }
}

/// What containers printed of what a manager sends, until it breaks off.
///
/// A manager that cannot have all of an output says so among it, in frames of a third kind. The client does not know that
/// kind and hands on their bytes as they are, cut at every byte that is a line end, be it in a frame's header: never as one
/// of the streams of a container.
fn printed(
    frames: impl Stream<Item = Result<LogOutput, Error>> + Send,
) -> impl Stream<Item = LogOutput> + Send {
    let frames = frames.take_while(|frame| std::future::ready(frame.is_ok()));
    frames.filter_map(|frame| std::future::ready(frame.ok().filter(is_printed)))
}

/// Whether a container printed it.
pub(super) fn is_printed(frame: &LogOutput) -> bool {
    matches!(frame, LogOutput::StdOut { .. } | LogOutput::StdErr { .. })
}

/// Until the task is over and its last words have had time to come, or it is gone.
async fn ended(client: bollard::Docker, task: String) {
    loop {
        let found = client.inspect_task(&task).await;
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
        match found {
            Ok(task) if is_over(&task) => return,
            Err(error) if status(&error) == Some(404) => return,
            // Managers that choose a leader tell nothing for a while.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_manager_says_is_not_taken_for_output() {
        let frame = |make: fn(bytes::Bytes) -> LogOutput, text: &'static [u8]| Ok(make(text.into()));
        let frames = [
            frame(|message| LogOutput::StdOut { message }, b"one\n"),
            // As the client cuts a frame of ten bytes.
            frame(|message| LogOutput::Console { message }, b"\x03\0\0\0\0\0\0\n"),
            frame(|message| LogOutput::Console { message }, b"Error: no\n"),
            frame(|message| LogOutput::StdErr { message }, b"two\n"),
            Err(Error::RequestTimeoutError),
            frame(|message| LogOutput::StdOut { message }, b"three\n"),
        ];
        let told = printed(futures::stream::iter(frames)).map(|frame| frame.to_string()).collect::<Vec<_>>();
        assert_eq!(told.await, ["one\n", "two\n"]);
    }
}
