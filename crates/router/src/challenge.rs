//! What certificate authorities ask to see whether a host is the platform's.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::sign::CertifiedKey;

use deis_api::internal::{Challenge, ChallengeKind};

use crate::tls;

/// Where they ask over plain HTTP. Source: RFC 8555 section 8.3.
const PATH: &str = "/.well-known/acme-challenge/";

/// Challenges that are open at the moment.
#[derive(Debug, Default)]
pub(crate) struct Challenges {
    source: Vec<Challenge>,
    /// By host, then token.
    answers: HashMap<Box<str>, HashMap<Box<str>, Box<str>>>,
    certificates: HashMap<Box<str>, Arc<CertifiedKey>>,
}

impl Challenges {
    /// The ones that `challenges` list; `previous` if these are the same.
    pub(crate) fn of(challenges: &[Challenge], previous: &Arc<Self>) -> Arc<Self> {
        if challenges == previous.source {
            return Arc::clone(previous);
        }
        let mut made = Self { source: challenges.to_vec(), ..Self::default() };
        challenges.iter().for_each(|challenge| made.add(challenge));
        Arc::new(made)
    }

    /// The answer's body to a request for `path` at `host`, if that is a challenge. It comes before every rule.
    pub(crate) fn answer(&self, host: &str, path: &str) -> Option<&str> {
        if self.answers.is_empty() {
            return None;
        }
        let token = path.strip_prefix(PATH)?;
        self.answers.get(host)?.get(token).map(AsRef::as_ref)
    }

    /// The certificate for a handshake with `acme-tls/1` that names `host`.
    pub(crate) fn certificate(&self, host: &str) -> Option<&Arc<CertifiedKey>> {
        self.certificates.get(host)
    }

    fn add(&mut self, challenge: &Challenge) {
        let host: Box<str> = challenge.host.to_ascii_lowercase().into();
        match &challenge.kind {
            ChallengeKind::Http01 { token, authorization } => {
                let answers = self.answers.entry(host).or_default();
                answers.insert(token.as_str().into(), authorization.as_str().into());
            }
            ChallengeKind::TlsAlpn01 { pair } => match tls::read_challenge(pair) {
                Ok(key) => {
                    self.certificates.insert(host, Arc::new(key));
                }
                Err(error) => {
                    tracing::warn!(%host, %error, "a certificate authority's challenge cannot be answered")
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn challenges() -> Vec<Challenge> {
        let kind = |token: &str| ChallengeKind::Http01 {
            token: token.to_owned(),
            authorization: format!("{token}.thumbprint"),
        };
        let challenge = |host: &str, token| Challenge { host: host.to_owned(), kind: kind(token) };
        vec![challenge("a.test", "one"), challenge("a.test", "two"), challenge("b.test", "three")]
    }

    fn check(host: &str, path: &str, expected: Option<&str>) {
        let challenges = Challenges::of(&challenges(), &Arc::default());
        assert_eq!(challenges.answer(host, path), expected, "{host}{path}");
    }

    #[test]
    fn a_challenge_is_answered_at_its_host_only() {
        check("a.test", "/.well-known/acme-challenge/one", Some("one.thumbprint"));
        check("a.test", "/.well-known/acme-challenge/two", Some("two.thumbprint"));
        check("b.test", "/.well-known/acme-challenge/one", None);
        check("a.test", "/.well-known/acme-challenge/one/", None);
        check("a.test", "/.well-known/acme-challenge/", None);
        check("a.test", "/one", None);
    }

    #[test]
    fn challenges_that_stay_are_not_read_again() {
        let first = Challenges::of(&challenges(), &Arc::default());
        assert!(Arc::ptr_eq(&Challenges::of(&challenges(), &first), &first));
        assert!(!Arc::ptr_eq(&Challenges::of(&[], &first), &first));
    }
}
