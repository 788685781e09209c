# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# The test runner, and what tests may leave on the engine. Sourced by script/test; expects $work.

# cargo-nextest, or cargo's own runner where it cannot be installed.
install_runner() {
  cargo nextest --version >/dev/null 2>&1 || cargo install --locked cargo-nextest ||
    echo "failed to install cargo-nextest; the tests run with cargo test instead"
}

# Runs the tests of the workspace and keeps the runner's closing line in $summary.
run_tests() {
  local status=0 output=$work/output
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

# Notes our containers, images and networks, so that only those that the tests made are removed afterwards.
note_what_is_there() {
  ours containers >"$work/containers"
  ours volumes >"$work/volumes"
  ours networks >"$work/networks"
}

ours() {
  case $1 in
    containers) docker ps --all --quiet --no-trunc --filter label=io.deis.test ;;
    volumes) docker volume ls --quiet --filter label=io.deis.test ;;
    networks) docker network ls --quiet --no-trunc --filter label=io.deis.test ;;
  esac | sort
}

remove_left_behind() {
  left containers | xargs -r docker rm --force --volumes >/dev/null
  left volumes | xargs -r docker volume rm --force >/dev/null
  left networks | xargs -r docker network rm >/dev/null
}

left() {
  ours "$1" | comm -13 "$work/$1" -
}
