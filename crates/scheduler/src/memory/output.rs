//! What the fake's containers print: one line that tells their name, as soon as they are up.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::broadcast::error::RecvError;

use deis_model::ContainerStatus;

use super::Memory;
use crate::{ContainerOutput, OutputFrame, OutputStream, SchedulerError};

#[async_trait]
impl ContainerOutput for Memory {
    async fn follow(
        &self,
        id: &str,
        after: i64,
    ) -> Result<BoxStream<'static, Result<OutputFrame, SchedulerError>>, SchedulerError> {
        let printed = self.find(id).map(|container| line(&container));
        let known = printed.is_some();
        let printed = printed.filter(|frame| frame.timestamp > after).map(Ok);
        Ok(stream::iter(printed)
            .chain(if known { self.until_gone() } else { stream::empty().boxed() })
            .boxed())
    }

    async fn tail(&self, id: &str, lines: usize) -> Result<Vec<String>, SchedulerError> {
        let printed = self.find(id).map(|container| greeting(&container));
        Ok(printed.into_iter().take(lines).collect())
    }
}

impl Memory {
    fn find(&self, id: &str) -> Option<ContainerStatus> {
        self.containers().find(id).cloned()
    }

    /// Yields nothing and ends with the next change: whoever follows looks again then.
    fn until_gone(&self) -> BoxStream<'static, Result<OutputFrame, SchedulerError>> {
        let mut changes = self.shared.changes.subscribe();
        let waited = async move { while let Err(RecvError::Lagged(_)) = changes.recv().await {} };
        stream::once(waited).filter_map(|()| std::future::ready(None)).boxed()
    }
}

fn line(container: &ContainerStatus) -> OutputFrame {
    let bytes = Bytes::from(greeting(container));
    OutputFrame { stream: OutputStream::Stdout, timestamp: container.started_at, bytes, is_partial: false }
}

fn greeting(container: &ContainerStatus) -> String {
    format!("{} is up", container.name.short())
}
