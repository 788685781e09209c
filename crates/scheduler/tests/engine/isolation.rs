//! Platforms, apps and strangers on one engine: each keeps to its own.

use std::time::Duration;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder};
use deis_model::{ContainerName, ContainerState, FileMount, HostAccess, Mount, Spread, Workload};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fixture::{Fixture, archive, raw, words};
use crate::job::run;

const NOW: Duration = Duration::ZERO;

fn first(workload: &Workload) -> ContainerName {
    ContainerName { workload: workload.id.clone(), number: 1 }
}

#[tokio::test]
async fn a_foreign_container_of_the_same_name_is_left_alone() {
    let Some(fixture) = Fixture::docker().await else { return };
    let workload = fixture.web("blog", 1, 1);
    let name = fixture.engine_name(&first(&workload));
    let engine = raw().await;
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    let body = ContainerCreateBody { image: Some(fixture.image.clone()), ..Default::default() };
    let foreign = engine.create_container(Some(options), body).await.expect("create").id;
    let refused = fixture.engine.scheduler.apply(&workload).await.expect_err("the name is taken").to_string();
    assert!(refused.contains("held by a container that is not this platform's"), "{refused}");
    fixture.engine.scheduler.remove_container(&first(&workload), NOW).await.expect("nothing of ours");
    fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("nothing of ours");
    assert!(fixture.observe("blog").await.is_empty());
    engine.inspect_container(&foreign, None).await.expect("still there");
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    engine.remove_container(&foreign, Some(options)).await.expect("remove");
    fixture.clean().await;
}

#[tokio::test]
async fn an_image_cannot_pretend_to_be_another_apps_container() {
    let Some(fixture) = Fixture::docker().await else { return };
    let image = fixture.app("evil").to_string() + ":v1";
    let labels = [
        format!("LABEL io.deis.platform={}", fixture.platform),
        "LABEL io.deis.app=victim io.deis.release=v1 io.deis.process=web io.deis.number=1".to_owned(),
        "LABEL io.deis.port=22 io.deis.health={}".to_owned(),
    ];
    fixture.engine.images.import(&image, archive(&[("x", 0o644, b"x")]), &labels).await.expect("import");
    let engine = raw().await;
    let body = ContainerCreateBody {
        image: Some(image.clone()),
        cmd: Some(vec!["/x".to_owned()]),
        ..Default::default()
    };
    let made = engine.create_container(None, body).await.expect("create").id;
    assert!(fixture.engine.scheduler.observe(None).await.expect("observe").is_empty());
    let options = RemoveContainerOptionsBuilder::new().force(true).build();
    engine.remove_container(&made, Some(options)).await.expect("remove");
    let workload =
        Workload { image: image.clone(), port: None, health_check: None, ..fixture.web("evil", 1, 1) };
    fixture.engine.scheduler.apply(&workload).await.ok();
    let seen = fixture.observe("evil").await.remove(0);
    assert_eq!((seen.address, seen.health_check), (None, None), "labels of the image do not show through");
    fixture.engine.scheduler.remove(&workload.id, NOW).await.expect("remove");
    fixture.engine.images.remove_image(&image).await.expect("remove");
    fixture.clean().await;
}

#[tokio::test]
async fn platforms_on_one_engine_do_not_see_each_other() {
    let (Some(one), Some(other)) = (Fixture::docker().await, Fixture::docker().await) else { return };
    let workload = one.web("blog", 1, 1);
    one.engine.scheduler.apply(&workload).await.expect("apply");
    assert!(other.engine.scheduler.observe(None).await.expect("observe").is_empty());
    other.engine.scheduler.remove(&workload.id, NOW).await.expect("nothing of its own");
    assert_eq!(one.states("blog").await, ["web.1=up"]);
    other.engine.scheduler.apply(&workload).await.expect("each has names of its own");
    assert_eq!(other.engine.scheduler.observe(None).await.expect("observe").len(), 1);
    other.clean().await;
    assert_eq!(one.states("blog").await, ["web.1=up"]);
    one.clean().await;
}

#[tokio::test]
async fn the_host_reaches_apps_but_apps_do_not_reach_each_other() {
    let Some(fixture) = Fixture::docker().await else { return };
    fixture.engine.scheduler.apply(&fixture.web("blog", 1, 1)).await.expect("apply");
    let address = fixture.observe("blog").await.remove(0).address.expect("up");
    assert_eq!(get(address).await.split(' ').nth(1), Some("200"));
    let connect = format!("busybox nc -w 2 {} {} < /dev/null", address.ip(), address.port());
    let (status, text) = run(&fixture, 1, &connect).await;
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("timed out"), "{text}");
    fixture.clean().await;
}

