//! An S3 server for a test: moto, from the Python package index, installed below the build's folder when first wanted.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The package and the version that the tests were written with.
const PACKAGE: &str = "moto[s3,server]==5.2.5";

/// A server of a test's own, with one bucket. Ended when dropped.
pub(crate) struct Moto {
    process: Child,
    endpoint: String,
}

impl Moto {
    /// Starts one; nothing, and a word, where servers are not to be started.
    pub(crate) async fn start() -> Option<Self> {
        if std::env::var_os("DEIS_TEST_S3_SERVERS").is_none() {
            eprintln!("skipped: DEIS_TEST_S3_SERVERS is not set; script/test sets it");
            return None;
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        let moto = tokio::task::spawn_blocking(Self::spawn).await.unwrap();
        let bucket = reqwest::Client::new().put(format!("{}/deis", moto.endpoint));
        bucket.send().await.unwrap().error_for_status().unwrap();
        Some(moto)
    }

    fn spawn() -> Self {
        let mut command = Command::new(installed());
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdin(Stdio::null());
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let endpoint = lines.by_ref().find_map(|line| {
            let line = line.ok()?;
            Some(line.split_once("Running on ")?.1.trim().to_owned())
        });
        // It must not stop at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, endpoint: endpoint.expect("moto says where it listens") }
    }

    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The URL of a place in the bucket.
    pub(crate) fn url(&self, prefix: &str) -> String {
        format!("s3://test:test-only@deis/{prefix}?endpoint={}", self.endpoint)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server's program, installed by one test at a time.
fn installed() -> PathBuf {
    let target = target();
    let (folder, program) = (target.join("moto"), target.join("moto/bin/moto_server"));
    let lock = File::create(target.join("moto.lock")).unwrap();
    lock.lock().unwrap();
    let done = folder.join("installed");
    if std::fs::read_to_string(&done).is_ok_and(|installed| installed == PACKAGE) {
        return program;
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder));
    let pip = folder.join("bin/pip");
    run(Command::new(pip).args(["install", "--quiet", "--disable-pip-version-check", PACKAGE]));
    std::fs::write(done, PACKAGE).unwrap();
    program
}

/// The build's folder, which holds this test's program.
fn target() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    program.ancestors().find(|folder| folder.ends_with("deps")).and_then(Path::parent).unwrap().to_owned()
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed; is python3-venv installed?\n{said}");
}
