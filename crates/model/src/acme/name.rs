//! Names that are to have certificates.

use std::collections::BTreeMap;

use crate::AppId;

use super::AcmeSettings;

/// The longest name in a certificate that every authority accepts. Source: RFC 1035 section 2.3.4.
const MAX_NAME_LENGTH: usize = 253;

/// How it is proved that a name is the platform's. Source: RFC 8555 section 8, RFC 8737.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A page over plain HTTP, on port 80.
    Http01,
    /// A TLS handshake, on port 443.
    TlsAlpn01,
    /// A DNS record.
    Dns01,
}

impl Proof {
    /// Reads it by its name in the protocol.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Http01, Self::TlsAlpn01, Self::Dns01].into_iter().find(|proof| proof.as_str() == text)
    }

    /// Its name in the protocol.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }
}

/// What is known of an app's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppNames {
    /// The app.
    pub app: AppId,
    /// Its own domains in lower case, in ASCII; the first label may be `*`.
    pub domains: Vec<String>,
    /// Whether its owner wants automatic certificates; none: as all apps.
    pub auto: Option<bool>,
    /// The names in certificates that were uploaded for it.
    pub uploaded: Vec<String>,
}

/// A name that leads to an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The app.
    pub app: AppId,
    /// How a certificate for it is got; none if it is not to get one.
    pub proof: Option<Proof>,
}

/// All names of `apps` that other certificates do not cover, and which of them are to have one of their own.
///
/// `covered` are the names in the platform's certificate.
pub fn names(
    settings: &AcmeSettings,
    domain: &str,
    covered: &[String],
    apps: &[AppNames],
) -> BTreeMap<String, Name> {
    let mut names = BTreeMap::new();
    for app in apps {
        let wants = settings.enabled && app.auto.unwrap_or(settings.auto);
        let mut add = |host: String, wanted: bool| {
            if app.uploaded.iter().any(|pattern| covers(pattern, &host)) {
                return;
            }
            let proof = proof(settings, &host).filter(|_| wanted && host.len() <= MAX_NAME_LENGTH);
            names.insert(host, Name { app: app.app.clone(), proof });
        };
        app.domains.iter().for_each(|host| add(host.clone(), wants));
        let default = format!("{}.{domain}", app.app);
        if !covered.iter().any(|pattern| covers(pattern, &default)) {
            add(default, wants && settings.platform_names);
        }
    }
    names
}

/// How a certificate for `host` is got. Only DNS proves wildcards. Source: RFC 8555 section 8.3.
fn proof(settings: &AcmeSettings, host: &str) -> Option<Proof> {
    let by_dns = || settings.dns_hook.as_ref().map(|_| Proof::Dns01);
    match host.starts_with("*.") {
        true => by_dns(),
        false => Some(settings.proof),
    }
}

/// Whether a certificate for `pattern` is one for `host`. Both in lower case. Source: RFC 6125 section 6.4.3: `*` stands
/// for exactly one label, the first.
pub fn covers(pattern: &str, host: &str) -> bool {
    let below = |rest: &str| {
        let first = host.strip_suffix(rest).and_then(|first| first.strip_suffix('.'));
        first.is_some_and(|label| !label.is_empty() && !label.contains(['.', '*']))
    };
    pattern == host || pattern.strip_prefix("*.").is_some_and(below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::MeshSettings;

    fn settings(pairs: &[(&str, &str)]) -> AcmeSettings {
        let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        MeshSettings::parse(&pairs.collect()).unwrap().acme
    }

    /// The names with a certificate of their own of an app `blog` at `deis.example`, and how each is proved.
    fn check(pairs: &[(&str, &str)], auto: Option<bool>, uploaded: &[&str], expected: &[(&str, Proof)]) {
        let blog = AppNames {
            app: AppId::parse("blog").unwrap(),
            domains: ["www.example.com", "*.example.org"].map(str::to_owned).to_vec(),
            auto,
            uploaded: uploaded.iter().map(|name| (*name).to_owned()).collect(),
        };
        let found = names(&settings(pairs), "deis.example", &["*.apps.example".to_owned()], &[blog]);
        let wanted = found.iter().filter_map(|(host, name)| Some((host.as_str(), name.proof?)));
        assert_eq!(wanted.collect::<Vec<_>>(), expected, "{pairs:?} {auto:?} {uploaded:?}");
    }

    #[test]
    fn domains_get_certificates_where_operator_and_owner_want_it() {
        let on = ("acme/enabled", "true");
        let www = ("www.example.com", Proof::Http01);
        check(&[], Some(true), &[], &[]);
        check(&[on], None, &[], &[www]);
        check(&[on], Some(false), &[], &[]);
        check(&[on, ("tls/auto", "false")], None, &[], &[]);
        check(&[on, ("tls/auto", "false")], Some(true), &[], &[www]);
        check(&[on, ("acme/challenge", "tls-alpn-01")], None, &[], &[(www.0, Proof::TlsAlpn01)]);
        check(&[on, ("acme/platformNames", "true")], None, &[], &[("blog.deis.example", Proof::Http01), www]);
    }

    #[test]
    fn wildcards_take_a_hook_and_uploads_take_precedence() {
        let on = [("acme/enabled", "true"), ("acme/dnsHook", "/hook")];
        let wildcard = ("*.example.org", Proof::Dns01);
        check(&on, None, &[], &[wildcard, ("www.example.com", Proof::Http01)]);
        check(&on, None, &["*.example.com"], &[wildcard]);
        check(&on, None, &["www.example.com", "*.example.org"], &[]);
        let known = names(&settings(&[]), "deis.example", &["*.deis.example".to_owned()], &[]);
        assert!(known.is_empty());
    }

    #[test]
    fn a_star_is_one_label() {
        assert!(covers("*.example.com", "www.example.com") && covers("a.b", "a.b"));
        for other in ["example.com", ".example.com", "a.b.example.com", "www.example.org", "*.example.org"] {
            assert!(!covers("*.example.com", other), "{other}");
        }
    }
}
