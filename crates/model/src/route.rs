//! Routes: which hosts lead to which endpoints.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::{AppId, ContainerName, HealthCheck, ReleaseVersion};

/// One address that serves an app.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// The container behind it.
    pub container: ContainerName,
    /// Where it listens, as reached from routers.
    pub address: SocketAddr,
}

/// Everything a router knows of one app.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppRoute {
    /// The app.
    pub app: AppId,
    /// Lower-case host names that lead to it: `<app>.<platform domain>` and its own domains, in ASCII. No ports. The
    /// first label may be `*`: all names below that no other route has exactly.
    pub hosts: Vec<String>,
    /// The release that serves; none before the first deploy.
    pub release: Option<ReleaseVersion>,
    /// Ready containers of that release, sorted. Empty: visitors wait, or get 503; see `wanted`.
    pub endpoints: Vec<Endpoint>,
    /// How many containers of it shall serve: 0 when it is scaled to nothing, and then nobody is to wait for one. None
    /// if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<u32>,
    /// How a container of it is asked whether it is well, where more than that its port accepts is to be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Another release that gets a part of the requests, to try it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Its routing settings, over those of the platform: key → value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// Certificates for its hosts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<KeyPair>,
}

impl AppRoute {
    /// The route of `app` without anything: it has no host, and nothing serves it.
    pub fn new(app: AppId) -> Self {
        let (hosts, endpoints, settings, certificates) = Default::default();
        let (release, wanted, health_check, canary) = Default::default();
        Self { app, hosts, release, endpoints, wanted, health_check, canary, settings, certificates }
    }
}

/// A release that gets a part of an app's requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// Which.
    pub release: ReleaseVersion,
    /// Ready containers of it, sorted. Empty: it gets nothing. How much it gets else is a setting: `canary`.
    pub endpoints: Vec<Endpoint>,
    /// As of the release that serves the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
}

/// A certificate and its key. Shown without the key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyPair {
    /// PEM: the certificate, then those that vouch for it, each by the next.
    pub chain: String,
    /// PEM: the private key.
    pub key: String,
}

impl std::fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyPair").field("chain", &self.chain).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read from `text` is written the same.
    fn check(text: &str, has_check: bool) {
        let route: AppRoute = serde_json::from_str(text).unwrap();
        let checks = [&route.health_check, &route.canary.as_ref().unwrap().health_check];
        assert!(checks.iter().all(|check| check.is_some() == has_check), "{text}");
        assert_eq!(serde_json::to_string(&route).unwrap(), text);
    }

    #[test]
    fn peers_that_know_of_no_health_checks_are_understood_and_told_nothing_new() {
        check(
            r#"{"app":"blog","hosts":[],"release":2,"endpoints":[],"canary":{"release":3,"endpoints":[]}}"#,
            false,
        );
        let asked = r#""health_check":{"path":"/up","initial_delay_seconds":0,"timeout_seconds":1}"#;
        check(
            &format!(
                r#"{{"app":"blog","hosts":[],"release":2,"endpoints":[],{asked},"canary":{{"release":3,"endpoints":[],{asked}}}}}"#
            ),
            true,
        );
    }
}
