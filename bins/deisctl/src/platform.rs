//! The platform on this machine: where its data is, and ways to its roles.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;

use deis_api::client::InternalClient;
use deis_api::status::RoleStatus;
use deis_runtime::{DataDir, Role, Secrets};
use deis_scheduler::{Engine, Options, SchedulerError};

use crate::control::Control;
use crate::fleet::{Fleet, State};

/// How long a role may take to tell about itself.
const STATUS_TIMEOUT: Duration = Duration::from_secs(3);

/// More than any role says.
const STATUS_LIMIT_BYTES: usize = 1024 * 1024;

/// One platform, found by its data directory.
pub(crate) struct Platform {
    root: PathBuf,
    scheduler: String,
}

impl Platform {
    /// The platform whose data is in `root` and whose engine is at the URL `scheduler`.
    pub(crate) fn new(root: PathBuf, scheduler: String) -> Self {
        Self { root, scheduler }
    }

    /// The data directory, which may be missing.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The URL of the engine.
    pub(crate) fn scheduler(&self) -> &str {
        &self.scheduler
    }

    /// The data directory, which must be there: looking at a platform never makes one.
    pub(crate) fn data(&self) -> anyhow::Result<DataDir> {
        match std::fs::read_dir(&self.root) {
            Ok(_) => Ok(DataDir::open(&self.root)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "there is no platform in {}; name its data directory with --data-dir or DEIS_DATA_DIR, or start one \
                 with `deisd run`",
                self.root.display()
            ),
            Err(error) => Err(error).with_context(|| {
                format!("failed to read {}; run this as the user who runs deisd", self.root.display())
            }),
        }
    }

    /// What `role` says of itself.
    pub(crate) async fn status(&self, role: Role) -> anyhow::Result<RoleStatus> {
        board(&self.data()?.status_socket(role)).await
    }

    /// A client of the controller's internal calls, wherever it runs.
    pub(crate) async fn controller(&self) -> anyhow::Result<Control> {
        match Fleet::if_any(self).await? {
            Some(fleet) => Control::of(&State::read(&fleet).await?),
            None => Ok(Control::local(self.local_controller().await?)),
        }
    }

    async fn local_controller(&self) -> anyhow::Result<InternalClient> {
        let data = self.data()?;
        let status = self.status(Role::Controller).await.context(
            "failed to ask the controller where it listens; see `deisctl status controller`, start it with `deisd run`",
        )?;
        let address = status.address.parse().with_context(|| {
            format!("the controller says it listens on {:?}, which is no address", status.address)
        })?;
        let secrets = Secrets::open(&data).map_err(|error| anyhow::anyhow!(error))?;
        Ok(InternalClient::new(&format!("http://{}", reachable(address)), &secrets.internal_key))
    }

    /// The container engine.
    pub(crate) async fn engine(&self) -> Result<Engine, SchedulerError> {
        deis_scheduler::open(&self.scheduler, Options::default()).await
    }
}

/// What the role that answers at `socket` says of itself.
pub(crate) async fn board(socket: &Path) -> anyhow::Result<RoleStatus> {
    match tokio::time::timeout(STATUS_TIMEOUT, ask(socket)).await {
        Ok(answer) => answer,
        Err(_) => bail!("the role did not answer within {} s", STATUS_TIMEOUT.as_secs()),
    }
}

/// Where a client on this machine reaches what listens on `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, address.port())
}

async fn ask(socket: &Path) -> anyhow::Result<RoleStatus> {
    let stream = UnixStream::connect(socket).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = http::Request::get("/status").header("Host", "localhost").body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let body = Limited::new(response.into_body(), STATUS_LIMIT_BYTES).collect().await;
    connection.abort();
    let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
    serde_json::from_slice(&body).context("the answer is not what this deisctl understands")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(listens: &str, reached: &str) {
        assert_eq!(reachable(listens.parse().expect("address")).to_string(), reached);
    }

    #[test]
    fn what_listens_everywhere_is_reached_over_loopback() {
        check("0.0.0.0:8000", "127.0.0.1:8000");
        check("[::]:8000", "[::1]:8000");
        check("10.0.0.7:8000", "10.0.0.7:8000");
    }

    #[tokio::test]
    async fn looking_at_a_platform_that_is_not_there_makes_none() {
        let directory = tempfile::tempdir().expect("directory");
        let root = directory.path().join("none");
        let error =
            Platform::new(root.clone(), "memory://".into()).status(Role::Router).await.expect_err("none");
        assert!(error.to_string().contains("there is no platform in"), "{error}");
        assert!(!root.exists());
    }

    #[tokio::test]
    async fn a_role_is_asked_over_its_socket() {
        let directory = tempfile::tempdir().expect("directory");
        let data = DataDir::open(directory.path()).expect("opened");
        let board = deis_runtime::StatusBoard::new(Role::Router);
        board.listens_on("127.0.0.1:8080");
        let shutdown = deis_runtime::Shutdown::new();
        let serving = tokio::spawn({
            let (data, shutdown) = (data.clone(), shutdown.clone());
            async move { board.serve(&data, Role::Router, shutdown).await }
        });
        while !data.status_socket(Role::Router).exists() {
            tokio::task::yield_now().await;
        }
        let platform = Platform::new(directory.path().to_owned(), "memory://".into());
        let status = platform.status(Role::Router).await.expect("answered");
        assert_eq!((status.role.as_str(), status.address.as_str()), ("router", "127.0.0.1:8080"));
        assert!(platform.status(Role::Logger).await.is_err());
        shutdown.cancel();
        serving.await.expect("joined").expect("served");
    }
}
