//! Whose settings there are.

use anyhow::bail;

use deis_model::routing;

use crate::unit::Unit;

/// Those beside units.
const OTHERS: [&str; 2] = ["platform", "store"];

/// What the original's operators set beside these. It is kept, for scripts that set it, and nothing reads it.
const OF_THE_ORIGINAL: [&str; 8] = [
    "cache",
    "logs",
    "store-admin",
    "store-daemon",
    "store-gateway",
    "store-metadata",
    "store-monitor",
    "store-volume",
];

/// Whose settings: lower-case letters and hyphens, so that it is one segment of a path.
#[derive(Clone, Copy)]
pub(super) struct Target<'a>(pub(super) &'a str);

impl<'a> Target<'a> {
    pub(super) fn parse(text: &'a str) -> anyhow::Result<Self> {
        let fits = !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        if fits { Ok(Self(text)) } else { bail!("Could not parse target: {text}") }
    }

    /// Refuses one that nobody ever read: its settings would be without effect.
    pub(super) fn check_known(self) -> anyhow::Result<()> {
        if self.is_known() {
            Ok(())
        } else {
            bail!("Could not find target: {}; there are {}", self.0, there_are())
        }
    }

    /// Whether there is such a one, or was in the original.
    pub(super) fn is_known(self) -> bool {
        present().chain(OF_THE_ORIGINAL).any(|name| name == self.0)
    }

    /// The value of `key` for everybody's eyes: secrets are hidden.
    pub(super) fn shown<'v>(self, key: &str, value: &'v str) -> &'v str {
        if self.is_router() { routing::shown(key, value) } else { value }
    }

    /// Whether these are settings of the router mesh.
    pub(super) fn is_router(self) -> bool {
        self.0 == "router"
    }

    pub(super) fn path(self) -> String {
        format!("/internal/config/{}", self.0)
    }
}

/// All that something reads settings of, with commas between.
pub(super) fn there_are() -> String {
    present().collect::<Vec<_>>().join(", ")
}

fn present() -> impl Iterator<Item = &'static str> {
    OTHERS.into_iter().chain(Unit::ALL.into_iter().map(Unit::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_that_are_no_names_are_refused() {
        for text in ["", "router@1", "../admins", "Router"] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        assert!(Target::parse("store-gateway").is_ok());
    }

    #[test]
    fn targets_that_nobody_ever_read_are_refused_with_those_there_are() {
        for name in ["platform", "store", "database", "router", "logspout", "logs", "store-gateway"] {
            assert!(Target(name).check_known().is_ok(), "{name}");
        }
        let refused = Target("nosuch").check_known().expect_err("no such target").to_string();
        assert_eq!(
            refused,
            "Could not find target: nosuch; there are platform, store, database, logger, logspout, registry, \
             controller, builder, publisher, router"
        );
    }
}
