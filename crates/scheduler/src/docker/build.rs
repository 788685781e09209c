//! Building Dockerfiles.

use std::collections::{BTreeMap, HashMap};

use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptions, BuildImageOptionsBuilder};
use futures::StreamExt;
use tokio::io::AsyncRead;
use tokio_util::io::ReaderStream;

use deis_model::Environment;

use super::Docker;
use super::reference::Reference;
use crate::{Progress, SchedulerError};

/// Lines of the engine's with this word are advice to its operator; a pusher is not to see them.
const ADVICE: &str = "WARNING";

impl Docker {
    pub(super) async fn build_image(
        &self,
        image: &str,
        context: Box<dyn AsyncRead + Send + Unpin>,
        arguments: &Environment,
        labels: &BTreeMap<String, String>,
        progress: Progress,
    ) -> Result<(), SchedulerError> {
        self.ensure_network().await?;
        let options = self.build_options(image, arguments, labels);
        let context = bollard::body_try_stream(ReaderStream::new(context));
        let mut steps = std::pin::pin!(self.client.build_image(options, None, Some(context)));
        let mut lines = Lines::default();
        while let Some(step) = steps.next().await {
            let step = step.map_err(|error| self.failed("build image", image, &error))?;
            for line in lines.take(told(image, step)?.as_bytes()) {
                tell(&progress, line).await;
            }
        }
        if let Some(line) = lines.rest() {
            tell(&progress, line).await;
        }
        Ok(())
    }

    fn build_options(
        &self,
        image: &str,
        arguments: &Environment,
        labels: &BTreeMap<String, String>,
    ) -> BuildImageOptions {
        let Reference { repository, tag } = Reference::split(image);
        let arguments: HashMap<_, _> = arguments.0.clone().into_iter().collect();
        let labels: HashMap<_, _> = labels.clone().into_iter().collect();
        BuildImageOptionsBuilder::new()
            .t(&format!("{repository}:{tag}"))
            .buildargs(&arguments)
            .labels(&labels)
            // On the apps' network, where builds of different users cannot reach each other.
            .networkmode(&self.options.network)
            .rm(true)
            .forcerm(true)
            .build()
    }
}

async fn tell(progress: &Progress, line: String) {
    if !line.contains(ADVICE) {
        // Nobody may be listening any more; the build goes on.
        let _ = progress.send(line).await;
    }
}

/// What a step of the engine's prints, or why it failed.
fn told(image: &str, step: BuildInfo) -> Result<String, SchedulerError> {
    match step.error_detail {
        Some(failure) => Err(SchedulerError::Engine {
            action: "build image",
            subject: image.to_owned(),
            reason: failure.message.unwrap_or_else(|| "the engine gave no reason".to_owned()),
        }),
        None => Ok(step.stream.unwrap_or_default()),
    }
}

/// Makes lines of pieces of output. A line longer than [`Lines::LIMIT`] is cut into several.
#[derive(Default)]
pub(super) struct Lines {
    open: Vec<u8>,
}

impl Lines {
    const LIMIT: usize = 16 * 1024;

    /// The lines that `piece` completes.
    pub(super) fn take(&mut self, piece: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(part);
            if part.ends_with(b"\n") || self.open.len() > Self::LIMIT {
                lines.extend(self.rest());
            }
        }
        lines
    }

    /// What has not ended yet, as a line.
    pub(super) fn rest(&mut self) -> Option<String> {
        let line = std::mem::take(&mut self.open);
        let text = String::from_utf8_lossy(&line);
        (!line.is_empty()).then(|| text.trim_end_matches(['\r', '\n']).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pieces: &[&str], expected: &[&str]) {
        let mut lines = Lines::default();
        let mut told: Vec<_> = pieces.iter().flat_map(|piece| lines.take(piece.as_bytes())).collect();
        told.extend(lines.rest());
        assert_eq!(told, expected, "{pieces:?}");
    }

    #[test]
    fn pieces_of_output_become_lines() {
        check(&["Step 1/2 : FROM x\n", " ---> 0", "1\n", "done"], &["Step 1/2 : FROM x", " ---> 01", "done"]);
        check(&["one\r\ntwo\n\n"], &["one", "two", ""]);
    }
}
