//! Settings of the whole mesh: what `deisctl config router set` sets.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::acme;
use super::app::AppSettings;
use super::cidr::Cidr;
use super::error::SettingError;
use super::header::MAX_HEADER_RULES;
use super::rules::{AccessLog, LogForm, Rules, Timeouts};
use super::setting::{Scope, Setting};
use super::tls::TlsSettings;
use crate::acme::AcmeSettings;

/// The longest body of a request to the controller, in bytes: sources and certificates go there.
const CONTROLLER_BODY: u64 = 1 << 30;

/// What holds for the whole mesh. [`MeshSettings::default`] is what holds where nobody has set anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeshSettings {
    /// What holds for an app that says nothing else.
    pub apps: Arc<Rules>,
    /// What holds for the controllers.
    pub controller: Arc<Rules>,
    /// How long clients may take.
    pub clients: ClientTimeouts,
    /// How builders are spoken to.
    pub builder: Builders,
    /// Load balancers in front, whose word on clients is believed.
    pub trusted: Vec<Cidr>,
    /// How many connections one client may have at a time; none: what routers think right; 0: any number.
    pub connection_limit: Option<u32>,
    /// How many visitors' connections each router has at a time; none: as many as it was started for.
    pub connections: Option<u32>,
    /// On how many cores each router serves them; none: as it was started for. Counts at its next start.
    pub workers: Option<u16>,
    /// Who may read metrics.
    pub metrics_readers: Vec<Cidr>,
    /// Whether connections begin with a PROXY protocol header.
    pub proxy_protocol: bool,
    /// Whether git connections do.
    pub git_proxy_protocol: bool,
    /// The ports that apps may have of their own.
    pub tcp_ports: Option<RangeInclusive<u16>>,
    /// Whether visitors are offered HTTP/2.
    pub http2: bool,
    /// How connections are secured.
    pub tls: TlsSettings,
    /// How certificates are had by themselves.
    pub acme: AcmeSettings,
    /// Which requests leave a line in each router's own journal.
    pub access_log: AccessLog,
    /// Whether metrics tell of single apps and releases.
    pub app_metrics: bool,
}

/// How long clients may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTimeouts {
    /// To send a request's head, from its first byte.
    pub head: Duration,
    /// To do anything.
    pub idle: Duration,
}

/// What builders are told, and how long they may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Builders {
    /// Whether they learn clients' addresses, by the PROXY protocol.
    pub is_told: bool,
    /// To accept a git connection.
    pub connect: Duration,
    /// To move anything on one.
    pub idle: Duration,
}

impl MeshSettings {
    /// What `settings` make of the defaults; refuses all that is not right. For whoever stores settings.
    pub fn parse(settings: &BTreeMap<String, String>) -> Result<Self, SettingError> {
        let (mesh, mut errors) = Self::default().with(settings);
        if errors.is_empty() { Ok(mesh) } else { Err(errors.remove(0)) }
    }

    /// What `settings` make of these; and those that are not right, which change nothing but that nobody may come in to apps
    /// without one that keeps visitors out. For routers, which may meet settings of a newer controller.
    pub fn with(mut self, settings: &BTreeMap<String, String>) -> (Self, Vec<SettingError>) {
        let mut errors = Vec::new();
        for (setting, key, value) in sorted(settings, &mut errors) {
            let must = match setting.scope {
                Scope::App => Err(SettingError::AppOnly { key: key.to_owned() }),
                _ => setting.set_mesh(&mut self, key, value).map_err(|must| SettingError::value(key, must)),
            };
            if let Err(error) = must {
                Arc::make_mut(&mut self.apps).allowance.is_closed |= setting.is_guard();
                errors.push(error);
            }
        }
        errors.extend(self.complete());
        errors.extend(acme::complete(&mut self.acme));
        (self, errors)
    }

    /// Whose word on clients in headers is believed: that of load balancers, but none where they announce connections. Those
    /// pass on the bytes of their clients, also of one whom they cannot name.
    pub fn believed(&self) -> &[Cidr] {
        if self.proxy_protocol { &[] } else { &self.trusted }
    }

