//! The program that sets DNS records: those that the authority asks for.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tempfile::TempDir;

/// A program that sets and clears records at the DNS server, and keeps a list of what it was told.
pub(crate) fn hook(directory: &TempDir, dns: SocketAddr) -> String {
    let path = directory.path().join("hook");
    let body = |value: Value| value.to_string().replace('"', "\\\"");
    let (set, clear) = (json!({"host": "$2.", "value": "$3"}), json!({"host": "$2."}));
    let script = format!(
        "#!/bin/sh\nset -eu\necho \"$@\" >> '{}'\ncase $1 in set) body=\"{}\";; clear) body=\"{}\";; esac\n\
         curl --silent --fail --data \"$body\" \"http://{dns}/$1-txt\"\n",
        directory.path().join("told").display(),
        body(set),
        body(clear),
    );
    std::fs::write(&path, script).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&path, mode).unwrap();
    path.to_str().unwrap().to_owned()
}
