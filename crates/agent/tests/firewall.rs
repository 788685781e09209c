//! The firewall's rules in a network namespace of the test's own.

use std::process::Command;

use deis_agent::firewall::Firewall;
use deis_runtime::{Role, Shutdown, StatusBoard};

/// Says to this test, started by itself, that it is in a network namespace of its own.
const INSIDE: &str = "DEIS_TEST_INSIDE";

/// Lists the rules of the namespace that this thread is in.
fn rules() -> String {
    let output = Command::new("iptables").arg("-S").output().expect("iptables is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("rules are text")
}

#[test]
fn rules_are_set_once_and_set_again_after_somebody_removed_them() {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        return runtime.block_on(set_lose_and_set_again());
    }
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if std::env::var_os("DEIS_TEST_DOCKER_URL").is_none() || !is_root {
        eprintln!("skipped: needs root and the programs that come with a Docker Engine");
        return;
    }
    let name = "rules_are_set_once_and_set_again_after_somebody_removed_them";
    let mut inside = Command::new("unshare");
    inside.arg("--net").arg(std::env::current_exe().unwrap()).args(["--exact", name]).env(INSIDE, "yes");
    assert!(inside.status().expect("unshare is part of every Debian").success());
}

async fn set_lose_and_set_again() {
    let closed = ["10.0.0.1:8000", "10.0.0.2:5001"].map(|text| text.parse().expect("an address"));
    let firewall = Firewall::new(closed, StatusBoard::new(Role::Publisher));
    firewall.set().await.expect("rules can be set");
    let first = rules();
    for rule in [
        "-A INPUT -i docker+ -j DEIS-PLATFORM",
        "-A FORWARD -i br-+ -j DEIS-PLATFORM",
        "-A DEIS-PLATFORM -i docker0 -o docker0 -j DROP",
        "-A DEIS-PLATFORM -d 10.0.0.1/32 -p tcp -m tcp --dport 8000 -j REJECT --reject-with tcp-reset",
    ] {
        assert_eq!(first.lines().filter(|line| *line == rule).count(), 1, "{rule} in\n{first}");
    }
    firewall.set().await.expect("rules can be set");
    assert_eq!(rules(), first);
    for others in [&["-F", "INPUT"][..], &["-I", "FORWARD", "1", "-i", "docker0", "-j", "ACCEPT"]] {
        assert!(Command::new("iptables").args(others).status().expect("iptables is installed").success());
    }
    let shutdown = Shutdown::new();
    shutdown.cancel();
    firewall.run(shutdown).await.expect("it ends when told to");
    let again = rules();
    let others = "-A FORWARD -i docker0 -j ACCEPT";
    let mut kept: Vec<_> = again.lines().filter(|line| *line != others).collect();
    let mut before: Vec<_> = first.lines().collect();
    kept.sort_unstable();
    before.sort_unstable();
    assert_eq!(kept, before);
    let last = again.lines().rfind(|line| line.starts_with("-A FORWARD"));
    assert_eq!(last, Some(others), "what an engine puts first comes after ours:\n{again}");
}
