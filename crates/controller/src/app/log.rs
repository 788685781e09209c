//! Logs: read from the logger on behalf of a user.

use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use http::{Method, StatusCode};

use deis_model::User;
use deis_model::permission::Action;
use tracing::warn;

use super::{Platform, Refusal};

/// How long the logger may take to answer, and to finish where it is not followed.
pub(super) const TIMEOUT: Duration = Duration::from_secs(30);

/// Lines of a log as they come.
pub type LogLines = BoxStream<'static, std::io::Result<Bytes>>;

impl Platform {
    /// The last `lines` lines of the app's log and, with `follow`, those that come; none if there is no log yet.
    pub async fn logs(
        &self,
        caller: &User,
        id: &str,
        lines: u32,
        follow: bool,
    ) -> Result<Option<LogLines>, Refusal> {
        let app = self.app(caller, id, Action::View).await?.id;
        let path = format!("/{app}?log_lines={lines}{}", if follow { "&follow=true" } else { "" });
        let request = self.logger.request(Method::GET, &path);
        let request = if follow { request } else { request.timeout(TIMEOUT) };
        match self.logger.send(request).await {
            Ok(response) if response.status() == StatusCode::NO_CONTENT => Ok(None),
            Ok(response) => Ok(Some(Box::pin(response.bytes_stream().map_err(std::io::Error::other)))),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => {
                warn!(app = %app, error = %error, "failed to read a log");
                Err(Refusal::Internal(format!("Error accessing logs for {app}")))
            }
        }
    }
}
