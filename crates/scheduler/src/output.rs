//! What containers print.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use crate::SchedulerError;

/// Where a piece of output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output: for followed containers one line (or a part of a very long one) without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFrame {
    /// Which stream.
    pub stream: OutputStream,
    /// When the engine saw it: Unix time in nanoseconds; 0 for attached jobs.
    pub timestamp: i64,
    /// The bytes, as printed.
    pub bytes: Bytes,
    /// Whether its line goes on in the next frame of this stream and time; never for attached jobs, whose frames end
    /// anywhere.
    pub is_partial: bool,
}

/// Reads what containers print.
#[async_trait]
pub trait ContainerOutput: Send + Sync {
    /// Lines of the container with this engine id that are newer than `after` (Unix nanoseconds; 0 is everything),
    /// then what comes, until it is removed or stops.
    async fn follow(
        &self,
        id: &str,
        after: i64,
    ) -> Result<BoxStream<'static, Result<OutputFrame, SchedulerError>>, SchedulerError>;

    /// The last `lines` lines of the container; used to explain why it ended.
    async fn tail(&self, id: &str, lines: usize) -> Result<Vec<String>, SchedulerError>;
}
