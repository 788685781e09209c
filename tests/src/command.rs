//! Running programs and keeping what they say.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Exit status; 124 if it had to be stopped.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Both streams.
    pub fn all(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Panics with everything said unless it ended with 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "exit status {}\n{}", self.code, self.all());
        self
    }

    /// Panics with everything said unless it failed and said `part`.
    #[track_caller]
    pub fn failed_with(self, part: &str) -> Self {
        assert_ne!(self.code, 0, "expected a failure\n{}", self.all());
        self.said(part)
    }

    /// Panics with everything said unless it said `part`.
    #[track_caller]
    pub fn said(self, part: &str) -> Self {
        assert!(self.all().contains(part), "{part:?} is missing in:\n{}", self.all());
        self
    }
}

/// Runs `command` to its end, at most for `timeout`.
pub(crate) fn run(command: &mut Command, timeout: Duration) -> Output {
    run_reading(command, Stdio::null(), timeout)
}

/// The same with something to read.
pub(crate) fn run_reading(command: &mut Command, input: Stdio, timeout: Duration) -> Output {
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
    let stdout = read_all(child.stdout.take().expect("it was piped"));
    let stderr = read_all(child.stderr.take().expect("it was piped"));
    let deadline = Instant::now() + timeout;
    let code = loop {
        match child.try_wait().expect("a child can be waited for") {
            Some(status) => break status.code().unwrap_or(125),
            None if Instant::now() >= deadline => {
                let _ = child.kill();
                let _ = child.wait();
                break 124;
            }
            None => std::thread::sleep(Duration::from_millis(10)),
        }
    };
    Output { code, stdout: stdout.join().unwrap_or_default(), stderr: stderr.join().unwrap_or_default() }
}

fn read_all(mut stream: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