    /// What holds for an app with these settings of its own. Apps without any share one.
    pub fn rules(&self, app: &AppSettings) -> Arc<Rules> {
        if app.is_empty() {
            return Arc::clone(&self.apps);
        }
        let mut rules = (*self.apps).clone();
        app.apply(&mut rules);
        Arc::new(rules)
    }

    /// Takes over for the controllers what holds for all; takes half a certificate away, which is an error.
    fn complete(&mut self) -> Option<SettingError> {
        let apps = Arc::clone(&self.apps);
        let controller = Arc::make_mut(&mut self.controller);
        controller.https = apps.https.clone();
        controller.allowance.is_enforced = apps.allowance.is_enforced;
        controller.compression = apps.compression.clone();
        controller.request_start = apps.request_start;
        controller.referrer_policy.clone_from(&apps.referrer_policy);
        controller.timeouts.idle = apps.timeouts.idle;
        let pair = self.tls.certificate.as_ref()?;
        let missing = match (pair.chain.is_empty(), pair.key.is_empty()) {
            (false, false) => return None,
            (true, true) => None,
            (true, false) => Some(SettingError::Incomplete { key: "sslKey", missing: "sslCert" }),
            (false, true) => Some(SettingError::Incomplete { key: "sslCert", missing: "sslKey" }),
        };
        self.tls.certificate = None;
        missing
    }
}

/// Settings of which one at a time can hold.
const ARGUMENT: &str = "affinityArg";
const COOKIE: &str = "affinityCookie";

/// `settings` in the order of the table; what is not in it is an error.
pub(super) fn sorted<'a>(
    settings: &'a BTreeMap<String, String>,
    errors: &mut Vec<SettingError>,
) -> Vec<(&'static Setting, &'a str, &'a str)> {
    let mut known = Vec::with_capacity(settings.len());
    for (key, value) in settings {
        match Setting::place(key) {
            Some((place, setting)) => known.push((place, setting, key.as_str(), value.as_str())),
            None => errors.push(SettingError::Unknown { key: key.clone() }),
        }
    }
    known.sort_by_key(|(place, ..)| *place);
    let is_set = |name: &str| settings.get(name).is_some_and(|value| !value.is_empty());
    if is_set(ARGUMENT) && is_set(COOKIE) {
        errors.push(SettingError::Contrary { key: ARGUMENT, other: COOKIE });
        known.retain(|(_, setting, ..)| setting.name != ARGUMENT);
    }
    if settings.keys().filter(|key| key.starts_with("header/")).count() > MAX_HEADER_RULES {
        errors.push(SettingError::TooMany { most: MAX_HEADER_RULES });
    }
    known.into_iter().map(|(_, setting, key, value)| (setting, key, value)).collect()
}

impl Default for MeshSettings {
    fn default() -> Self {
        let minutes = |count: u64| Duration::from_secs(count * 60);
        let apps = Rules::default();
        let idle = apps.timeouts.idle;
        let timeouts = Timeouts { connect: Duration::from_secs(10), answer: minutes(20), idle };
        let clients = ClientTimeouts { head: minutes(1), idle };
        Self {
            controller: Rules { body_bytes: Some(CONTROLLER_BODY), timeouts, ..Rules::default() }.into(),
            apps: apps.into(),
            clients,
            builder: Builders { is_told: true, connect: Duration::from_secs(10), idle: minutes(20) },
            trusted: Cidr::LOOPBACK.to_vec(),
            connection_limit: None,
            connections: None,
            workers: None,
            metrics_readers: Cidr::PRIVATE.to_vec(),
            proxy_protocol: false,
            git_proxy_protocol: false,
            tcp_ports: None,
            http2: true,
            tls: TlsSettings::default(),
            acme: AcmeSettings::default(),
            access_log: AccessLog { form: LogForm::Combined, ..AccessLog::default() },
            app_metrics: true,
        }
    }
}

#[cfg(test)]
mod tests;
