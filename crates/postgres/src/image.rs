//! What the image of this role is made from.

/// The packages that a member consists of, of Debian 12 or newer, without what they recommend.
pub const IMAGE_PACKAGES: [&str; 6] =
    ["ca-certificates", "etcd-server", "patroni", "postgresql", "python3-etcd", "util-linux"];

/// A script that makes the role's image of a bare Debian's file system, to be run by root in it: in a build container,
/// or below the folder that `mmdebstrap` makes. Needs a package mirror.
pub fn image_script() -> String {
    let packages = IMAGE_PACKAGES.join(" ");
    format!(
        "set -eu
export DEBIAN_FRONTEND=noninteractive
# Packages must neither start what they bring nor make a database of their own.
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt-get update -qq
apt-get install -y -qq --no-install-recommends {packages}
rm -rf /usr/sbin/policy-rc.d /var/lib/apt/lists/* /var/cache/apt/* /var/lib/postgresql /var/lib/etcd
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
"
    )
}
