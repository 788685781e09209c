//! A small image for engines that hold nothing yet: a web server.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::command::run;

/// Where Debian's busybox-static puts its binary.
const BUSYBOX: &str = "/bin/busybox";
/// What the image runs: a web server that ends when it is told to.
const COMMAND: &str = r#"CMD ["/bin/busybox", "httpd", "-f", "-p", "5000", "-h", "/www"]"#;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Packs the image in `directory` and gives the arguments with which an engine's client makes it as `name`.
///
/// It answers every path it has with `text`, on port 5000.
pub(crate) fn import(directory: &Path, name: &str, text: &str) -> [String; 9] {
    let archive = pack(directory, text);
    let change = || "--change".to_owned();
    let [expose, label] = ["EXPOSE 5000", "LABEL io.deis.stack=true"].map(str::to_owned);
    let import = "import".to_owned();
    [import, change(), COMMAND.to_owned(), change(), expose, change(), label, archive, name.to_owned()]
}

/// The path of an archive of the image's files.
fn pack(directory: &Path, text: &str) -> String {
    let root = directory.join("image");
    std::fs::create_dir_all(root.join("bin")).expect("a temporary directory can be made");
    std::fs::create_dir_all(root.join("www")).expect("a temporary directory can be made");
    std::fs::write(root.join("www/index.html"), text).expect("a temporary file can be written");
    std::fs::copy(BUSYBOX, root.join("bin/busybox")).expect("busybox-static is installed");
    let _ = std::os::unix::fs::symlink("busybox", root.join("bin/sh"));
    let bash = root.join("bin/bash");
    std::fs::write(&bash, "#!/bin/sh\nexec /bin/sh \"$@\"\n").expect("a temporary file can be written");
    std::fs::set_permissions(&bash, Permissions::from_mode(0o755)).expect("a temporary file can be changed");
    let archive = directory.join("image.tar").display().to_string();
    let mut tar = Command::new("tar");
    tar.args(["--create", "--file", &archive, "--directory"]).arg(&root).arg(".");
    run(&mut tar, TIMEOUT).succeeded();
    archive
}
