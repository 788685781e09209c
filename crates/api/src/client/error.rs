//! What goes wrong with calls to other components.

use reqwest::{Response, StatusCode};

/// Why a call to another component failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No connection, or it broke.
    #[error("failed to reach {url}: {reason}")]
    Unreachable {
        /// Where to.
        url: String,
        /// The cause, down to the last.
        reason: String,
    },
    /// It answered, but refused.
    #[error("{url} answered {status}: {detail}")]
    Refused {
        /// Where to.
        url: String,
        /// The HTTP status.
        status: StatusCode,
        /// The answer's `detail`, or its body cut to 1,000 characters.
        detail: String,
    },
    /// It answered with something else than was agreed.
    #[error("failed to understand the answer of {url}: {reason}")]
    Garbled {
        /// Where to.
        url: String,
        /// What was wrong.
        reason: String,
    },
}

impl CallError {
    /// The status it was refused with, if it was.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub(super) fn unreachable(error: &reqwest::Error, base: &str) -> Self {
        let url = error.url().map_or_else(|| base.to_owned(), ToString::to_string);
        Self::Unreachable { url, reason: last_cause(error) }
    }

    /// What `response`, which refuses, says.
    pub(super) async fn refused(response: Response) -> Self {
        let (status, url) = (response.status(), response.url().to_string());
        let body = response.text().await.unwrap_or_default();
        let detail = serde_json::from_str::<serde_json::Value>(&body)
            .ok()
            .and_then(|value| value.get("detail").and_then(|detail| detail.as_str()).map(str::to_owned));
        Self::Refused { url, status, detail: detail.unwrap_or_else(|| body.chars().take(1000).collect()) }
    }
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
