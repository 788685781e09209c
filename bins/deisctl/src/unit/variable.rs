//! Settings that become settings of roles: what `deisctl config` calls them, what `deisd` does, and whom they concern.

use super::Unit;
use super::Unit::{Builder, Controller, Logger, Logspout, Publisher, Registry, Router};

/// One setting of `deisd`.
pub(crate) struct Variable {
    /// As in `deisctl config <target> set <key>=…`.
    pub(crate) target: &'static str,
    /// The same.
    pub(crate) key: &'static str,
    /// The variable that roles read it from.
    pub(crate) name: &'static str,
    /// Units that read it: they start anew when it changes.
    pub(crate) units: &'static [Unit],
}

const fn variable(
    target: &'static str,
    key: &'static str,
    name: &'static str,
    units: &'static [Unit],
) -> Variable {
    Variable { target, key, name, units }
}

const WITH_ENGINE: &[Unit] = &[Controller, Builder, Publisher, Logspout];

/// All of them. Settings that are not here are kept for the controller, which takes them while it runs.
pub(crate) const VARIABLES: &[Variable] = &[
    variable("platform", "domain", "DEIS_DOMAIN", &[Controller, Builder, Router]),
    variable("router", "http", "DEIS_HTTP", &[Router, Builder]),
    variable("router", "git", "DEIS_GIT", &[Router]),
    variable("router", "health", "DEIS_HEALTH", &[Router]),
    variable("controller", "readyTimeoutSeconds", "DEIS_READY_TIMEOUT_SECONDS", &[Controller]),
    variable("controller", "drainTimeoutSeconds", "DEIS_DRAIN_TIMEOUT_SECONDS", &[Controller]),
    variable("controller", "stopGraceSeconds", "DEIS_STOP_GRACE_SECONDS", &[Controller]),
    variable("builder", "stackImage", "DEIS_STACK_IMAGE", &[Builder]),
    variable("builder", "httpProxy", "HTTP_PROXY", &[Builder]),
    variable("builder", "httpsProxy", "HTTPS_PROXY", &[Builder]),
    variable("builder", "noProxy", "NO_PROXY", &[Builder]),
    variable("builder", "pipIndexUrl", "PIP_INDEX_URL", &[Builder]),
    variable("builder", "npmConfigRegistry", "NPM_CONFIG_REGISTRY", &[Builder]),
    variable("logger", "retentionMegabytes", "DEIS_LOG_RETENTION_MEGABYTES", &[Logger]),
    variable("logger", "retentionMegabytesPerApp", "DEIS_LOG_RETENTION_MEGABYTES_PER_APP", &[Logger]),
    variable("controller", "log", "DEIS_LOG", &[Controller]),
    variable("builder", "log", "DEIS_LOG", &[Builder]),
    variable("registry", "log", "DEIS_LOG", &[Registry]),
    variable("logger", "log", "DEIS_LOG", &[Logger]),
    variable("logspout", "log", "DEIS_LOG", &[Logspout]),
    variable("publisher", "log", "DEIS_LOG", &[Publisher]),
    variable("router", "log", "DEIS_LOG", &[Router]),
];

/// Settings that change workloads in another way than by a variable of their own, and whose.
const STRUCTURAL: &[(&str, &str, &[Unit])] = &[
    ("platform", "image", &Unit::ALL),
    ("platform", "dataDir", &Unit::ALL),
    ("platform", "engineSocket", WITH_ENGINE),
    ("store", "url", &[Registry, Builder, Logger, Unit::Database]),
    ("database", "url", &[Controller]),
];

/// What a setting is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// These units start anew.
    Units(&'static [Unit]),
    /// One unit runs from another image.
    Image(Unit),
    /// The controller takes it while it runs.
    Controller,
}

/// What changes when the setting `key` of `target` does.
pub(crate) fn effect(target: &str, key: &str) -> Effect {
    let variable = VARIABLES.iter().find(|variable| (variable.target, variable.key) == (target, key));
    let structural = || STRUCTURAL.iter().find(|(of, named, _)| (*of, *named) == (target, key));
    match (variable, structural(), target.parse::<Unit>()) {
        (Some(variable), _, _) => Effect::Units(variable.units),
        (None, Some((_, _, units)), _) => Effect::Units(units),
        (None, None, Ok(unit)) if key == "image" => Effect::Image(unit),
        _ => Effect::Controller,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_concerns_those_who_read_it() {
        assert_eq!(effect("router", "git"), Effect::Units(&[Router]));
        assert_eq!(effect("database", "url"), Effect::Units(&[Controller]));
        assert_eq!(effect("router", "image"), Effect::Image(Router));
        assert_eq!(effect("controller", "registrationMode"), Effect::Controller);
    }

    #[test]
    fn no_setting_is_there_twice() {
        let mut keys: Vec<_> = VARIABLES.iter().map(|variable| (variable.target, variable.key)).collect();
        keys.extend(STRUCTURAL.iter().map(|(target, key, _)| (*target, *key)));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
