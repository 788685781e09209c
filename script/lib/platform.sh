# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# The platform itself. Sourced by quickstart; expects $base, $bin, $platform_pid, $platform_log and the DEIS_* settings.

deisctl() {
  "$bin/deisctl" --data-dir "$DEIS_DATA_DIR" "$@"
}

# Where the router listens, as a client on this machine says it: host:port.
router_address() {
  local port=${DEIS_HTTP##*:} host=${DEIS_HTTP%:*}
  case $host in
    0.0.0.0 | '[::]') host=127.0.0.1 ;;
  esac
  echo "$host:$port"
}

# http://NAME.DOMAIN, with the port where it is not the usual one.
url_of() {
  local port=${DEIS_HTTP##*:}
  [ "$port" = 80 ] && port='' || port=:$port
  echo "http://$1.$DEIS_DOMAIN$port"
}

platform_url() {
  url_of deis
}

# Starts deisd, or again if it was built or set anew, and waits until the API answers through the router.
start_platform() {
  local pid
  settings >"$base/settings.new"
  if pid=$(running "$platform_pid") && ! is_current "$pid"; then
    echo "deisd or its settings changed: starting it again"
    stop "$platform_pid" 60
  fi
  mv "$base/settings.new" "$base/settings"
  running "$platform_pid" >/dev/null || launch_platform
  wait_until 60 platform_answers_or_ended
  platform_answers || {
    tail -n 5 "$platform_log"
    echo "deisd did not come up; its output is in $platform_log"
    return 1
  }
}

settings() {
  env | grep '^DEIS_' | sort
}

# Linux marks the program of a process as deleted once another was put in its place.
is_current() {
  [ "$(readlink "/proc/$1/exe")" = "$(readlink -f "$bin/deisd")" ] && cmp -s "$base/settings" "$base/settings.new"
}

launch_platform() {
  setsid nohup "$bin/deisd" run --data-dir "$DEIS_DATA_DIR" >"$platform_log" 2>&1 </dev/null &
  remember "$platform_pid" $!
}

platform_answers() {
  local status
  deisctl status controller builder registry router >/dev/null || return
  status=$(curl -s -m 5 -o /dev/null -w '%{http_code}' -H "Host: deis.$DEIS_DOMAIN" "http://$(router_address)/v1/")
  # The API asks for a token: it is the controller that answers.
  [ "$status" = 401 ]
}

platform_answers_or_ended() {
  platform_answers || ! running "$platform_pid" >/dev/null
}

stop_platform() {
  stop "$platform_pid" 60
}

# The name that our containers and the network carry.
platform_name() {
  echo "${DEIS_NETWORK:-deis}"
}

stop_apps() {
  engine_answers || return 0
  docker ps --quiet --filter "label=io.deis.platform=$(platform_name)" | xargs -r docker stop
}

# By name, so that an image that another platform on this engine uses too keeps its other names.
remove_images() {
  local registry=${DEIS_REGISTRY:-127.0.0.1:5000} name
  for name in "$registry/*" "$registry/*/*" "${DEIS_STACK_IMAGE:-deis/stack:latest}"; do
    docker images --format '{{.Repository}}:{{.Tag}}' "$name"
  done | xargs -r -n 1 docker rmi || echo "some images are used by others and stay"
  docker image prune --force --filter label=io.deis.stack
}

# Removes what the platform made on the engine: what carries its labels, and images named after its registry.
purge_engine() {
  engine_answers || return 0
  local name
  name=$(platform_name)
  for label in "io.deis.platform=$name" "io.deis.build=$name"; do
    docker ps --all --quiet --filter "label=$label" | xargs -r docker rm --force --volumes
  done
  docker volume ls --quiet --filter "label=io.deis.build=$name" | xargs -r docker volume rm --force
  remove_images
  docker network ls --quiet --filter label=io.deis.network --filter "name=^$name\$" | xargs -r docker network rm
}

create_admin() {
  [ -s "$base/admin.password" ] || deisctl admin create admin --password-file "$base/admin.password" >/dev/null
}

# The password, the first time only.
show_password() {
  if [ -e "$base/password-was-shown" ]; then
    echo "  its password is in $base/admin.password"
  else
    echo "  its password, shown this once and kept in $base/admin.password: $(cat "$base/admin.password")"
    touch "$base/password-was-shown"
  fi
}
