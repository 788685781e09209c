//! The formation that an app gets with its first build.

use crate::{Build, Formation, ProcessType};

/// One container of `web` where the platform knows how to start it, else one of `cmd`, the image's own command.
///
/// Empty for buildpack apps whose Procfile has no `web`: their images have no command of their own, so a `cmd` could
/// only fail. Only for apps whose formation is empty: `{"web": 0}` was scaled to zero and stays so.
pub fn default_formation(build: &Build) -> Formation {
    let declares_web = build.procfile.declares(&ProcessType::web());
    match build.is_buildpack() {
        true if declares_web || build.procfile.0.is_empty() => [(ProcessType::web(), 1)].into(),
        true => Formation::new(),
        false if declares_web && !build.sha.is_empty() => [(ProcessType::web(), 1)].into(),
        false => [(ProcessType::cmd(), 1)].into(),
    }
}

/// `requested` laid over `current`; process types that are not mentioned keep their number.
pub fn scaled(current: &Formation, requested: &Formation) -> Formation {
    let mut formation = current.clone();
    formation.extend(requested.iter().map(|(process, replicas)| (process.clone(), *replicas)));
    formation
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Procfile;

    /// A build with `kind` (`buildpack`, `dockerfile` or `image`) and the process types in `types`.
    pub(crate) fn build(kind: &str, types: &str) -> Build {
        let entry = |name| (ProcessType::parse(name).unwrap(), format!("run {name}"));
        Build {
            uuid: String::new(),
            owner: "ann".to_owned(),
            image: "example/blog".to_owned(),
            sha: if kind == "image" { String::new() } else { "0123456789".to_owned() },
            procfile: Procfile(types.split_whitespace().map(entry).collect()),
            dockerfile: if kind == "dockerfile" { "true".to_owned() } else { String::new() },
            created: time::OffsetDateTime::UNIX_EPOCH,
            updated: time::OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn check(kind: &str, types: &str, expected: &str) {
        let formation = default_formation(&build(kind, types));
        assert_eq!(text(&formation), expected, "{kind} with {types:?}");
    }

    fn text(formation: &Formation) -> String {
        formation.iter().map(|(process, n)| format!("{process}={n}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_first_build_starts_one_container() {
        check("image", "", "cmd=1");
        check("image", "web worker", "cmd=1");
        check("dockerfile", "", "cmd=1");
        check("dockerfile", "worker", "cmd=1");
        check("dockerfile", "web worker", "web=1");
        check("buildpack", "worker", "");
        check("buildpack", "web worker", "web=1");
        check("buildpack", "", "web=1");
    }

    #[test]
    fn scaling_leaves_types_that_are_not_mentioned() {
        let formation = |entries: &[(&str, u32)]| -> Formation {
            entries.iter().map(|(name, n)| (ProcessType::parse(name).unwrap(), *n)).collect()
        };
        let current = formation(&[("web", 1), ("worker", 2)]);
        assert_eq!(
            text(&scaled(&current, &formation(&[("web", 3), ("clock", 1)]))),
            "clock=1 web=3 worker=2"
        );
    }
}
