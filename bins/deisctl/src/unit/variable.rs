//! Settings that become settings of roles: what `deisctl config` calls them, what `deisd` does, and whom they concern.

use std::net::SocketAddr;

use deis_model::{Drain, Notice, WithinADay};

use super::Unit;
use Form::{Addresses, Number, Seconds, Text, Url};

use super::Unit::{Builder, Controller, Logger, Logspout, Publisher, Registry, Router};

/// One setting of `deisd`.
pub(crate) struct Variable {
    /// As in `deisctl config <target> set <key>=…`.
    pub(crate) target: &'static str,
    /// The same.
    pub(crate) key: &'static str,
    /// The variable that roles read it from.
    pub(crate) name: &'static str,
    /// What values look like.
    form: Form,
    /// Units that read it: they start anew when it changes.
    pub(crate) units: &'static [Unit],
}

/// What the value of a setting looks like. Units that cannot read theirs do not start.
#[derive(Clone, Copy)]
enum Form {
    /// `0.0.0.0:80`, or several with commas.
    Addresses,
    /// `120`
    Number,
    /// The same, at most so many.
    Seconds(u32),
    /// A URL that begins with one of these.
    Url(&'static [&'static str]),
    /// Anything.
    Text,
}

const fn variable(
    target: &'static str,
    key: &'static str,
    name: &'static str,
    form: Form,
    units: &'static [Unit],
) -> Variable {
    Variable { target, key, name, form, units }
}

const WEB: &[&str] = &["http://", "https://"];
/// How long one step of a deploy may take.
const STEP: Form = Seconds(WithinADay::MOST);
const WITH_ENGINE: &[Unit] = &[Controller, Builder, Publisher, Logspout];

/// All of them. Settings that are not here are kept for the controller, which takes them while it runs.
pub(crate) const VARIABLES: &[Variable] = &[
    variable("platform", "domain", "DEIS_DOMAIN", Text, &[Controller, Builder, Router]),
    variable("router", "http", "DEIS_HTTP", Addresses, &[Router, Builder]),
    variable("router", "https", "DEIS_HTTPS", Addresses, &[Router]),
    variable("router", "noticeSeconds", "DEIS_NOTICE_SECONDS", Seconds(Notice::MOST), &[Router]),
    variable("router", "drainSeconds", "DEIS_DRAIN_SECONDS", Seconds(Drain::MOST), &[Router]),
    variable("router", "git", "DEIS_GIT", Addresses, &[Router]),
    variable("router", "health", "DEIS_HEALTH", Addresses, &[Router]),
    variable("controller", "readyTimeoutSeconds", "DEIS_READY_TIMEOUT_SECONDS", STEP, &[Controller]),
    variable("controller", "drainTimeoutSeconds", "DEIS_DRAIN_TIMEOUT_SECONDS", STEP, &[Controller]),
    variable("controller", "stopGraceSeconds", "DEIS_STOP_GRACE_SECONDS", STEP, &[Controller]),
    variable("builder", "stackImage", "DEIS_STACK_IMAGE", Text, &[Builder]),
    variable("builder", "httpProxy", "HTTP_PROXY", Url(WEB), &[Builder]),
    variable("builder", "httpsProxy", "HTTPS_PROXY", Url(WEB), &[Builder]),
    variable("builder", "noProxy", "NO_PROXY", Text, &[Builder]),
    variable("builder", "pipIndexUrl", "PIP_INDEX_URL", Url(WEB), &[Builder]),
    variable("builder", "npmConfigRegistry", "NPM_CONFIG_REGISTRY", Url(WEB), &[Builder]),
    variable("logger", "retentionMegabytes", "DEIS_LOG_RETENTION_MEGABYTES", Number, &[Logger]),
    variable("logger", "retentionMegabytesPerApp", "DEIS_LOG_RETENTION_MEGABYTES_PER_APP", Number, &[Logger]),
    variable("controller", "log", "DEIS_LOG", Text, &[Controller]),
    variable("builder", "log", "DEIS_LOG", Text, &[Builder]),
    variable("registry", "log", "DEIS_LOG", Text, &[Registry]),
    variable("logger", "log", "DEIS_LOG", Text, &[Logger]),
    variable("logspout", "log", "DEIS_LOG", Text, &[Logspout]),
    variable("publisher", "log", "DEIS_LOG", Text, &[Publisher]),
    variable("router", "log", "DEIS_LOG", Text, &[Router]),
];

