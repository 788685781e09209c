//! nginx and HAProxy, each as a process of its own in front of an app that records.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::UnixStream;

use super::recorder::{Reading, Recorder};
use super::{downgrade, play};
use crate::support::until;

/// A proxy by somebody else, which listens at a path, so that no port can be taken. Killed when dropped.
pub(super) struct Peer {
    /// As it calls itself.
    pub(super) name: &'static str,
    child: Child,
    directory: tempfile::TempDir,
    recorder: Recorder,
}

impl Peer {
    /// nginx; none if it is not installed.
    pub(super) async fn nginx() -> Option<Self> {
        let (recorder, directory) = (Recorder::start().await, tempfile::tempdir().unwrap());
        write(directory.path(), "nginx.conf", &nginx(directory.path(), &recorder));
        let mut command = program("nginx");
        command.arg("-p").arg(directory.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        Self::start("nginx", command, directory, recorder).await
    }

    /// HAProxy; none if it is not installed.
    pub(super) async fn haproxy() -> Option<Self> {
        let (recorder, directory) = (Recorder::start().await, tempfile::tempdir().unwrap());
        write(directory.path(), "haproxy.cfg", &haproxy(directory.path(), &recorder));
        let mut command = program("haproxy");
        command.arg("-db").arg("-f").arg(directory.path().join("haproxy.cfg"));
        Self::start("HAProxy", command, directory, recorder).await
    }

    async fn start(
        name: &'static str,
        mut command: Command,
        directory: tempfile::TempDir,
        recorder: Recorder,
    ) -> Option<Self> {
        let Ok(child) = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn() else {
            eprintln!("skipped: there is no {name} here");
            return None;
        };
        let mut peer = Self { name, child, directory, recorder };
        let socket = peer.directory.path().join("socket");
        until(|| {
            assert!(peer.child.try_wait().unwrap().is_none(), "{name} runs");
            std::os::unix::net::UnixStream::connect(&socket).is_ok()
        })
        .await;
        Some(peer)
    }

    /// What its app gets when a client sends `bytes`, and says that this is all when nothing has come for as long as `quiet`.
    pub(super) async fn passes(&self, bytes: &[u8], quiet: Duration) -> Vec<Reading> {
        let stream = UnixStream::connect(self.directory.path().join("socket")).await.unwrap();
        play(stream, bytes, quiet).await;
        self.recorder.readings()
    }

    /// What its app gets when a client sends `bytes`, which are one request over HTTP/2.
    pub(super) async fn downgrades(&self, bytes: &[u8]) -> Vec<Reading> {
        let stream = UnixStream::connect(self.directory.path().join("http2")).await.unwrap();
        downgrade::play(stream, bytes).await;
        self.recorder.readings()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The one of this name, also where only administrators look.
fn program(name: &str) -> Command {
    let all = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/usr/local/sbin";
    let path = std::env::split_paths(&all).map(|directory| directory.join(name)).find(|path| path.is_file());
    Command::new(path.unwrap_or_else(|| name.into()))
}

fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).unwrap();
}

/// One process; connections to the app are kept, so that one who reads too little leaves something for the next.
fn nginx(directory: &Path, recorder: &Recorder) -> String {
    format!(
        "daemon off; master_process off; pid nginx.pid; error_log stderr emerg;
events {{}}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  upstream app {{ server {address}; keepalive 8; }}
  server {{
    listen unix:{directory}/http2 http2;
    listen unix:{directory}/socket;
    location / {{
      proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_set_header Host $host; proxy_ignore_client_abort on; proxy_next_upstream off;
    }}
  }}
}}
",
        directory = directory.display(),
        address = recorder.address()
    )
}

fn haproxy(directory: &Path, recorder: &Recorder) -> String {
    format!(
        "defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 60s
frontend visitors
  bind {directory}/http2 proto h2
  bind {directory}/socket
  default_backend app
backend app
  http-reuse always
  server app {}
",
        recorder.address(),
        directory = directory.display()
    )
}
