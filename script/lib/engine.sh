# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# The Docker Engine: started if none answers. Sourced after steps.sh, packages.sh and process.sh.
#
# Expects $engine_pid, the pid file of an engine that we start by hand, and $engine_log.

engine_answers() {
  command -v docker >/dev/null && docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# Whether an engine runs that only root and its group may talk to.
engine_is_closed() {
  ! engine_answers && [ "$(id -u)" -ne 0 ] && as_root docker version >/dev/null 2>&1
}

# Installs an engine if there is none and starts it if it does not answer.
start_engine() {
  engine_answers && return
  local commands=(docker dockerd iptables)
  [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || commands+=(apparmor_parser)
  install_commands "${commands[@]}"
  # Installing the package starts the service where there is systemd.
  ! wait_until 3 engine_responds || return 0
  if [ -d /run/systemd/system ]; then
    as_root systemctl start docker
  else
    start_engine_by_hand
  fi
  wait_until 60 engine_responds || {
    tail -n 5 "$engine_log" 2>/dev/null
    echo "the Docker Engine did not answer within 60 s"
    return 1
  }
}

engine_responds() {
  engine_answers || engine_is_closed
}

start_engine_by_hand() {
  # The engine ends at once if the process id in a file left behind by another belongs to anything that runs.
  running "$engine_pid" >/dev/null && return
  as_root rm -f /var/run/docker.pid
  # Without systemd nobody else cleans up after it: it runs until --down.
  as_root setsid nohup dockerd --mtu "$(uplink_mtu)" >"$engine_log" 2>&1 </dev/null &
  wait_until 30 engine_process
  remember "$engine_pid" "$(engine_process)"
}

engine_process() {
  local pid
  pid=$(cat /var/run/docker.pid 2>/dev/null) && [ -n "$(started_at "$pid")" ] && echo "$pid"
}

# The largest packet that the way out takes: containers that send larger ones hang where nobody tells them.
uplink_mtu() {
  local uplink mtu
  uplink=$(awk '$2 == "00000000" { print $1; exit }' /proc/net/route)
  mtu=$(cat "/sys/class/net/$uplink/mtu" 2>/dev/null || echo 1500)
  echo $((mtu < 1500 ? mtu : 1500))
}

# Lets this user talk to the engine, for good, and begins the script anew with that right: open_engine SCRIPT ARGUMENT….
open_engine() {
  engine_is_closed || {
    # No setting of deisd's.
    unset DEIS_ENGINE_OPENED
    return 0
  }
  [ -z "${DEIS_ENGINE_OPENED:-}" ] || fail "this user may not talk to the Docker Engine; log out and in, then run this again"
  join_group
  local words
  words=$(printf '%q ' bash "$@")
  # sg makes docker the primary group, with which newuidmap refuses to serve; a second one gives the user's own back.
  words=$(printf '%q ' sg "$(id -gn "$(id -un)")" -c "exec $words")
  export DEIS_ENGINE_OPENED=yes
  # sg stays until the script has ended: it must not hold the lock that the script takes anew (file descriptor 9).
  exec sg docker -c "exec $words" 9>&-
}

# A session that began before keeps its old groups, which is no reason to join again.
join_group() {
  ! id -nG "$(id -un)" | grep -qw docker || return 0
  say "Adding $(id -un) to the group docker, whose members may use the Docker Engine (and so are as good as root)."
  as_root usermod -aG docker "$(id -un)"
}

stop_engine() {
  stop "$engine_pid" 60
}
