# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# Steps with a name, a time and a log. Sourced; expects $log, the file that a step's output goes to.

# Prints a line about the whole run.
say() {
  printf '%s\n' "$*"
}

# Ends the run: names the step, the cause and the log.
fail() {
  printf '\nFAILED: %s\n' "$*" >&2
  [ -z "${log:-}" ] || printf 'log:    %s\n' "$log" >&2
  exit 1
}

# step NAME COMMAND…: runs the command with its output in the log and tells how it goes. Ends the run if it fails.
step() {
  local name=$1 begun=$SECONDS command status=0
  shift
  printf -- '\n--- %s\n' "$name" >>"$log"
  # Ctrl-C ends the command too: without the trap, bash makes background commands deaf to it. File descriptor 9 is the
  # lock of a script that holds one, which what a step leaves running must not go on holding.
  (
    trap - INT
    set -euo pipefail
    "$@"
  ) >>"$log" 2>&1 </dev/null 9>&- &
  command=$!
  step_watch "$name" "$begun" "$command"
  wait "$command" || status=$?
  if [ "$status" -ne 0 ]; then
    step_line "$name" "$begun" failed
    printf '\n' >&2
    step_output "$name" | tail -n 15 | sed 's/^/    /' >&2
    fail "$name (exit status $status)"
  fi
  step_line "$name" "$begun" "done"
}

# What the step printed so far, without empty lines.
step_output() {
  awk -v head="--- $1" '$0 == head { text = ""; next } NF { text = text $0 "\n" } END { printf "%s", text }' "$log"
}

# Shows the step's last line of output while it runs: all the time on a terminal, every 15 seconds elsewhere.
step_watch() {
  local name=$1 begun=$2 command=$3 shown=$SECONDS width=${COLUMNS:-100} last
  while kill -0 "$command" 2>/dev/null; do
    sleep 0.1
    if [ -t 1 ]; then
      last=$(last_line)
      printf '\r\033[K%5ds  %-34s %s' "$((SECONDS - begun))" "$name" "${last:0:$((width > 60 ? width - 50 : 10))}"
    elif [ $((SECONDS - shown)) -ge 15 ]; then
      shown=$SECONDS
      last=$(last_line)
      printf '%5ds  %-34s %s\n' "$((SECONDS - begun))" "$name" "${last:0:90}"
    fi
  done
}

last_line() {
  tail -n 1 "$log" | sed '/^--- /d' | tr -dc '[:print:]'
}

step_line() {
  [ ! -t 1 ] || printf '\r\033[K'
  printf '%5ds  %-34s %s\n' "$((SECONDS - $2))" "$1" "$3"
}

# Waits until the command succeeds: wait_until SECONDS COMMAND….
wait_until() {
  local until=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.2
  done
}
