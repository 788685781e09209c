# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# A host of a lab: namespaces that end with their first process. Sourced after lab_network.sh.
#
# The first process (lab_boot.sh) is to the host what init is to a server: kill it, and the kernel kills all others of
# the host at once, which is what a power loss does. Then nothing holds its network, mounts and names any more.

# Prints the process id of the host's first process.
host_process() {
  running "$state/hosts/$1/pid"
}

host_runs() {
  host_process "$1" >/dev/null
}

require_running() {
  host_runs "$1" || fail "$1 has no power; script/lab start $1"
}

# Starts the host's first process and connects it; waits for no more.
boot_host() {
  local host=$1 disk=$state/hosts/$1 pid
  mkdir -p "$disk/docker" "$disk/deis" "$disk/opt" "$disk/home"
  name_servers >"$disk/resolv.conf"
  rm -f "$disk/pid" "$disk/booting"
  env DEIS_LAB_HOST="$lab/$host" setsid nohup unshare --net --uts --ipc --mount --pid --fork --kill-child \
    --propagation private bash "$root/script/lib/lab_boot.sh" "$disk" "$host" "$(address_of "$host")/24" \
    "$(gateway)" "$(engine_cgroup "$host")" "$(lab_mtu)" >"$disk/boot.log" 2>&1 </dev/null 9>&- &
  wait_until 10 test -s "$disk/booting" || fail_to_boot "$host" "its first process did not start"
  pid=$(cat "$disk/booting")
  remember "$disk/pid" "$pid"
  plug_in "$host" "$pid"
  host_table >"$disk/hosts.new"
}

gateway() {
  echo "10.215.$(lab_number).1"
}

# Without systemd's rules any path will do; nobody else makes one of this name.
engine_cgroup() {
  echo "/deis-lab/$lab/$1"
}

fail_to_boot() {
  tail -n 5 "$state/hosts/$1/boot.log" "$state/hosts/$1/engine.log" 2>/dev/null >&2 || true
  fail "$1 did not boot: $2"
}

# Waits until the host is up, and its engine answers if it has one.
await_host() {
  local limit=60 until
  until=$((SECONDS + limit))
  until host_is_ready "$1"; do
    host_runs "$1" || fail_to_boot "$1" "its first process ended"
    [ "$SECONDS" -lt "$until" ] || fail_to_boot "$1" "it was not ready within $limit s"
    sleep 0.1
  done
  host_table >"$state/hosts/$1/hosts.new"
  inside "$1" cp "$state/hosts/$1/hosts.new" /etc/hosts
}

host_is_ready() {
  inside "$1" test -e /run/lab.up 2>/dev/null && engine_is_ready "$1"
}

# Runs a command on the host as it is, which must run.
inside() {
  local pid
  pid=$(host_process "$1") || return
  shift
  nsenter --target "$pid" --net --uts --ipc --mount --pid -- "$@"
}

# Runs a command as somebody who is logged in there: in the same directory, with a home of its own. It ends with us.
exec_on() {
  require_host "$1"
  require_running "$1"
  local host=$1 pid directory=$PWD
  pid=$(host_process "$host")
  shift
  unset DOCKER_HOST DOCKER_CONTEXT DOCKER_CONFIG
  exec nsenter --target "$pid" --net --uts --ipc --mount --pid -- setpriv --pdeathsig KILL \
    env --chdir="$directory" HOME="$state/hosts/$host/home" HOSTNAME="$host" \
    PATH="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH" "$@"
}

# Kills the first process of the host, or of every host: found by what it was started with, also if nobody noted it.
kill_left_behind() {
  local file pid
  grep --files-with-matches --null-data "^DEIS_LAB_HOST=$lab/${1:-[a-z0-9]*}\$" /proc/[0-9]*/environ 2>/dev/null |
    while read -r file; do
      pid=${file#/proc/}
      kill -KILL "${pid%/*}" 2>/dev/null || true
    done || true
}

await_end() {
  wait_until 30 gone "$state/hosts/$1/pid" || fail "$1 has processes that cannot be killed"
  rm -f "$state/hosts/$1/pid"
}

# Removes the control groups of the host's containers, or of the whole lab's.
remove_cgroups() {
  local top
  for top in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -d "$top/deis-lab/$lab" ] || continue
    # A group is busy for as long as the kernel takes to bury what was in it.
    wait_until 10 empty_cgroup "$top/deis-lab/$lab${1:+/$1}" || echo "failed to remove all of $top/deis-lab/$lab" >&2
    rmdir "$top/deis-lab" 2>/dev/null || true
  done
}

empty_cgroup() {
  [ -d "$1" ] || return 0
  find "$1" -depth -type d -exec rmdir {} +
}

# Kill, and it starts again at once, as under a service manager; stop, and it stays so until start.
kill_engine_of() {
  inside "$1" pkill -KILL -x dockerd
}

stop_engine_of() {
  inside "$1" touch /run/engine.off
  inside "$1" pkill -TERM -x dockerd || true
  wait_until 60 engine_ended "$1" || fail "the engine of $1 did not end within 60 s"
}

start_engine_of() {
  inside "$1" rm -f /run/engine.off
  await_host "$1"
}

engine_ended() {
  ! inside "$1" pgrep -x dockerd
}

power_of() {
  if host_runs "$1"; then echo on; else echo off; fi
}

network_of() {
  case $(cat "/sys/class/net/$(link_of "$1")/operstate" 2>/dev/null) in
    up) echo up ;;
    *) echo cut ;;
  esac
}

# Whether the host's engine answers, if it is to have one.
engine_is_ready() {
  ! has_engine "$1" || inside "$1" test -e /run/engine.off || [ -n "$(engine_version_of "$1")" ]
}

engine_version_of() {
  ask_engine "$1" version --format '{{.Server.Version}}'
}

# The version of the host's engine if it answers, and what it is to a Swarm, which takes a while without a leader.
engine_state_of() {
  has_engine "$1" || { echo none && return; }
  local version
  version=$(engine_version_of "$1")
  [ -n "$version" ] || { echo stopped && return; }
  echo "$version $(ask_engine "$1" info --format '{{.Swarm.LocalNodeState}}{{if .Swarm.ControlAvailable}} manager{{end}}')"
}

# What the host's engine says, if it does.
ask_engine() {
  local host=$1
  shift
  inside "$host" timeout 3 docker --host unix:///run/docker.sock "$@" 2>/dev/null | grep . || true
}
