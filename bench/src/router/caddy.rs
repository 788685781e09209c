//! Caddy: one site for all hosts, kept connections both ways, no access log.

use std::fmt::Write;
use std::process::Command;

use super::place::Place;

/// How it is started.
pub(super) fn command(place: &Place) -> Command {
    place.write("chain.pem", &place.certificate.chain);
    place.write("key.pem", &place.certificate.key);
    let settings = place.write("Caddyfile", &settings(place));
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]).arg(settings);
    command.env("XDG_DATA_HOME", &place.directory).env("XDG_CONFIG_HOME", &place.directory);
    command
}

fn settings(place: &Place) -> String {
    let directory = place.directory.display();
    let (plain, tls, upstream) = (place.plain.port(), place.tls.port(), place.upstream);
    let mut hosts = String::new();
    for number in 0..place.apps {
        write!(hosts, " {}", super::host(number)).expect("a text grows");
    }
    format!(
        "{{
  admin off
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
