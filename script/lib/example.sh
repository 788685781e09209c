# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# The example app that quickstart pushes, from a copy of its own. Sourced after platform.sh.

example=python-flask

deis() {
  "$bin/deis" "$@"
}

app_url() {
  url_of "$example"
}

# Git without the user's own settings, which may ask for signatures or passphrases.
plain_git() {
  GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_TERMINAL_PROMPT=0 git -C "$base/$example" "$@"
}

log_in() {
  # The password is typed, not given as an option: options are seen in the list of processes.
  deis apps:list >/dev/null 2>&1 || deis login "$(platform_url)" --username=admin <"$base/admin.password"
  [ -f "$base/ssh/quickstart" ] || make_key
  grep -q '^quickstart ' <<<"$(deis keys:list)" || deis keys:add "$base/ssh/quickstart.pub"
}

make_key() {
  mkdir -p "$base/ssh"
  ssh-keygen -q -t ed25519 -N '' -C quickstart -f "$base/ssh/quickstart"
}

push_example() {
  [ -d "$base/$example/.git" ] || copy_example
  plain_git config core.sshCommand "$(ssh_command)"
  plain_git remote set-url deis "$(push_url)"
  deis apps:info -a "$example" >/dev/null 2>&1 || deis create "$example" --no-remote
  timeout 1200 git -C "$base/$example" push deis master 2>&1
}

copy_example() {
  rm -rf -- "${base:?}/$example"
  cp -R "$root/examples/$example" "$base/$example"
  plain_git init -q -b master
  plain_git config user.name quickstart
  plain_git config user.email quickstart@localhost
  plain_git remote add deis "$(push_url)"
  plain_git add .
  plain_git commit -q -m "Add the app"
}

push_url() {
  local host=deis.$DEIS_DOMAIN
  # Not every ssh can look names below localhost up.
  case $DEIS_DOMAIN in localhost | *.localhost) host=localhost ;; esac
  echo "ssh://git@$host:${DEIS_GIT##*:}/$example.git"
}

# ssh with the key and known hosts of this platform only, whatever ~/.ssh holds.
ssh_command() {
  printf "ssh -F /dev/null -i %s -o IdentitiesOnly=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=%s" \
    "$(quoted "$base/ssh/quickstart")" "$(quoted "\"$base/ssh/known_hosts\"")"
}

# The word for a POSIX shell.
quoted() {
  printf "'%s'" "${1//\'/\'\\\'\'}"
}

ask_example() {
  wait_until 30 answers
  cat "$base/answer"
}

answers() {
  curl -sf -m 10 -H "Host: $example.$DEIS_DOMAIN" "http://$(router_address)/" -o "$base/answer"
}