/// Settings that change workloads in another way than by a variable of their own, and whose.
const STRUCTURAL: &[(&str, &str, Form, &[Unit])] = &[
    ("platform", "image", Text, &Unit::ALL),
    ("platform", "dataDir", Text, &Unit::ALL),
    ("platform", "engineSocket", Text, WITH_ENGINE),
    ("store", "url", Url(&["s3://"]), &[Registry, Builder, Logger, Unit::Database]),
    ("database", "url", Url(&["postgres://", "postgresql://"]), &[Controller]),
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
    let structural = || STRUCTURAL.iter().find(|(of, named, ..)| (*of, *named) == (target, key));
    match (variable, structural(), target.parse::<Unit>()) {
        (Some(variable), _, _) => Effect::Units(variable.units),
        (None, Some((.., units)), _) => Effect::Units(units),
        (None, None, Ok(unit)) if key == "image" => Effect::Image(unit),
        _ => Effect::Controller,
    }
}

/// What the value of the setting `key` of `target` has to look like, if `value` does not.
pub(crate) fn mismatch(target: &str, key: &str, value: &str) -> Option<String> {
    let variable = VARIABLES.iter().find(|variable| (variable.target, variable.key) == (target, key));
    let structural = STRUCTURAL.iter().find(|(of, named, ..)| (*of, *named) == (target, key));
    let form = variable.map(|variable| variable.form).or(structural.map(|(_, _, form, _)| *form))?;
    let (fits, wanted) = match form {
        Addresses => {
            let fits = value.split(',').all(|address| address.trim().parse::<SocketAddr>().is_ok());
            (fits, "addresses and ports, as 0.0.0.0:80,[::]:80".to_owned())
        }
        Number => (value.parse::<u64>().is_ok(), "a whole number".to_owned()),
        Seconds(most) => {
            let fits = value.parse::<u32>().is_ok_and(|seconds| seconds <= most);
            (fits, format!("a whole number of seconds from 0 to {most}, which {value:?} is not"))
        }
        Url(starts) => {
            let fits =
                starts.iter().any(|start| value.strip_prefix(start).is_some_and(|rest| !rest.is_empty()));
            (fits, format!("a URL that begins with {}", starts.join(" or ")))
        }
        Text => (true, String::new()),
    };
    (!fits).then_some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(target: &str, key: &str, value: &str, fits: bool) {
        assert_eq!(mismatch(target, key, value).is_none(), fits, "{target} {key}={value}");
    }

    #[test]
    fn what_a_unit_could_not_read_does_not_fit() {
        check("router", "http", "0.0.0.0:80", true);
        check("router", "http", "[::]:80", true);
        check("router", "http", "0.0.0.0:80,[::]:80", true);
        check("router", "http", "0.0.0.0:80,", false);
        check("router", "http", "80", false);
        check("controller", "readyTimeoutSeconds", "soon", false);
        check("controller", "readyTimeoutSeconds", "86400", true);
        check("controller", "readyTimeoutSeconds", "86401", false);
        check("router", "noticeSeconds", "600", true);
        check("router", "noticeSeconds", "601", false);
        check("router", "drainSeconds", "3600", true);
        check("router", "drainSeconds", "3601", false);
        check("router", "drainSeconds", "-1", false);
        check("store", "url", "s3://KEY:SECRET@deis", true);
        check("store", "url", "s3://", false);
        check("database", "url", "mysql://db", false);
        check("builder", "httpProxy", "proxy:3128", false);
        check("router", "log", "anything", true);
        check("controller", "registrationMode", "anything", true);
    }

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
        keys.extend(STRUCTURAL.iter().map(|(target, key, ..)| (*target, *key)));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
    }
}
