//! Caddy: one site for all hosts, kept connections both ways, no access log.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;

use super::place::Place;

/// How it is started.
pub(super) fn command(place: &Place) -> Command {
    place.write("chain.pem", &place.certificate.chain);
    place.write("key.pem", &place.certificate.key);
    let settings = place.write("Caddyfile", &settings(place, None));
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(settings);
    command.env("XDG_DATA_HOME", &place.directory).env("XDG_CONFIG_HOME", &place.directory);
    command
}

/// Gives it all of its settings anew, with one more host, while it runs: it takes nothing less.
pub(super) fn load(place: &Place, more: &str) {
    let settings = settings(place, Some(more));
    let mut admin =
        UnixStream::connect(place.directory.join("admin")).expect("Caddy listens for its operator");
    let length = settings.len();
    write!(
        admin,
        "POST /load HTTP/1.1\r\nHost: \r\nContent-Type: text/caddyfile\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{settings}"
    )
    .expect("it listens");
    let mut said = String::new();
    admin.read_to_string(&mut said).expect("it answers");
    assert!(said.starts_with("HTTP/1.1 200"), "Caddy refused a host: {said}");
}

fn settings(place: &Place, more: Option<&str>) -> String {
    let directory = place.directory.display();
    let (plain, tls, upstream) = (place.plain.port(), place.tls.port(), place.upstream);
    let mut hosts = String::new();
    for host in place.hosts(more) {
        write!(hosts, " {host}").expect("a text grows");
    }
    format!(
        "{{
  admin unix/{directory}/admin
  auto_https off
}}
(app) {{
  bind 127.0.0.1
  @app host{hosts}
  handle @app {{
    reverse_proxy {upstream} {{
      transport http {{
        keepalive_idle_conns_per_host 128
      }}
      header_up X-Request-Id {{http.request.uuid}}
    }}
  }}
  respond 404
}}
http://:{plain} {{
  import app
}}
https://:{tls} {{
  tls {directory}/chain.pem {directory}/key.pem
  import app
}}
"
    )
}
