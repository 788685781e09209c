//! Histories in short words, and what is told of them.

use bollard::models::{
    ContainerStatus as Ended, Limit, TaskSpec, TaskSpecContainerSpec, TaskSpecResources, TaskStatus,
};
use std::collections::HashMap;

use super::*;

/// `created state exit told fingerprint` as in `1 failed 3 2 a`; the times are seconds.
fn task(text: &str) -> Task {
    let words: Vec<&str> = text.split_whitespace().collect();
    let time = |seconds: &str| format!("1970-01-01T00:00:{:0>2}Z", seconds);
    let (state, desired) = match words[1] {
        "running" => (TaskState::RUNNING, TaskState::RUNNING),
        "pending" => (TaskState::PENDING, TaskState::RUNNING),
        "failed" => (TaskState::FAILED, TaskState::SHUTDOWN),
        "rejected" => (TaskState::REJECTED, TaskState::SHUTDOWN),
        "complete" => (TaskState::COMPLETE, TaskState::SHUTDOWN),
        "lost" => (TaskState::RUNNING, TaskState::SHUTDOWN),
        _ => (TaskState::SHUTDOWN, TaskState::SHUTDOWN),
    };
    let labels = HashMap::from([(labels::FINGERPRINT.to_owned(), words[4].to_owned())]);
    let container = TaskSpecContainerSpec { labels: Some(labels), ..Default::default() };
    let limits = Limit { memory_bytes: Some(1), ..Default::default() };
    let resources = TaskSpecResources { limits: Some(limits), ..Default::default() };
    let exit_code = words[2].parse().ok();
    Task {
        node_id: Some(if words[4] == "away" { "away" } else { "host" }.to_owned()),
        id: Some(text.to_owned()),
        created_at: Some(time(words[0])),
        desired_state: Some(desired),
        spec: Some(TaskSpec {
            container_spec: Some(container),
            resources: Some(resources),
            ..Default::default()
        }),
        status: Some(TaskStatus {
            timestamp: Some(time(words[3])),
            err: (state == TaskState::REJECTED).then(|| "no network".to_owned()),
            state: Some(state),
            container_status: Some(Ended { exit_code, ..Default::default() }),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn check(tasks: &[&str], expected: &str) {
    let tasks: Vec<_> = tasks.iter().map(|text| task(text)).collect();
    let name = ContainerName::parse("blog_v2.web.1").expect("valid");
    let host = |id: &str| (id == "host").then_some(std::net::Ipv4Addr::LOCALHOST.into());
    let told = tell(name, &tasks.iter().collect::<Vec<_>>(), false, host).map(|one| {
        let code = one.exit_code.map_or("-".to_owned(), |code| code.to_string());
        let memory = if one.out_of_memory { " oom" } else { "" };
        let trouble = one.trouble.map_or(String::new(), |trouble| format!(" {trouble}"));
        format!("{} restarts={} exit={code}{memory}{trouble}", one.state.as_str(), one.restarts)
    });
    assert_eq!(told.as_deref().unwrap_or("none"), expected, "{tasks:?}");
}

#[test]
fn restarts_are_tasks_that_ended_by_themselves() {
    check(&["1 running - 2 a"], "up restarts=0 exit=-");
    check(&["1 pending - 2 a"], "created restarts=0 exit=-");
    check(&["1 failed 3 5 a", "5 running - 6 a"], "up restarts=1 exit=3");
    check(&["1 failed 3 5 a", "5 failed 4 6 a", "6 pending - 6 a"], "crashed restarts=2 exit=4");
    check(&["1 complete 0 5 a", "5 pending - 6 a"], "down restarts=1 exit=0");
    check(&["1 failed 137 5 a", "5 pending - 6 a"], "crashed restarts=1 exit=137 oom");
    check(&["1 failed 7 5 a"], "crashed restarts=0 exit=7");
}

#[test]
fn what_a_host_turned_away_did_not_crash() {
    check(&["1 rejected - 5 a"], "created restarts=0 exit=- no network");
    check(&["1 rejected - 5 a", "5 pending - 6 a"], "created restarts=0 exit=- no network");
    check(
        &["1 rejected - 5 a", "5 rejected - 6 a", "6 pending - 7 a"],
        "created restarts=0 exit=- no network",
    );
    check(&["1 rejected - 5 a", "5 running - 6 a"], "up restarts=0 exit=-");
    check(&["1 rejected - 5 old", "5 pending - 6 a"], "created restarts=0 exit=-");
    check(&["1 failed 3 5 a", "5 rejected - 6 a", "6 pending - 7 a"], "crashed restarts=1 exit=3 no network");
    check(&["1 rejected - 5 a", "5 failed 3 6 a", "6 pending - 7 a"], "crashed restarts=1 exit=3");
}

#[test]
fn nobody_vouches_for_what_a_lost_host_runs() {
    check(&["1 running - 2 away"], "error restarts=0 exit=-");
}

#[test]
fn what_the_cluster_ended_is_no_restart() {
    check(&["1 shutdown - 5 a", "5 running - 6 a"], "up restarts=0 exit=-");
    check(&["1 lost - 2 a", "5 running - 6 a"], "up restarts=0 exit=-");
    check(&["1 failed 137 20 a", "5 running - 6 a"], "up restarts=0 exit=-");
    check(&["1 failed 3 5 old", "5 running - 6 a"], "up restarts=0 exit=-");
    check(&["1 lost - 2 a"], "none");
    check(&[], "none");
}
