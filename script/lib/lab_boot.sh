#!/usr/bin/env bash
# The first process of a host of a lab: makes what is the host's own, starts its engine, and takes in orphans.
# Run by lab_host.sh in namespaces of its own: lab_boot.sh DISK NAME ADDRESS/BITS GATEWAY CGROUP MTU. Ends when killed.
set -euo pipefail

disk=$1 name=$2 address=$3 gateway=$4 cgroup=$5 mtu=$6
kept=$(mktemp -d /dev/shm/deis-lab-XXXXXX)

boot() {
  # What /proc says of us until it is mounted anew is what the machine calls us.
  read -r outer _ </proc/self/stat
  echo "$outer" >"$disk/booting"
  hostname "$name"
  drop_mounts_of_others
  mount_own
  write_identity
  connect
  touch /run/lab.up
  if [ "$name" = outside ]; then idle; else run_engine; fi
}

# Mounts that this namespace got a copy of would be kept alive by it, and the disks of others with them.
drop_mounts_of_others() {
  awk '$2 != "/" && ($3 == "overlay" || $3 == "nsfs") { print $2 }' /proc/self/mounts | sort -r |
    while read -r mount; do umount --lazy "$mount" || true; done
}

# Kernel files as this host sees them, a fresh /run, and the host's own of what servers keep.
mount_own() {
  mount -t proc proc /proc
  mount_sys
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir -p /run/lock /var/lib/docker /var/lib/deis /opt/deis
  mount --bind "$disk/docker" /var/lib/docker
  mount --bind "$disk/deis" /var/lib/deis
  mount --bind "$disk/opt" /opt/deis
  mount_over /etc
  mount_over /usr/local
}

# /sys shows the network devices of the host that mounted it, but not what else is mounted there.
mount_sys() {
  local part
  mount --rbind /sys "$kept"
  mount -t sysfs sysfs /sys
  for part in fs/cgroup kernel/security; do
    ! mountpoint -q "$kept/$part" || mount --rbind "$kept/$part" "/sys/$part"
  done
  umount --recursive --lazy "$kept"
  rmdir "$kept"
}

# The machine's files, with the host's changes kept on its disk.
mount_over() {
  local layer=$disk/changes$1
  mkdir -p "$layer/upper" "$layer/work"
  mount -t overlay -o "lowerdir=$1,upperdir=$layer/upper,workdir=$layer/work" overlay "$1"
}

# Names and settings that no other host may share.
write_identity() {
  echo "$name" >/etc/hostname
  [ -s "$disk/machine-id" ] || tr -d - </proc/sys/kernel/random/uuid >"$disk/machine-id"
  cp "$disk/machine-id" /etc/machine-id
  # It may be a link into a directory that this host does not have.
  rm -f /etc/resolv.conf
  cp "$disk/resolv.conf" /etc/resolv.conf
}

# Sets up eth0, which the machine puts in place meanwhile.
connect() {
  ip link set lo up
  until ip link set eth0 up 2>/dev/null; do sleep 0.02; done
  ip address add "$address" dev eth0
  ip route add default via "$gateway"
}

idle() {
  while :; do sleep 3600; done
}

# Runs the engine for ever, as a service manager would: again after a crash, not while it is to be off.
run_engine() {
  while :; do
    if [ -e /run/engine.off ]; then
      sleep 0.2
    else
      rm -f /run/docker.pid
      dockerd --mtu "$mtu" --cgroup-parent "$cgroup" --exec-opt native.cgroupdriver=cgroupfs >>"$disk/engine.log" 2>&1 || true
      sleep 0.5
    fi
  done
}

boot
