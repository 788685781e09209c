//! How visitors' connections are secured.

use std::time::Duration;

use super::value::Must;
use crate::KeyPair;

/// Settings of TLS for the whole mesh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Which versions are spoken.
    pub versions: TlsVersions,
    /// Which cipher suites may be used, best first, by their names of the IANA registry; empty: the safe ones.
    pub ciphers: Vec<&'static str>,
    /// Whether sessions go on by tickets, which any router of the mesh opens.
    pub session_tickets: bool,
    /// How long a session may go on.
    pub session_timeout: Duration,
    /// The certificate for hosts that have none of their own.
    pub certificate: Option<KeyPair>,
}

/// Versions of TLS; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsVersions {
    /// TLS 1.2.
    pub tls12: bool,
    /// TLS 1.3.
    pub tls13: bool,
}

/// Names of cipher suites: the registry's, and the one that OpenSSL and so nginx use.
const CIPHERS: [(&str, &str); 9] = [
    ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
    ("TLS13_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
    ("TLS13_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256"),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"),
    ("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"),
];

impl TlsSettings {
    /// Parses names of cipher suites with colons or blanks between them.
    pub(super) fn ciphers(text: &str) -> Result<Vec<&'static str>, Must> {
        let names = text.split([':', ' ', ',']).filter(|name| !name.is_empty());
        let known = |name: &str| CIPHERS.iter().find(|(iana, openssl)| [*iana, *openssl].contains(&name));
        names.map(|name| known(name).map(|(iana, _)| *iana).ok_or_else(|| unknown(name))).collect()
    }
}

impl TlsVersions {
    /// Parses `TLSv1.2 TLSv1.3`. The original's older versions may be named, and are not spoken.
    pub(super) fn parse(text: &str) -> Result<Self, Must> {
        let mut versions = Self { tls12: false, tls13: false };
        for name in text.split([' ', ',']).filter(|name| !name.is_empty()) {
            match name {
                "TLSv1.2" => versions.tls12 = true,
                "TLSv1.3" => versions.tls13 = true,
                "TLSv1" | "TLSv1.1" => {}
                _ => return Err(Must::be("TLSv1.2, TLSv1.3 or both")),
            }
        }
        match versions.tls12 || versions.tls13 {
            true => Ok(versions),
            false => Err(Must::be("TLSv1.2, TLSv1.3 or both: older versions are not safe and not spoken")),
        }
    }
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            versions: TlsVersions { tls12: true, tls13: true },
            ciphers: Vec::new(),
            session_tickets: true,
            session_timeout: Duration::from_secs(10 * 60),
            certificate: None,
        }
    }
}

fn unknown(name: &str) -> Must {
    let known: Vec<_> = CIPHERS.iter().map(|(_, openssl)| *openssl).collect();
    Must::be(format!("names out of {}; {name:?} is not one of them", known.join(":")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_go_by_either_name() {
        let text = "ECDHE-RSA-AES128-GCM-SHA256:TLS13_AES_128_GCM_SHA256";
        let expected = ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS13_AES_128_GCM_SHA256"];
        assert_eq!(TlsSettings::ciphers(text).unwrap(), expected);
        assert!(TlsSettings::ciphers("HIGH:!aNULL").is_err());
    }

    #[test]
    fn a_safe_version_has_to_be_among_those_set() {
        let check = |text: &str, expected: Option<(bool, bool)>| {
            let versions = TlsVersions::parse(text).ok();
            assert_eq!(versions.map(|versions| (versions.tls12, versions.tls13)), expected, "{text:?}");
        };
        check("TLSv1.2 TLSv1.3", Some((true, true)));
        check("TLSv1 TLSv1.1 TLSv1.2", Some((true, false)));
        check("TLSv1", None);
        check("SSLv3 TLSv1.2", None);
        check("", None);
    }
}
