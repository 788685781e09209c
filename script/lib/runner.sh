# shellcheck shell=bash disable=SC2034,SC2154  # variables are shared with the script that sources this
# The test runner, and what tests that were stopped may leave behind. Sourced by script/test; expects $work.

# cargo-nextest, or cargo's own runner where it cannot be installed.
install_runner() {
  cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest ||
    echo "failed to install cargo-nextest; the tests run with cargo test instead"
}

# Runs the tests of the workspace and keeps the runner's closing line in $summary.
run_tests() {
  local status=0 output=$work/output
  mkdir -p "$work/tmp"
  export TMPDIR=$work/tmp
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --locked --workspace "$@" 2>&1 | tee "$output" || status=$?
    summary=$(sed 's/\x1b\[[0-9;]*m//g' "$output" | grep -E '^ *Summary \[' | tail -n 1 || true)
  else
    cargo test --locked --workspace "$@" 2>&1 | tee "$output" || status=$?
    summary=$(grep -E '^test result: ' "$output" | sum_results || true)
  fi
  return "$status"
}

# One line out of the many that cargo's own runner prints.
sum_results() {
  awk '{ passed += $4; failed += $6; ignored += $8 }
    END { printf "test result: %s. %d passed; %d failed; %d ignored\n", failed ? "FAILED" : "ok", passed, failed, ignored }'
}

# Platforms of tests have names that begin so.
test_platform=deis-test-

# Ends and removes what tests left behind because they were stopped themselves.
remove_left_behind() {
  end_processes
  remove_labs
  command -v docker >/dev/null && engine_answers || return 0
  for label in io.deis.platform io.deis.build; do
    docker ps --all --filter "label=$label" --format "{{.ID}} {{.Label \"$label\"}}" |
      abandoned | xargs -r docker rm --force --volumes
  done
  docker volume ls --filter label=io.deis.build --format '{{.Name}} {{.Label "io.deis.build"}}' |
    abandoned | xargs -r docker volume rm --force
  docker network ls --filter label=io.deis.network --format '{{.ID}} {{.Name}}' | abandoned | xargs -r docker network rm
}

# Labs of tests are named after the process that made them and the time it started.
remove_labs() {
  local name pid start
  for name in /var/lib/deis-lab/"$test_platform"*/; do
    [ -d "$name" ] || continue
    name=$(basename "$name")
    IFS=- read -r _ _ pid start _ <<<"$name"
    [ "$(started_at "$pid")" = "$start" ] || as_root env DEIS_LAB="$name" "$root/script/lab" down
  done
}

# Of lines with an id and the name of a platform, the ids of test platforms that nobody runs: others may be testing too.
abandoned() {
  local id name
  while read -r id name; do
    case $name in
      "$test_platform"*) processes_with "DEIS_NETWORK=$name" | grep -q . || echo "$id" ;;
    esac
  done
}

# Prints the environment files of the processes that have this variable.
processes_with() {
  grep --files-with-matches --null-data --line-regexp --fixed-strings "$1" /proc/[0-9]*/environ 2>/dev/null || true
}

# Ends every process of the tests: they have the tests' own directory for temporary files in their environment, or, in
# containers of an engine that a test started, their root file system below it.
end_processes() {
  local file pid here
  here=$(readlink /proc/self/ns/mnt)
  {
    processes_with "TMPDIR=$work/tmp"
    grep --files-with-matches --fixed-strings "=$work/tmp/" /proc/[0-9]*/mountinfo 2>/dev/null || true
  } | while read -r file; do
    pid=${file#/proc/}
    pid=${pid%/*}
    case $file in
      */mountinfo) [ "$(readlink "/proc/$pid/ns/mnt")" != "$here" ] || continue ;;
    esac
    as_root kill -KILL "$pid" 2>/dev/null || true
  done
  awk -v below="$work/tmp/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r file; do
    as_root umount --lazy "$file" || true
  done
}
