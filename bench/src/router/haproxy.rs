//! HAProxy: a map from host to back end, kept connections both ways, no access log.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

use super::place::Place;

/// How it is started.
pub(super) fn command(place: &Place) -> Command {
    let mut map = String::new();
    for host in place.hosts(None) {
        writeln!(map, "{host} app").expect("a text grows");
    }
    place.write("hosts.map", &map);
    place.write("pair.pem", &[place.certificate.chain.as_str(), &place.certificate.key].concat());
    let settings = place.write("haproxy.cfg", &settings(place));
    let mut command = Command::new("haproxy");
    command.arg("-f").arg(settings);
    command
}

fn settings(place: &Place) -> String {
    let (plain, tls, upstream) = (place.plain, place.tls, place.upstream);
    let directory = place.directory.display();
    format!(
        "global
  nbthread 2
  maxconn 8192
  stats socket {directory}/admin level admin
defaults
  mode http
  timeout client 1310s
  timeout server 1300s
  timeout connect 5s
  timeout http-request 60s
  option forwardfor
  http-reuse safe
frontend visitors
  bind {plain} backlog 4096
  bind {tls} backlog 4096 ssl crt {directory}/pair.pem alpn h2,http/1.1
  http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
  http-request set-header X-Forwarded-Proto http if !{{ ssl_fc }}
  http-request set-header X-Request-Id %[uuid()]
  use_backend %[req.hdr(host),lower,map({directory}/hosts.map,none)]
backend app
  server app {upstream} pool-max-conn 128
backend none
  http-request deny deny_status 404
"
    )
}

/// Gives a host to it in place of another, which it may not know, while it runs.
pub(super) fn replace(place: &Place, old: &str, new: &str) {
    let map = place.directory.join("hosts.map");
    let map = map.display();
    // It says that there is none the first time.
    say(place, &format!("del map {map} {old}"));
    let said = say(place, &format!("add map {map} {new} app"));
    assert!(said.trim().is_empty(), "HAProxy refused a host: {said}");
}

fn say(place: &Place, command: &str) -> String {
    let socket = place.directory.join("admin");
    let mut admin = UnixStream::connect(socket).expect("HAProxy listens for its operator");
    writeln!(admin, "{command}").expect("it listens");
    let mut said = String::new();
    admin.read_to_string(&mut said).expect("it answers");
    said
}
