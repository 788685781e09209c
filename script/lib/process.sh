# shellcheck shell=bash
# Background processes that this script started, and only those. Sourced.
#
# A pid file holds the process id and the time the process started, so that a process id that the kernel gave to
# somebody else is never taken for ours.

# The time the process started, in clock ticks since boot; nothing if there is no such process.
started_at() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 0
  # The name, in parentheses, may hold anything; the fields after it are plain. The 20th of those is the start.
  # shellcheck disable=SC2086  # split into fields
  set -- ${stat##*) }
  [ "$1" = Z ] || echo "${20}"
}

# Notes the process in the pid file: remember FILE PID.
remember() {
  printf '%s %s\n' "$2" "$(started_at "$2")" >"$1"
}

# Prints the process id if the process of the pid file still runs.
running() {
  local pid='' start=''
  [ -r "$1" ] && read -r pid start <"$1" || return 1
  [ -n "$start" ] && [ "$(started_at "$pid")" = "$start" ] && echo "$pid"
}

# Stops the process of the pid file, as root if need be: stop FILE SECONDS. After SECONDS it is killed.
stop() {
  local file=$1 limit=$2 pid
  if pid=$(running "$file"); then
    kill "$pid" 2>/dev/null || as_root kill "$pid"
    if ! wait_until "$limit" gone "$file"; then
      echo "process $pid did not end within $limit s and is killed"
      kill -KILL "$pid" 2>/dev/null || as_root kill -KILL "$pid"
      wait_until 5 gone "$file"
    fi
  fi
  rm -f "$file"
}

gone() {
  ! running "$1" >/dev/null
}
