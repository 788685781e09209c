# shellcheck shell=bash disable=SC2154  # the script that sources this sets the variables
# A lab's network: a bridge with one cable per host, and the way out through this machine. Sourced after lab.sh.

# Addresses are 10.215.NUMBER.x: 1 is this machine, 2 is `outside`, 10 + n is the n-th host.
address_of() {
  local last=2
  ! has_engine "$1" || last=$((10 + ${1#lab}))
  echo "10.215.$(lab_number).$last"
}

# Device names may have 15 characters.
bridge() {
  echo "deislab$(lab_number)"
}

link_of() {
  local address
  address=$(address_of "$1")
  echo "$(bridge)-${address##*.}"
}

network_is_free() {
  [ -z "$(ip -4 route show to root "10.215.$1.0/24")$(ip -4 route show to match "10.215.$1.1" | grep -v '^default')" ]
}

# Makes what is missing of bridge and rules.
make_network() {
  local name
  name=$(bridge)
  if [ ! -d "/sys/class/net/$name" ]; then
    ip link add "$name" mtu "$(lab_mtu)" type bridge
    ip link set "$name" alias "$(mark)"
    ip address add "10.215.$(lab_number).1/24" dev "$name"
  fi
  ip link set "$name" up
  alone enable_forwarding
  remove_rules
  # Where another engine drops what is forwarded, frames between two hosts are dropped too: they pass the same rules.
  rule -I FORWARD -i "$name"
  rule -I FORWARD -o "$name"
  iptables -w -t nat -I POSTROUTING -s "10.215.$(lab_number).0/24" ! -o "$name" -j MASQUERADE \
    -m comment --comment "$(mark)"
}

rule() {
  iptables -w "$@" -j ACCEPT -m comment --comment "$(mark)"
}

# Says on rules and devices whose they are.
mark() {
  echo "deis-lab:$lab"
}

# Packets are as small as those of the way out, and small enough for tunnels of others on it.
lab_mtu() {
  local mtu
  mtu=$(uplink_mtu)
  echo $((mtu < 1400 ? mtu : 1400))
}

remove_rules() {
  local table rule
  for table in filter nat; do
    iptables -w -t "$table" -S | grep -F -- "--comment \"$(mark)\"" | while read -r rule; do
      # The mark has no blanks, so words are what they look like.
      rule=${rule//\"/}
      # shellcheck disable=SC2086
      iptables -w -t "$table" -D ${rule#-A }
    done || true
  done
}

# Removes rules and bridge, also if the lab's number is lost.
remove_network() {
  local file device
  remove_rules
  grep --files-with-matches --line-regexp --fixed-strings "$(mark)" /sys/class/net/*/ifalias 2>/dev/null |
    while read -r file; do
      device=${file%/ifalias}
      ip link delete "${device##*/}" || true
    done || true
}

# Connects the host whose first process is $2: its end of the cable is eth0.
plug_in() {
  local link
  link=$(link_of "$1")
  ip link delete "$link" 2>/dev/null || true
  ip link add "$link" mtu "$(lab_mtu)" type veth peer name eth0 mtu "$(lab_mtu)" netns "$2"
  ip link set "$link" master "$(bridge)" up
}

unplug() {
  ip link delete "$(link_of "$1")" 2>/dev/null || true
}

# Lets this machine forward, and notes that it did not before.
enable_forwarding() {
  [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ] && return
  touch "$labs/forwarding-was-off"
  echo 1 >/proc/sys/net/ipv4/ip_forward
}

restore_forwarding() {
  if [ -e "$labs/forwarding-was-off" ] && ! compgen -G "$labs/*/" >/dev/null; then
    echo 0 >/proc/sys/net/ipv4/ip_forward
  fi
}

# Name servers that a host can reach: what listens on this machine's loopback is not among them.
name_servers() {
  local file
  for file in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
    [ ! -r "$file" ] || cat "$file"
  done | awk '$1 == "nameserver" && $2 !~ /^(127\.|::1$)/ && !seen[$2]++'
}

host_table() {
  local host
  echo "127.0.0.1 localhost"
  for host in $(hosts); do
    echo "$(address_of "$host") $host"
  done
}
