# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# What a lab is called, where it keeps what, and which hosts it has. Sourced by script/lab; expects $lab, its name.
#
# Below $state: `number`, which its addresses and network devices are named after; `hosts/NAME` with the host's disk.

labs=/var/lib/deis-lab

find_lab() {
  [[ $lab =~ ^[a-z0-9][a-z0-9-]{0,49}$ ]] || fail "DEIS_LAB is $lab; it may have up to 50 of a-z, 0-9 and -"
  state=$labs/$lab
}

# Lets one command at a time change the lab, until the script ends.
lock_lab() {
  mkdir -p "$state/hosts"
  exec 9>"$state/lock"
  flock 9
}

# Runs a command while no other lab does the same: what labs share is changed.
alone() {
  (
    flock 8
    "$@"
  ) 8>"$labs/lock"
}

# Names of the lab's hosts, those without power included.
hosts() {
  [ ! -d "$state/hosts" ] || find "$state/hosts" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -V
}

known_host() {
  [[ $1 =~ ^[a-z0-9]+$ ]] && [ -d "$state/hosts/$1" ]
}

# The names of $1 hosts with an engine, and of the one without.
wanted_hosts() {
  seq -f 'lab%.0f' 1 "$1"
  echo outside
}

has_engine() {
  [ "$1" != outside ]
}

# The lab's number: kept from the first time on, and that of no other lab.
lab_number() {
  [ -s "$state/number" ] || alone take_number
  cat "$state/number"
}

take_number() {
  local number
  for number in $(seq 0 255); do
    if ! grep -qsx "$number" "$labs"/*/number && network_is_free "$number"; then
      echo "$number" >"$state/number"
      return
    fi
  done
  fail "every network from 10.215.0.0/24 to 10.215.255.0/24 is in use"
}

# Removes what the lab kept. The directory of all labs goes with the last of them.
forget_lab() {
  rm -rf -- "$state"
  alone restore_forwarding
  if ! compgen -G "$labs/*/" >/dev/null; then rm -rf -- "$labs"; fi
}
