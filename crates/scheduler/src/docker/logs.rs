//! What containers print.

use async_trait::async_trait;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::Docker;
use super::failure::status;
use super::inspection::nanoseconds;
use crate::{ContainerOutput, OutputFrame, SchedulerError};

/// The longest line of a tail, in bytes.
const TAIL_LINE_LIMIT: usize = 2000;

#[async_trait]
impl ContainerOutput for Docker {
    async fn follow(
        &self,
        id: &str,
        after: i64,
    ) -> Result<BoxStream<'static, Result<OutputFrame, SchedulerError>>, SchedulerError> {
        let frames = self.client.clone().logs(id, Some(options(after).follow(true).build())).boxed();
        let (socket, id) = (self.socket().to_owned(), id.to_owned());
        let frames = frames.filter_map(move |frame| {
            let told = match frame {
                Ok(frame) => Some(Ok(stamped(frame))).filter(|frame| newer(frame, after)),
                // It was removed: the end of its output, not a failure.
                Err(error) if matches!(status(&error), Some(404 | 409)) => None,
                Err(error) => Some(Err(super::failure::output_failed(&socket, &id, &error))),
            };
            std::future::ready(told)
        });
        Ok(until_failure(frames.boxed()))
    }

    async fn tail(&self, id: &str, lines: usize) -> Result<Vec<String>, SchedulerError> {
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let mut frames = std::pin::pin!(self.client.logs(id, Some(options)));
        let mut told = Vec::new();
        while let Some(frame) = frames.next().await {
            match frame {
                Ok(frame) => told.push(readable(&frame.into_bytes())),
                Err(error) if status(&error) == Some(404) => break,
                Err(error) => return Err(self.failed("read the output of", id, &error)),
            }
        }
        Ok(told)
    }
}

fn options(after: i64) -> LogsOptionsBuilder {
    // Whole seconds are what the engine is asked for; the rest is left out here.
    let since = i32::try_from(after / 1_000_000_000).unwrap_or(i32::MAX);
    LogsOptionsBuilder::new().stdout(true).stderr(true).timestamps(true).since(since)
}

pub(crate) fn newer(frame: &Result<OutputFrame, SchedulerError>, after: i64) -> bool {
    frame.as_ref().map_or(true, |frame| frame.timestamp > after)
}

/// Ends a stream after its first failure: the engine would repeat it for ever.
fn until_failure(
    frames: BoxStream<'static, Result<OutputFrame, SchedulerError>>,
) -> BoxStream<'static, Result<OutputFrame, SchedulerError>> {
    let unfolded = stream::unfold(Some(frames), |frames| async move {
        let mut frames = frames?;
        let frame = frames.next().await?;
        let rest = frame.is_ok().then_some(frames);
        Some((frame, rest))
    });
    unfolded.boxed()
}

/// A frame of the engine's, which begins with its time and a space and usually ends with a line end.
pub(crate) fn stamped(frame: LogOutput) -> OutputFrame {
    let mut frame = super::job::unstamped(frame);
    if let Some(space) = frame.bytes.iter().take(64).position(|byte| *byte == b' ') {
        let time = frame.bytes.split_to(space + 1);
        frame.timestamp = std::str::from_utf8(&time[..space]).map_or(0, nanoseconds);
    }
    frame.is_partial = !frame.bytes.ends_with(b"\n");
    frame.bytes = without_end(frame.bytes);
    frame
}

fn without_end(mut bytes: Bytes) -> Bytes {
    let length =
        bytes.strip_suffix(b"\n").map_or(bytes.len(), |line| line.strip_suffix(b"\r").unwrap_or(line).len());
    bytes.truncate(length);
    bytes
}

pub(crate) fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(TAIL_LINE_LIMIT)]);
    text.trim_end_matches(['\r', '\n']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OutputStream;

    fn check(message: &str, timestamp: i64, text: &str, is_partial: bool) {
        let frame = stamped(LogOutput::StdErr { message: Bytes::copy_from_slice(message.as_bytes()) });
        let expected = OutputFrame {
            stream: OutputStream::Stderr,
            timestamp,
            bytes: Bytes::copy_from_slice(text.as_bytes()),
            is_partial,
        };
        assert_eq!(frame, expected, "{message:?}");
    }

    #[test]
    fn a_frame_is_its_time_and_a_line_without_its_end() {
        check("1970-01-01T00:00:01.5Z hello world\n", 1_500_000_000, "hello world", false);
        check("1970-01-01T00:00:01.5Z windows\r\n", 1_500_000_000, "windows", false);
        check("1970-01-01T00:00:01.5Z \n", 1_500_000_000, "", false);
        check("1970-01-01T00:00:01.5Z a part\r", 1_500_000_000, "a part\r", true);
    }
}
