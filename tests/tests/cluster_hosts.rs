//! The hosts that clusters are tested on behave as servers do.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use deis_tests::{Host, Lab, has_lab};

/// How long a Swarm may take to notice something and to act on it.
const SETTLES: Duration = Duration::from_secs(120);
/// How long a connection may take to be made where it can be.
const CONNECTS: Duration = Duration::from_secs(2);
/// The port that the service is published on.
const PORT: u16 = 8080;

#[test]
fn three_managers_spread_a_service_and_replace_what_a_lost_host_had() {
    if !has_lab() {
        return;
    }
    let lab = Lab::up(3);
    make_swarm(&lab);
    start_service(&lab);
    let (first, third) = (lab.host(1), lab.host(3));

    third.kill();
    assert!(!answers(third), "a host without power answers");
    let nodes = |host: &Host| host.docker(&["node", "ls", "--format", "{{.Hostname}} {{.Status}}"]).stdout;
    first.eventually("the lost host is seen", SETTLES, |first| nodes(first).contains("lab3 Down"));
    assert!(answers(first) && answers(lab.host(2)));

    third.start();
    first.eventually("it is back", SETTLES, |first| nodes(first).contains("lab3 Ready"));
    third.eventually("its disk still has the image, and it serves again", SETTLES, answers);
}

#[test]
fn a_host_that_is_cut_off_runs_on_and_is_reached_again_when_healed() {
    if !has_lab() {
        return;
    }
    let lab = Lab::up(1);
    let host = lab.host(1);
    host.import("deis-test/web", "one");
    host.docker(&["run", "--detach", "--publish", "8080:5000", "deis-test/web"]).succeeded();
    host.eventually("it serves", SETTLES, answers);
    host.cut();
    assert!(!answers(host));
    host.run(["curl", "--silent", "--fail", "http://127.0.0.1:8080/"]).succeeded().said("one");
    host.heal();
    host.eventually("it is reached again", SETTLES, answers);
    lab.outside().run(["curl", "--silent", "--fail", "http://lab1:8080/"]).succeeded().said("one");
}

#[test]
fn an_engine_that_is_killed_comes_back_and_one_that_is_stopped_stays_so() {
    if !has_lab() {
        return;
    }
    let lab = Lab::up(1);
    let host = lab.host(1);
    let process = || host.run(["pgrep", "--exact", "dockerd"]).stdout;
    let before = process();
    host.kill_engine();
    host.eventually("another engine answers", SETTLES, |host| {
        process() != before && host.docker(&["version"]).code == 0
    });
    host.stop_engine();
    assert_ne!(host.docker(&["version"]).code, 0);
    host.start_engine();
    host.docker(&["version"]).succeeded();
}

#[test]
fn what_a_host_writes_is_its_own() {
    if !has_lab() {
        return;
    }
    let lab = Lab::up(2);
    let (first, second) = (lab.host(1), lab.host(2));
    for path in ["/etc/deis-test", "/usr/local/deis-test", "/var/lib/deis/deis-test", "/run/deis-test"] {
        first.write(path, "written");
        assert_ne!(second.run(["cat", path]).code, 0, "{path} is seen by another host");
        assert!(!std::path::Path::new(path).exists(), "{path} is seen by this machine");
    }
    assert_ne!(first.read("/etc/machine-id"), second.read("/etc/machine-id"));
    first.run(["hostname"]).succeeded().said("lab1");
    first.kill();
    first.start();
    assert_eq!(first.read("/var/lib/deis/deis-test"), "written");
    assert_ne!(first.run(["cat", "/run/deis-test"]).code, 0, "what is in memory outlives a power loss");
}

#[test]
fn nothing_is_left_of_a_lab() {
    if !has_lab() {
        return;
    }
    let lab = Lab::up(2);
    let name = lab.name().to_owned();
    make_swarm(&lab);
    start_service(&lab);
    lab.host(2).kill();
    lab.host(1).cut();
    drop(lab);
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().expect("the program is installed");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let left = [
        said("iptables", &["-w", "-S"]),
        said("iptables", &["-w", "-t", "nat", "-S"]),
        said("ip", &["-details", "link"]),
        said("find", &["/sys/fs/cgroup", "/var/lib/deis-lab", "/dev/shm", "-path", &format!("*{name}*")]),
        said("ps", &["-e", "-o", "args="]),
        said("cat", &["/proc/self/mountinfo"]),
    ];
    for (index, text) in left.iter().enumerate() {
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(&name)).collect();
        assert!(lines.is_empty(), "{index}: {lines:?}");
    }
}

/// Makes all hosts managers of one Swarm.
fn make_swarm(lab: &Lab) {
    let first = lab.host(1);
    let address = first.address().to_string();
    first.docker(&["swarm", "init", "--advertise-addr", &address]).succeeded();
    let token = first.docker(&["swarm", "join-token", "--quiet", "manager"]).succeeded().stdout;
    for host in &lab.hosts()[1..] {
        host.docker(&["swarm", "join", "--token", token.trim(), &format!("{address}:2377")]).succeeded();
    }
}

/// Starts one web server per host and waits until all answer.
fn start_service(lab: &Lab) {
    lab.hosts().iter().for_each(|host| host.import("deis-test/web", "one"));
    let publish = format!("mode=host,target=5000,published={PORT}");
    let options =
        ["--detach", "--mode=global", "--endpoint-mode=dnsrr", "--no-resolve-image", "--publish", &publish];
    let create: Vec<&str> =
        ["service", "create", "--name=web"].into_iter().chain(options).chain(["deis-test/web"]).collect();
    lab.host(1).docker(&create).succeeded();
    lab.hosts().iter().for_each(|host| host.eventually("it serves", SETTLES, answers));
}

/// Whether something on the host answers this machine.
fn answers(host: &Host) -> bool {
    TcpStream::connect_timeout(&host.socket(PORT), CONNECTS).is_ok()
}