/// Asks an app for a file that it has, until it serves.
async fn get(address: std::net::SocketAddr) -> String {
    for _ in 0..100 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
            stream.write_all(b"GET /etc/hostname HTTP/1.0\r\n\r\n").await.expect("write");
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.expect("read");
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{address} does not accept");
}

#[tokio::test]
async fn what_was_made_but_not_started_is_finished() {
    let Some(fixture) = Fixture::docker().await else { return };
    let workload = fixture.web("blog", 1, 1);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let id = fixture.observe("blog").await.remove(0).id;
    raw().await.stop_container(&id, None).await.expect("stop");
    fixture.until("blog", |one| one.state == ContainerState::Crashed).await;
    fixture.engine.scheduler.apply(&workload).await.expect("apply again");
    let again = fixture.observe("blog").await.remove(0);
    assert_eq!((again.id, again.state), (id, ContainerState::Up));
    fixture.clean().await;
}

#[tokio::test]
async fn memory_beyond_the_limit_is_told() {
    let Some(fixture) = Fixture::docker().await else { return };
    let mut workload = fixture.web("hungry", 1, 1);
    workload.limits.memory_bytes = Some(16 << 20);
    workload.command = words(&["busybox", "sh", "-c", "sleep 1; busybox tail -c 100000000 /dev/zero"]);
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let killed = fixture.until("hungry", |one| one.restarts >= 1 && one.out_of_memory).await;
    assert_eq!((killed.exit_code, killed.out_of_memory), (Some(137), true));
    fixture.clean().await;
}

#[tokio::test]
async fn tags_that_the_host_lacks_are_told() {
    let Some(fixture) = Fixture::docker().await else { return };
    let mut workload = fixture.web("blog", 1, 1);
    workload.tags.insert("disk".to_owned(), "none-has-this".to_owned());
    let refused = fixture.engine.scheduler.apply(&workload).await.expect_err("no such host");
    assert_eq!(refused.to_string(), "no host has the label disk=none-has-this");
    fixture.clean().await;
}

#[tokio::test]
async fn a_role_has_what_it_asks_of_its_host() {
    let Some(fixture) = Fixture::docker().await else { return };
    let directory = std::env::temp_dir().join(fixture.app("role").to_string());
    std::fs::create_dir_all(&directory).expect("a temporary directory can be made");
    std::fs::write(directory.join("hello"), "from the host\n").expect("a temporary file can be written");
    let mount = |target: &str| Mount {
        source: directory.display().to_string(),
        target: target.to_owned(),
        read_only: true,
    };
    let file = FileMount { path: "/etc/role/key".to_owned(), contents: "secret\n".to_owned() };
    let access = HostAccess {
        network: true,
        mounts: vec![mount("/host")],
        files: vec![file],
        capabilities: vec!["NET_RAW".to_owned()],
        overlaps: false,
        stop_grace_seconds: None,
    };
    let script = "cd /; busybox cat host/hello etc/role/key; busybox ls -l etc/role/key | busybox cut -c 1-10; \
                  busybox readlink /proc/self/ns/net; sleep 600";
    let workload = Workload {
        command: words(&["busybox", "sh", "-c", script]),
        host: Some(access),
        spread: Spread::Hosts,
        ..fixture.web("role", 1, 0)
    };
    fixture.engine.scheduler.apply(&workload).await.expect("apply");
    let one = fixture.until("role", |one| one.state == ContainerState::Up).await;
    assert_eq!(one.name.number, 1, "there is one host");
    assert_eq!(one.address.map(|address| address.to_string()).as_deref(), Some("127.0.0.1:5000"));
    let mut told = Vec::new();
    for _ in 0..600 {
        told = fixture.engine.output.tail(&one.id, 100).await.expect("tail");
        if told.len() > 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let network = std::fs::read_link("/proc/self/ns/net").expect("proc is there").display().to_string();
    assert_eq!(told, ["from the host", "secret", "-r--------", network.as_str()]);
    std::fs::remove_dir_all(&directory).expect("remove");
    fixture.clean().await;
}
