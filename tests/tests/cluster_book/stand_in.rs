//! What a host of a lab cannot do, and what is done for it.

use deis_tests::Host;

/// Where programs are that stand in for others.
const STAND_INS: &str = "/usr/local/sbin";
/// A host's packages are this machine's, and nothing starts services: what the commands are to bring about is looked for
/// instead.
const STAND_IN: [(&str, &str); 2] = [
    (
        "apt-get",
        r#"#!/bin/sh -eu
[ "$1" = install ] || exit 0
for word; do
  case $word in
    install | --yes) ;;
    docker.io) docker --version ;;
    git | iptables | curl | mmdebstrap) "$word" --version ;;
    ca-certificates) test -s /etc/ssl/certs/ca-certificates.crt ;;
    *) echo "no test knows the package $word" >&2 && exit 1 ;;
  esac
done
"#,
    ),
    (
        "systemctl",
        "#!/bin/sh -eu\n[ \"$*\" = 'enable --now docker' ] && docker info --format '{{.ServerVersion}}'\n",
    ),
];

/// Lets the stand-ins be found first.
pub(crate) fn put_on(hosts: &[Host]) {
    for host in hosts {
        for (name, program) in STAND_IN {
            let path = format!("{STAND_INS}/{name}");
            host.write(&path, program);
            host.run(["chmod", "755", &path]).succeeded();
        }
    }
}

/// Whoever comes later finds the programs themselves.
pub(crate) fn take_from(hosts: &[Host]) {
    for host in hosts {
        STAND_IN
            .iter()
            .for_each(|(name, _)| drop(host.run(["rm", &format!("{STAND_INS}/{name}")]).succeeded()));
    }
}
