//! The hook: a program of the operator's own that sets and clears DNS records.
//!
//! Run as `<hook> set|clear <record> <value>`, without a shell. It ends once the record can be seen from outside.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// How long it may take: DNS providers take minutes to spread a record.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How much of its output is kept, from the beginning.
const MAX_OUTPUT: u64 = 2000;
/// Where programs are that it may call.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why the hook did not do what it was told.
#[derive(Debug, thiserror::Error)]
pub(super) enum HookError {
    #[error("failed to run the DNS hook {path}: {source}; it must be executable where controllers run")]
    Start { path: String, source: std::io::Error },
    #[error("the DNS hook {path} did not end within {} s", TIMEOUT.as_secs())]
    Slow { path: String },
    #[error("the DNS hook {path} failed to {verb} the record ({status}): {output}")]
    Failed { path: String, verb: &'static str, status: std::process::ExitStatus, output: String },
}

/// A record that is to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Its name, without a dot at its end.
    pub(super) name: String,
    /// Its value, of the kind TXT.
    pub(super) value: String,
}

impl Record {
    /// The record by which `host` is proved. Source: RFC 8555 section 8.4.
    pub(super) fn new(host: &str, value: String) -> Self {
        Self { name: format!("_acme-challenge.{}", host.strip_prefix("*.").unwrap_or(host)), value }
    }

    /// Has the hook at `path` set it.
    pub(super) async fn set(&self, path: &str) -> Result<(), HookError> {
        self.run(path, "set").await
    }

    /// Has the hook at `path` clear it.
    pub(super) async fn clear(&self, path: &str) -> Result<(), HookError> {
        self.run(path, "clear").await
    }

    async fn run(&self, path: &str, verb: &'static str) -> Result<(), HookError> {
        let start = |source| HookError::Start { path: path.to_owned(), source };
        let child = Command::new(path)
            .args([verb, &self.name, &self.value])
            .env_clear()
            .env("PATH", PATH)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(start)?;
        let ended = tokio::time::timeout(TIMEOUT, ended(child)).await;
        let (status, output) =
            ended.map_err(|_| HookError::Slow { path: path.to_owned() })?.map_err(start)?;
        match status.success() {
            true => Ok(()),
            false => Err(HookError::Failed { path: path.to_owned(), verb, status, output }),
        }
    }
}

async fn ended(mut child: Child) -> std::io::Result<(std::process::ExitStatus, String)> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr, status) = tokio::join!(beginning(stdout), beginning(stderr), child.wait());
    Ok((status?, format!("{} {}", stdout.trim(), stderr.trim()).trim().to_owned()))
}

/// The beginning of what it prints. The rest is read too, since it would wait for that.
async fn beginning(output: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut output) = output else { return String::new() };
    let mut kept = Vec::new();
    let _ = (&mut output).take(MAX_OUTPUT).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut output, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A hook that runs `script`.
    fn hook(script: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hook");
        // Written by a process of its own: one that this process holds open for writing cannot be run meanwhile.
        let write = format!("cat > '{}'", path.display());
        let mut child =
            std::process::Command::new("sh").args(["-c", &write]).stdin(Stdio::piped()).spawn().unwrap();
        let text = format!("#!/bin/sh\n{script}\n");
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        directory
    }

    fn path(hook: &tempfile::TempDir) -> String {
        hook.path().join("hook").to_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_hook_gets_what_it_is_told_and_nothing_else() {
        let hook = hook(r#"printf '%s\n' "$@" > "$(dirname "$0")/told"; env > "$(dirname "$0")/env""#);
        let record = Record::new("*.example.com", "a$(b) `c`".to_owned());
        record.set(&path(&hook)).await.unwrap();
        let told = std::fs::read_to_string(hook.path().join("told")).unwrap();
        assert_eq!(told, "set\n_acme-challenge.example.com\na$(b) `c`\n");
        let env = std::fs::read_to_string(hook.path().join("env")).unwrap();
        let names = env.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name);
        // The shell itself sets the latter.
        let foreign: Vec<&str> =
            names.filter(|name| !["PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)).collect();
        assert!(foreign.is_empty(), "{foreign:?}");
    }

    #[tokio::test]
    async fn a_hook_that_fails_is_heard() {
        let hook = hook("yes lost | head -c 1000000; echo 'no such zone' >&2; exit 3");
        let failed =
            Record::new("example.com", "x".to_owned()).clear(&path(&hook)).await.unwrap_err().to_string();
        assert!(failed.contains("failed to clear") && failed.contains("no such zone"), "{failed}");
        assert!(failed.len() < 5000);
        let missing = Record::new("example.com", "x".to_owned()).set("/nowhere/hook").await.unwrap_err();
        assert!(missing.to_string().contains("/nowhere/hook"), "{missing}");
    }
}
