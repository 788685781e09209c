//! Targets: what an operator means by `platform`, `router`, `deis-controller@lab1.service` or `registry@*`.

use anyhow::bail;

use super::Unit;

/// Which ones of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Instance {
    /// All there are.
    All,
    /// The one on a host, or of a number.
    Named(String),
}

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Everything; without the database if it is `stateless`.
    Platform {
        /// Whether the database is kept by somebody else.
        stateless: bool,
    },
    /// Single units, in the order given.
    Units(Vec<(Unit, Instance)>),
}

impl Target {
    /// Understands the words of a command; `platform` and `stateless-platform` stand alone.
    pub(crate) fn parse(words: &[String]) -> anyhow::Result<Self> {
        match words {
            [] => bail!("name what is meant: platform, stateless-platform, or units such as router"),
            [word] if word == "platform" => Ok(Self::Platform { stateless: false }),
            [word] if word == "stateless-platform" => Ok(Self::Platform { stateless: true }),
            words => Ok(Self::Units(words.iter().map(|word| unit(word)).collect::<anyhow::Result<_>>()?)),
        }
    }
}

/// The units that words name; all of every unit without any.
pub(crate) fn named(words: &[String]) -> anyhow::Result<Vec<(Unit, Instance)>> {
    match words {
        [] => Ok(Unit::ALL.map(|unit| (unit, Instance::All)).to_vec()),
        words => words.iter().map(|word| unit(word)).collect(),
    }
}

/// `[deis-]NAME[@INSTANCE][.service]`; an instance is a host's name, a number, or `*` for all.
fn unit(word: &str) -> anyhow::Result<(Unit, Instance)> {
    let bare = word.strip_suffix(".service").unwrap_or(word);
    let (name, instance) = match bare.split_once('@') {
        Some((name, instance)) => (name, Some(instance)),
        None => (bare, None),
    };
    let named = name.strip_prefix("deis-").unwrap_or(name);
    let is_name = !named.is_empty() && named.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    let instance = match instance {
        None | Some("*") => Some(Instance::All),
        Some(text) => is_instance(text).then(|| Instance::Named(text.to_owned())),
    };
    match instance.filter(|_| is_name) {
        Some(instance) => Ok((named.parse()?, instance)),
        None => bail!(
            "Could not parse target: {word}; name a unit, as router, one of it, as router@lab1, or all, as router@*"
        ),
    }
}

fn is_instance(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(word: &str, expected: Result<(Unit, &str), &str>) {
        let found = unit(word).map_err(|error| error.to_string());
        let found = found.as_ref().map(|(unit, instance)| match instance {
            Instance::All => (*unit, "*"),
            Instance::Named(name) => (*unit, name.as_str()),
        });
        // The original's words, and then what to do.
        let words = |error: &'_ String| error.split(';').next().unwrap_or_default().to_owned();
        assert_eq!(found.map_err(words), expected.map_err(str::to_owned), "{word}");
    }

    #[test]
    fn units_are_named_as_in_the_original() {
        check("router", Ok((Unit::Router, "*")));
        check("deis-router", Ok((Unit::Router, "*")));
        check("deis-router.service", Ok((Unit::Router, "*")));
        check("router@*", Ok((Unit::Router, "*")));
        check("router@1", Ok((Unit::Router, "1")));
        check("deis-controller@lab1.example.com.service", Ok((Unit::Controller, "lab1.example.com")));
    }

    #[test]
    fn what_is_no_target_is_told_in_the_originals_words() {
        for word in ["", "@1", "Router", "router@", "router@a b", "router@1@2", "../router", "deis-"] {
            check(word, Err(&format!("Could not parse target: {word}")));
        }
        check("store-gateway", Err("could not find unit: store-gateway"));
        check("platform", Err("could not find unit: platform"));
    }

    #[test]
    fn groups_stand_alone() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let platform = Target::parse(&words("platform")).expect("the platform");
        assert_eq!(platform, Target::Platform { stateless: false });
        assert!(Target::parse(&words("platform router")).is_err());
        assert!(Target::parse(&[]).is_err());
    }
}
