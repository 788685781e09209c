//! The same work with the engine's own client, without a platform.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use deis_tests::{Platform, Repository, Site};

/// Seconds from `docker run` of an app's image to its first answer.
pub(crate) fn start_to_first_answer(image: &str) -> f64 {
    let begun = Instant::now();
    let id = docker(&["run", "--detach", "--init", image, "start", "web"]);
    let address = docker(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", &id]);
    let address: SocketAddr = format!("{address}:5000").parse().expect("the engine gave an address");
    while !answers(address, "bench") {
        assert!(begun.elapsed() < Duration::from_secs(60), "{image} does not answer");
        std::thread::sleep(Duration::from_millis(10));
    }
    let taken = begun.elapsed().as_secs_f64();
    docker(&["rm", "--force", &id]);
    taken
}

/// Seconds that any build on the engine takes: a container made, the source copied in, run, and an image made of it.
/// Nothing is installed, so that what a buildpack does counts as the platform's own.
pub(crate) fn build_time(app: &Repository) -> f64 {
    let begun = Instant::now();
    let id = docker(&["create", "--workdir", "/", "deis/stack:latest", "true"]);
    docker(&["cp", &format!("{}/.", app.path().display()), &format!("{id}:/app")]);
    docker(&["start", "--attach", &id]);
    let image = docker(&["commit", &id]);
    let taken = begun.elapsed().as_secs_f64();
    docker(&["rm", "--force", &id]);
    docker(&["rmi", &image]);
    taken
}

/// Seconds until `count` containers of `image` have been started, eight at a time.
pub(crate) fn start_many(image: &str, count: usize) -> f64 {
    let begun = Instant::now();
    let ids: Vec<String> = std::thread::scope(|scope| {
        let mut ids = Vec::new();
        let mut started = 0;
        while started < count {
            let batch = (count - started).min(8);
            let start = || docker(&["run", "--detach", "--init", image, "start", "web"]);
            let threads: Vec<_> = (0..batch).map(|_| scope.spawn(start)).collect();
            ids.extend(threads.into_iter().map(|thread| thread.join().expect("the engine's client runs")));
            started += batch;
        }
        ids
    });
    let taken = begun.elapsed().as_secs_f64();
    let all: Vec<&str> = ["rm", "--force"].into_iter().chain(ids.iter().map(String::as_str)).collect();
    docker(&all);
    taken
}

/// The image of the platform's container that ends in `name`.
pub(crate) fn image_of(name: &str, platform: &Platform) -> String {
    let containers = platform.containers();
    let container = containers.iter().find(|found| found.ends_with(name)).expect("it runs");
    docker(&["inspect", "--format", "{{.Config.Image}}", &platform.engine_name(container)])
}

/// Whether whatever listens at `address` answers a request for `host` with 200.
pub(crate) fn answers(address: SocketAddr, host: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) else {
        return false;
    };
    let mut answer = [0_u8; 12];
    stream.write_all(format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n").as_bytes()).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer.ends_with(b"200")
}

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("the engine's client runs");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
