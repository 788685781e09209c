//! The system's git as a child process: clean environment, no shell, no settings but ours.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

/// Settings that hold for every call.
const SETTINGS: [&str; 7] = [
    // Collecting garbage is the hourly clean-up's work, under the app's lock.
    "gc.auto=0",
    "receive.autogc=false",
    "receive.fsckObjects=true",
    // One push is one pack, written whole and synced: nothing half-written is left after a crash.
    "receive.unpackLimit=1",
    "tar.umask=022",
    "core.logAllRefUpdates=false",
    "advice.detachedHead=false",
];

/// A call of git on the repository at `path`, which need not exist yet; give it arguments and spawn it.
pub(crate) fn git(path: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear().envs(environment()).env("GIT_DIR", path).current_dir("/").stdin(Stdio::null());
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command.kill_on_drop(true);
    command
}

fn environment() -> impl Iterator<Item = (&'static str, std::ffi::OsString)> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let fixed = [
        ("HOME", "/nonexistent"),
        ("LC_ALL", "C.UTF-8"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];
    fixed.into_iter().map(|(name, value)| (name, OsStr::new(value).to_owned())).chain([("PATH", path)])
}
