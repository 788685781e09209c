//! Which crates may depend on which: binaries → components → ports → api, runtime → model.

use crate::workspace::Workspace;

/// The layers, lowest first. A crate may depend on those of lower layers, and in layers that say so on its own.
const LAYERS: [Layer; 6] = [
    Layer { name: "model", crates: &["deis-model"], among_themselves: false },
    Layer { name: "contract", crates: &["deis-api", "deis-runtime"], among_themselves: true },
    Layer {
        name: "port",
        crates: &["deis-database", "deis-store", "deis-scheduler"],
        among_themselves: false,
    },
    Layer {
        name: "component",
        crates: &[
            "deis-controller",
            "deis-builder",
            "deis-registry",
            "deis-logger",
            "deis-router",
            "deis-agent",
            "deis-postgres",
        ],
        among_themselves: false,
    },
    Layer { name: "binary", crates: &["deisd", "deis", "deisctl"], among_themselves: false },
    Layer {
        name: "outside",
        crates: &["deis-test-pebble", "deis-test-postgres", "deis-tests", "deis-bench", "xtask"],
        among_themselves: true,
    },
];

/// Crates that must never be built: a second crypto provider, and TLS that comes from outside.
const BANNED: [&str; 5] = ["aws-lc-rs", "aws-lc-sys", "openssl", "openssl-sys", "native-tls"];

struct Layer {
    name: &'static str,
    crates: &'static [&'static str],
    among_themselves: bool,
}

/// Every breach of the rules, told in a sentence.
pub(crate) fn breaches(workspace: &Workspace) -> Vec<String> {
    let banned = BANNED.iter().filter(|name| workspace.packages.contains(**name));
    let banned = banned.map(|name| format!("{name} is built: see `cargo tree -i {name}`"));
    let pairs =
        workspace.members.iter().flat_map(|(member, uses)| uses.iter().map(move |used| (member, used)));
    let upward = pairs.filter_map(|(member, used)| breach(member, used));
    let homeless = workspace.members.keys().filter(|member| level(member).is_none());
    let homeless =
        homeless.map(|member| format!("{member} belongs to no layer: give it one in xtask/src/layers.rs"));
    banned.chain(upward).chain(homeless).collect()
}

fn breach(member: &str, used: &str) -> Option<String> {
    let (above, below) = (level(member)?, level(used)?);
    let allowed = below < above || (below == above && LAYERS[above].among_themselves);
    let (above, below) = (&LAYERS[above], &LAYERS[below]);
    (!allowed).then(|| format!("{member} ({}) must not depend on {used} ({})", above.name, below.name))
}

fn level(member: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.crates.contains(&member))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(members: &[(&str, &str)], packages: &[&str], expected: &[&str]) {
        let workspace = Workspace {
            members: members.iter().map(|(name, used)| ((*name).into(), [(*used).into()].into())).collect(),
            packages: packages.iter().map(|name| (*name).to_owned()).collect(),
        };
        assert_eq!(breaches(&workspace), expected);
    }

    #[test]
    fn crates_depend_only_on_lower_layers() {
        check(
            &[("deisd", "deis-router"), ("deis-router", "deis-store"), ("deis-api", "deis-model")],
            &[],
            &[],
        );
        check(&[("deis-runtime", "deis-api")], &[], &[]);
        check(
            &[("deis-router", "deis-logger"), ("deis-model", "deis-api")],
            &[],
            &[
                "deis-model (model) must not depend on deis-api (contract)",
                "deis-router (component) must not depend on deis-logger (component)",
            ],
        );
    }

    #[test]
    fn banned_and_homeless_crates_are_told() {
        check(&[], &["openssl", "ring"], &["openssl is built: see `cargo tree -i openssl`"]);
        check(&[("new", "serde")], &[], &["new belongs to no layer: give it one in xtask/src/layers.rs"]);
    }

    #[test]
    fn this_workspace_keeps_to_its_layers() {
        let workspace = Workspace::read(&crate::root()).expect("cargo tells about the workspace");
        assert_eq!(breaches(&workspace), Vec::<String>::new());
    }
}
