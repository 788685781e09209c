//! What the image of this role is made from.

/// The packages that a member consists of, of Debian 12 or newer, without what they recommend.
///
/// Certificates are not among them: they come with the image that this is done in, and may include an operator's own.
pub const IMAGE_PACKAGES: [&str; 5] = ["etcd-server", "patroni", "postgresql", "python3-etcd", "util-linux"];

/// A script that adds them to a Debian's file system, to be run by root in it. Needs a package mirror, as the file
/// system's own sources name it.
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
apt-get update -qq -o Acquire::Retries=3
apt-get install -y -qq --no-install-recommends -o Acquire::Retries=3 {packages}
rm -rf /usr/sbin/policy-rc.d /var/lib/apt/lists/* /var/cache/apt/* /var/lib/postgresql /var/lib/etcd
rm -rf /usr/share/doc/* /usr/share/man/* /usr/share/locale/*
"
    )
}
