# shellcheck shell=bash
# Installs what is missing from the distribution's packages. Sourced after steps.sh.

# Runs a command as root: as it is for root, through sudo for others.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo -n "$@"
  else
    echo "only root can do this, and sudo is not installed: $*" >&2
    return 1
  fi
}

# Asks for the sudo password where steps cannot: their input and output are elsewhere.
become_able() {
  [ "$(id -u)" -eq 0 ] || ! command -v sudo >/dev/null || sudo -n true 2>/dev/null || sudo -v
}

# Prints the packages that hold those of the given commands that are missing.
missing_packages() {
  local command
  for command in "$@"; do
    PATH=$PATH:/usr/sbin:/sbin command -v "$command" >/dev/null || package_of "$command"
  done | sort -u
}

package_of() {
  case $1 in
    c++) echo g++ ;;
    cc) printf '%s\n' gcc libc6-dev ;;
    dockerd) echo docker.io ;;
    etcd) echo etcd-server ;;
    h2load) echo nghttp2-client ;;
    # Patroni's package leaves open where it keeps what it knows.
    patroni) printf '%s\n' patroni python3-etcd ;;
    # A package of its own in newer releases, a part of docker.io in older ones.
    docker) [ -z "$(apt-cache search --names-only '^docker-cli$')" ] || echo docker-cli ;;
    ceph) echo ceph-common ;;
    ssh | ssh-keygen) echo openssh-client ;;
    newuidmap) echo uidmap ;;
    ip) echo iproute2 ;;
    nsenter | setpriv) echo util-linux ;;
    pgrep) echo procps ;;
    fuser) echo psmisc ;;
    pebble-challtestsrv) echo pebble ;;
    apparmor_parser) echo apparmor ;;
    *) echo "$1" ;;
  esac
}

# Installs the packages that hold the given commands.
install_commands() {
  local packages
  packages=$(missing_packages "$@")
  [ -n "$packages" ] || return 0
  # shellcheck disable=SC2086  # one word per package
  install_packages $packages
}

# Installs the given commands without the services of the same names that come with them, which would take ports.
install_idle() {
  local command missing=()
  for command in "$@"; do
    [ -z "$(missing_packages "$command")" ] || missing+=("$command")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  install_commands "${missing[@]}"
  ! command -v systemctl >/dev/null || as_root systemctl disable --now --quiet "${missing[@]}" || true
}

install_packages() {
  command -v apt-get >/dev/null || {
    echo "this is neither Debian nor Ubuntu: install these yourself, then run this again: $*" >&2
    return 1
  }
  as_root apt-get -o DPkg::Lock::Timeout=300 update -qq
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=yes apt-get -o DPkg::Lock::Timeout=300 \
    install -y -qq --no-install-recommends "$@"
}

# Prints the directory of PostgreSQL's programs, which distributions keep out of the path; nothing if there is none.
postgres_programs() {
  find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1 || true
}

# Fails with the cure if there is no Rust toolchain: the distribution's is too old.
require_rust() {
  PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin command -v cargo >/dev/null ||
    fail "cargo is not installed; get a Rust toolchain from https://rustup.rs, then run this again"
  PATH=$PATH:${CARGO_HOME:-$HOME/.cargo}/bin
}
