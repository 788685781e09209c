//! nginx: a map from host to upstream, kept connections both ways, no access log.

use std::fmt::Write;
use std::process::Command;

use super::place::Place;

/// How it is started.
pub(super) fn command(place: &Place) -> Command {
    write(place, None);
    let mut command = Command::new("nginx");
    command.arg("-p").arg(&place.directory).args(["-c", "nginx.conf", "-e", "error.log"]);
    command
}

/// Writes its files, with one more host if there is one. It reads them when it starts and when it is told HUP.
pub(super) fn write(place: &Place, more: Option<&str>) {
    place.write("chain.pem", &place.certificate.chain);
    place.write("key.pem", &place.certificate.key);
    let mut map = String::new();
    for host in place.hosts(more) {
        writeln!(map, "{host} app;").expect("a text grows");
    }
    place.write("hosts.map", &map);
    place.write("nginx.conf", &settings(place));
}

fn settings(place: &Place) -> String {
    let (plain, tls, upstream) = (place.plain, place.tls, place.upstream);
    format!(
        "daemon off; worker_processes auto; worker_rlimit_nofile 65536; pid nginx.pid;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  keepalive_requests 100000000; keepalive_timeout 1310s; proxy_max_temp_file_size 0;
  map_hash_max_size 65536; map_hash_bucket_size 128;
  map $host $upstream {{ hostnames; default \"\"; include hosts.map; }}
  upstream app {{ server {upstream}; keepalive 128; keepalive_requests 100000000; }}
  server {{
    listen {plain} backlog=4096; listen {tls} ssl http2 backlog=4096; http2_max_requests 100000000;
    ssl_certificate chain.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:tls:10m;
    location / {{
      if ($upstream = \"\") {{ return 404; }}
      proxy_pass http://$upstream; proxy_http_version 1.1; proxy_set_header Connection \"\";
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Port $server_port;
      proxy_set_header X-Request-Id $request_id;
    }}
  }}
}}
"
    )
}
