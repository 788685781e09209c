//! `deisctl hosts`: who belongs to the cluster, what for, and what that withstands.

use std::io::Write;

use deis_scheduler::{ClusterHost, HostState};

use crate::fleet::is_of;
use crate::operate::Operation;
use crate::plane::Plane;
use crate::platform::Platform;
use crate::table::aligned;

/// Prints the hosts.
pub(super) async fn hosts(platform: &Platform, out: &mut dyn Write) -> anyhow::Result<()> {
    let fleet = Operation::open(platform).await?.fleet;
    write!(out, "{}", render(&fleet.cluster.hosts().await?))?;
    Ok(())
}

fn render(hosts: &[ClusterHost]) -> String {
    let mut rows =
        vec![["HOST", "ADDRESS", "STATE", "CLUSTER", "PLANES", "LABELS", "ENGINE"].map(str::to_owned)];
    rows.extend(hosts.iter().map(row));
    let mut text = aligned(&rows);
    for advice in advice(hosts) {
        text += &format!("\n{advice}\n");
    }
    text
}

fn row(host: &ClusterHost) -> [String; 7] {
    let cluster = match (host.leader, host.manager) {
        (true, _) => "leader",
        (false, true) => "manager",
        (false, false) => "worker",
    };
    let planes = Plane::ALL.into_iter().filter(|plane| is_of(host, *plane)).map(Plane::label);
    let is_plane = |key: &str| Plane::ALL.iter().any(|plane| plane.label() == key);
    let others =
        host.labels.iter().filter(|(key, _)| !is_plane(key)).map(|(key, value)| format!("{key}={value}"));
    [
        host.name.clone(),
        host.address.to_string(),
        state(host.state).to_owned(),
        cluster.to_owned(),
        or_dash(planes.collect::<Vec<_>>().join(",")),
        or_dash(others.collect::<Vec<_>>().join(",")),
        host.engine.clone(),
    ]
}

fn state(state: HostState) -> &'static str {
    match state {
        HostState::Ready => "ready",
        HostState::Drained => "drained",
        HostState::Down => "down",
    }
}

fn or_dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

/// What an operator should mend, with the cures.
pub(crate) fn advice(hosts: &[ClusterHost]) -> Vec<String> {
    let mut advice = Vec::new();
    for host in hosts.iter().filter(|host| host.state == HostState::Down) {
        advice.push(format!(
            "{name} is not heard of.\n  cure: start it; if it is lost for good, `deisctl remove {name}`",
            name = host.name
        ));
    }
    for host in hosts.iter().filter(|host| Plane::ALL.iter().all(|plane| !is_of(host, *plane))) {
        advice.push(format!(
            "{name} belongs to no plane.\n  cure: `deisctl label {name} dataPlane=true`",
            name = host.name
        ));
    }
    let managers = hosts.iter().filter(|host| host.manager).count();
    if managers < 3 {
        advice.push(format!(
            "The cluster has {managers} of the 3 managers with which it survives the loss of any one.\n  cure: `deisctl \
             ticket`, and `deisctl join` on another host"
        ));
    } else if managers % 2 == 0 {
        advice.push(format!(
            "{managers} managers survive the loss of no more than {} would.\n  cure: add another, or join hosts with \
             --worker",
            managers - 1
        ));
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::test_state;

    #[test]
    fn hosts_are_listed_with_what_they_are_for() {
        let mut hosts = test_state(&["lab1", "lab2", "lab3"]).hosts;
        hosts[1].labels.remove("controlPlane");
        hosts[1].labels.insert("disk".into(), "ssd".into());
        hosts[2].state = HostState::Down;
        assert_eq!(
            render(&hosts),
            "HOST  ADDRESS   STATE  CLUSTER  PLANES                             LABELS    ENGINE\n\
             lab1  10.0.0.1  ready  leader   controlPlane,dataPlane,routerMesh  -         20.10.24\n\
             lab2  10.0.0.2  ready  manager  dataPlane,routerMesh               disk=ssd  20.10.24\n\
             lab3  10.0.0.3  down   manager  controlPlane,dataPlane,routerMesh  -         20.10.24\n\
             \n\
             lab3 is not heard of.\n  cure: start it; if it is lost for good, `deisctl remove lab3`\n"
        );
    }

    #[test]
    fn too_few_or_an_even_number_of_managers_are_told() {
        let count = |hosts: &[&str]| advice(&test_state(hosts).hosts).len();
        assert_eq!(count(&["a"]), 1);
        assert_eq!(count(&["a", "b", "c"]), 0);
        assert_eq!(count(&["a", "b", "c", "d"]), 1);
        assert_eq!(count(&["a", "b", "c", "d", "e"]), 0);
    }
}
