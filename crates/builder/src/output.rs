//! What the pusher sees: titles, details under them, warnings.

use tokio::sync::mpsc;

use deis_scheduler::Progress;

/// The longest line that is passed on, in characters.
const MAX_LINE: usize = 16 * 1024;

/// Lines on their way to the pusher. Cheap to clone; lines for somebody who left are dropped.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    lines: Progress,
}

impl Output {
    /// An output and where its lines arrive.
    pub(crate) fn channel() -> (Self, mpsc::Receiver<String>) {
        let (lines, arriving) = mpsc::channel(256);
        (Self { lines }, arriving)
    }

    /// The sender itself, for the engine.
    pub(crate) fn into_progress(self) -> Progress {
        self.lines
    }

    /// A line as it is.
    pub(crate) async fn line(&self, text: impl Into<String>) {
        let mut text: String = text.into();
        if let Some((end, _)) = text.char_indices().nth(MAX_LINE) {
            text.truncate(end);
        }
        let _ = self.lines.send(text).await;
    }

    /// `-----> text`.
    pub(crate) async fn title(&self, text: &str) {
        self.line(format!("-----> {text}")).await;
    }

    /// `text` under a title.
    pub(crate) async fn detail(&self, text: &str) {
        self.line(format!("       {text}")).await;
    }
}
