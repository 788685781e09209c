//! Programs that run as long as a test needs them.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long programs may take to start on a busy machine.
const STARTS: Duration = Duration::from_secs(60);
/// How soon is looked again whether one has.
const LOOK: Duration = Duration::from_millis(20);

/// Ended when it is dropped.
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command`, which must be installed.
    pub(crate) fn start(command: &mut Command) -> Self {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(quiet.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}")))
    }

    /// Waits until somebody listens at `address`; false if the process ended before, as when the port was taken.
    pub(crate) fn comes_up(&mut self, address: SocketAddr) -> bool {
        let until = Instant::now() + STARTS;
        while TcpStream::connect(address).is_err() {
            if self.has_ended() {
                return false;
            }
            assert!(Instant::now() < until, "nobody listens at {address}");
            std::thread::sleep(LOOK);
        }
        !self.has_ended()
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("a child can be asked").is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether `program` is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let files: Vec<PathBuf> = std::env::split_paths(&path).map(|place| place.join(program)).collect();
    files.iter().any(|file| file.is_file())
}
