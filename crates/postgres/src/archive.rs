//! The store, for PostgreSQL on this host: a socket that only its account can reach.
//!
//! | request | answer |
//! |---|---|
//! | `PUT /wal/{system}/{file}` | 204 when the store has it for good; 409 if it has another content under that name |
//! | `GET /wal/{system}/{file}` | the content; 404 if the store has none |
//! | `GET /base` | the newest base backup before the time to restore to, compressed; 404 if there is none |

use std::fs;
use std::os::unix::fs::PermissionsExt;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use deis_runtime::{Shutdown, StatusBoard};
use time::OffsetDateTime;
use tokio::net::UnixListener;
use tracing::warn;

use crate::account::Account;
use crate::backup::Catalog;
use crate::error::DatabaseError;
use crate::layout::Layout;
use crate::moment::in_words;
use crate::restore::target;
use crate::wal::{WAL_LIMIT, WalArchive, WalName};

/// Names the digest of a base backup in an answer.
pub(crate) const DIGEST_HEADER: &str = "x-deis-sha256";
/// What an operator does when nothing can be archived.
const CURE: &str =
    "see that the store is up and has space; nothing is lost, but the database's disk fills meanwhile";

/// Answers on the archive's socket.
#[derive(Clone)]
pub(crate) struct Archive {
    pub(crate) wal: WalArchive,
    pub(crate) catalog: Catalog,
    pub(crate) layout: Layout,
    pub(crate) status: StatusBoard,
}

impl Archive {
    /// Listens where `account` alone can reach it.
    pub(crate) fn bind(layout: &Layout, account: Account) -> Result<UnixListener, DatabaseError> {
        let path = layout.socket();
        let failed = |source| DatabaseError::File { path: path.clone(), source };
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(failed)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        account.own(&path).map_err(failed)?;
        Ok(listener)
    }

    /// Serves until `shutdown`.
    pub(crate) async fn serve(self, listener: UnixListener, shutdown: Shutdown) -> std::io::Result<()> {
        let router = Router::new()
            .route("/wal/{system}/{name}", put(keep).get(read))
            .route("/base", get(base))
            .layer(DefaultBodyLimit::max(WAL_LIMIT))
            .with_state(self);
        axum::serve(listener, router).with_graceful_shutdown(shutdown.cancelled_owned()).await
    }
}

async fn keep(
    State(archive): State<Archive>,
    Path((system, name)): Path<(u64, String)>,
    content: Bytes,
) -> Response {
    let kept = match WalName::parse(&name) {
        Ok(name) => archive.wal.keep(system, &name, content).await,
        Err(error) => Err(error),
    };
    match kept {
        Ok(()) => {
            let now = in_words(OffsetDateTime::now_utc().unix_timestamp());
            archive
                .status
                .note("archive", format!("the write-ahead log is in the store up to {name}, {now}"));
            archive.status.well("archive");
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => {
            archive.status.trouble("archive", format!("the write-ahead log is not archived: {error}"), CURE);
            refuse(&error)
        }
    }
}

async fn read(State(archive): State<Archive>, Path((system, name)): Path<(u64, String)>) -> Response {
    let found = match WalName::parse(&name) {
        Ok(name) => archive.wal.read(system, &name).await,
        Err(error) => Err(error),
    };
    match found {
        Ok(Some(content)) => content.into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => refuse(&error),
    }
}

async fn base(State(archive): State<Archive>) -> Response {
    let opened = async {
        let until = target(&archive.layout)?;
        let Some(backup) = archive.catalog.newest(until).await? else { return Ok(None) };
        let content = archive.catalog.open(&backup).await?;
        Ok(Some((backup.digest, content)))
    };
    match opened.await {
        Ok(Some((digest, content))) => {
            ([(DIGEST_HEADER, digest)], Body::from_stream(content)).into_response()
        }
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &DatabaseError) -> Response {
    warn!(%error, "refused PostgreSQL");
    let status = match error {
        DatabaseError::Differs { .. } => StatusCode::CONFLICT,
        DatabaseError::Name { .. } => StatusCode::BAD_REQUEST,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, error.to_string()).into_response()
}
