# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# What has to be there before the platform can start: tools, our programs, the stack image. Sourced; expects $root.

profile=${DEIS_QUICKSTART_PROFILE:-release}
case $profile in
  dev) bin=${CARGO_TARGET_DIR:-$root/target}/debug ;;
  *) bin=${CARGO_TARGET_DIR:-$root/target}/$profile ;;
esac

# Installs the tools that building Deis and the stack image needs.
install_tools() {
  local commands=(git curl ssh ssh-keygen cc mmdebstrap)
  [ "$(id -u)" -eq 0 ] || commands+=(newuidmap)
  install_commands "${commands[@]}"
  resolve_localhost
}

# Names like deis.localhost are this machine. Browsers, curl and our own client know; for all else the system has to.
resolve_localhost() {
  case ${DEIS_DOMAIN:-localhost} in
    localhost | *.localhost)
      getent hosts deis.localhost >/dev/null || install_packages libnss-myhostname ||
        echo "names below localhost stay unknown to programs that leave them to the system"
      ;;
  esac
}

build_binaries() {
  (cd "$root" && cargo build --locked --profile "$profile" -p deisd -p deis -p deisctl)
}

stack_image() {
  "$bin/deisctl" stack build
}
