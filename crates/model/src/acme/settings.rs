//! What operators say about automatic certificates: settings of the target `router`.

use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::Proof;

/// Whether the platform orders certificates at all. Whoever switches it on agrees to the authority's terms of service.
pub const ENABLED: &str = "acme/enabled";
/// Whether an app's domains get certificates: of the mesh for all apps, or of one app. On unless it is switched off.
pub const AUTO: &str = "tls/auto";
/// The URL of the authority's directory.
pub const DIRECTORY: &str = "acme/directory";
/// Where the authority writes to when something is wrong.
pub const EMAIL: &str = "acme/email";
/// How the platform proves that names are its own: `http-01`, `tls-alpn-01` or `dns-01`.
pub const CHALLENGE: &str = "acme/challenge";
/// The path of a program that sets and clears DNS records.
pub const DNS_HOOK: &str = "acme/dnsHook";
/// Certificates, in PEM, that the authority's own may be signed by, besides those that the system trusts.
pub const CA_CERTIFICATES: &str = "acme/caCertificates";
/// The id of the account that the platform has at the authority by other means, and its key in base64url.
pub const EAB_KEY_ID: &str = "acme/eab/keyId";
/// See [`EAB_KEY_ID`].
pub const EAB_KEY: &str = "acme/eab/key";
/// Whether `<app>.<platform domain>` gets a certificate where the platform's own does not cover it.
pub const PLATFORM_NAMES: &str = "acme/platformNames";
/// How many orders begin within an hour at most.
pub const ORDERS_PER_HOUR: &str = "acme/ordersPerHour";

/// Let's Encrypt's directory.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Well below what Let's Encrypt allows: 300 new orders of an account within three hours.
const DEFAULT_ORDERS_PER_HOUR: u32 = 60;

/// What operators say.
#[derive(Clone, PartialEq, Eq)]
pub struct AcmeSettings {
    /// Whether certificates are ordered at all.
    pub enabled: bool,
    /// Whether apps that say nothing about it get certificates.
    pub auto: bool,
    /// The URL of the authority's directory.
    pub directory: String,
    /// Where the authority writes to.
    pub email: Option<String>,
    /// How it is proved that a name is the platform's. Wildcards are always proved by DNS.
    pub proof: Proof,
    /// The absolute path of the program that sets and clears DNS records.
    pub dns_hook: Option<String>,
    /// PEM.
    pub ca_certificates: Option<String>,
    /// The account that the platform has at the authority by other means.
    pub external_account: Option<ExternalAccount>,
    /// Whether `<app>.<platform domain>` gets a certificate where the platform's own does not cover it.
    pub platform_names: bool,
    /// How many orders begin within an hour at most.
    pub orders_per_hour: u32,
}

/// An account at the authority that the platform's is bound to. Source: RFC 8555 section 7.3.4. No `Debug`: the key is a
/// secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ExternalAccount {
    /// What the authority calls the key.
    pub key_id: String,
    /// The key.
    pub key: Vec<u8>,
}

/// Which rule a setting breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {rule}")]
pub struct AcmeSettingsError {
    /// The setting.
    pub key: &'static str,
    /// As `must be true or false`.
    pub rule: &'static str,
}

impl AcmeSettings {
    /// Reads them from all settings of the mesh; others are left alone. The first that breaks its rule is an error.
    pub fn parse(settings: &BTreeMap<String, String>) -> Result<Self, AcmeSettingsError> {
        let read = Reader(settings);
        let parsed = Self {
            enabled: read.flag(ENABLED, false)?,
            auto: read.flag(AUTO, true)?,
            directory: read.text(DIRECTORY, is_https, "must be a URL that begins with https://")?,
            email: read.optional(EMAIL, is_email, "must be an e-mail address")?,
            proof: read.proof()?,
            dns_hook: read.optional(DNS_HOOK, is_path, "must be the absolute path of a program")?,
            ca_certificates: read.optional(CA_CERTIFICATES, is_pem, "must be certificates in PEM")?,
            external_account: read.external_account()?,
            platform_names: read.flag(PLATFORM_NAMES, false)?,
            orders_per_hour: read.orders_per_hour()?,
        };
        match parsed.proof == Proof::Dns01 && parsed.dns_hook.is_none() {
            true => Err(AcmeSettingsError { key: CHALLENGE, rule: "can be dns-01 only with acme/dnsHook" }),
            false => Ok(parsed),
        }
    }
}

/// Reads settings by their rules. An empty value is as good as none.
struct Reader<'a>(&'a BTreeMap<String, String>);

impl Reader<'_> {
    fn value(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    fn flag(&self, key: &'static str, default: bool) -> Result<bool, AcmeSettingsError> {
        let value = self.value(key).map_or(Some(default), parse_flag);
        value.ok_or(AcmeSettingsError { key, rule: "must be true or false" })
    }

    fn optional(
        &self,
        key: &'static str,
        allowed: fn(&str) -> bool,
        rule: &'static str,
    ) -> Result<Option<String>, AcmeSettingsError> {
        match self.value(key) {
            Some(value) if !allowed(value) => Err(AcmeSettingsError { key, rule }),
            value => Ok(value.map(str::to_owned)),
        }
    }

    fn text(
        &self,
        key: &'static str,
        allowed: fn(&str) -> bool,
        rule: &'static str,
    ) -> Result<String, AcmeSettingsError> {
        Ok(self.optional(key, allowed, rule)?.unwrap_or_else(|| LETS_ENCRYPT.to_owned()))
    }

    fn proof(&self) -> Result<Proof, AcmeSettingsError> {
        let proof = self.value(CHALLENGE).map_or(Some(Proof::Http01), Proof::parse);
        proof.ok_or(AcmeSettingsError { key: CHALLENGE, rule: "must be http-01, tls-alpn-01 or dns-01" })
    }

    fn external_account(&self) -> Result<Option<ExternalAccount>, AcmeSettingsError> {
        match (self.value(EAB_KEY_ID), self.value(EAB_KEY)) {
            (None, None) => Ok(None),
            (Some(key_id), Some(key)) => {
                let key = BASE64_URL_SAFE_NO_PAD.decode(key.trim_end_matches('='));
                let key =
                    key.map_err(|_| AcmeSettingsError { key: EAB_KEY, rule: "must be in base64url" })?;
                Ok(Some(ExternalAccount { key_id: key_id.to_owned(), key }))
            }
            (None, Some(_)) => {
                Err(AcmeSettingsError { key: EAB_KEY_ID, rule: "must be set with acme/eab/key" })
            }
            (Some(_), None) => {
                Err(AcmeSettingsError { key: EAB_KEY, rule: "must be set with acme/eab/keyId" })
            }
        }
    }

    fn orders_per_hour(&self) -> Result<u32, AcmeSettingsError> {
        let Some(value) = self.value(ORDERS_PER_HOUR) else { return Ok(DEFAULT_ORDERS_PER_HOUR) };
        let number = value.parse().ok().filter(|number| (1..=10_000).contains(number));
        number.ok_or(AcmeSettingsError { key: ORDERS_PER_HOUR, rule: "must be a number from 1 to 10000" })
    }
}

/// A flag as settings hold it.
pub fn parse_flag(value: &str) -> Option<bool> {
    match value {
        "true" | "1" | "on" => Some(true),
        "false" | "0" | "off" => Some(false),
        _ => None,
    }
}

fn is_https(value: &str) -> bool {
    value.strip_prefix("https://").is_some_and(|rest| !rest.is_empty() && is_visible(rest))
}

fn is_email(value: &str) -> bool {
    let parts = value.split_once('@');
    is_visible(value) && parts.is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}

fn is_path(value: &str) -> bool {
    value.starts_with('/') && !value.contains(|c: char| c.is_control())
}

fn is_pem(value: &str) -> bool {
    value.contains("-----BEGIN CERTIFICATE-----") && value.contains("-----END CERTIFICATE-----")
}

fn is_visible(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(settings: &[(&str, &str)]) -> Result<AcmeSettings, AcmeSettingsError> {
        AcmeSettings::parse(&settings.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect())
    }

    fn check_refused(settings: &[(&str, &str)], expected: &str) {
        assert_eq!(parse(settings).err().map(|error| error.to_string()).as_deref(), Some(expected));
    }

    #[test]
    fn nothing_is_ordered_until_an_operator_says_so() {
        let settings = parse(&[]).unwrap();
        assert!(!settings.enabled && settings.auto && !settings.platform_names);
        assert_eq!(settings.directory, LETS_ENCRYPT);
        assert!(settings.proof == Proof::Http01 && settings.external_account.is_none());
    }

    #[test]
    fn settings_are_read_and_empty_ones_are_none() {
        let settings = parse(&[
            (ENABLED, "true"),
            (DIRECTORY, " https://ca.example.com/dir "),
            (EMAIL, "ops@example.com"),
            (CHALLENGE, "dns-01"),
            (DNS_HOOK, "/usr/local/bin/hook"),
            (CA_CERTIFICATES, ""),
            (EAB_KEY_ID, "kid-1"),
            (EAB_KEY, "AQI="),
            (ORDERS_PER_HOUR, "5"),
            ("gzip", "anything"),
        ]);
        let settings = settings.unwrap();
        assert!(settings.enabled && settings.proof == Proof::Dns01 && settings.ca_certificates.is_none());
        assert_eq!(settings.directory, "https://ca.example.com/dir");
        assert_eq!(settings.external_account.unwrap().key, [1, 2]);
        assert_eq!(settings.orders_per_hour, 5);
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_the_rule() {
        check_refused(&[(ENABLED, "yes")], "acme/enabled must be true or false");
        check_refused(&[(DIRECTORY, "http://ca")], "acme/directory must be a URL that begins with https://");
        check_refused(&[(EMAIL, "ops@localhost")], "acme/email must be an e-mail address");
        check_refused(&[(CHALLENGE, "tls-sni-01")], "acme/challenge must be http-01, tls-alpn-01 or dns-01");
        check_refused(&[(CHALLENGE, "dns-01")], "acme/challenge can be dns-01 only with acme/dnsHook");
        check_refused(&[(DNS_HOOK, "hook")], "acme/dnsHook must be the absolute path of a program");
        check_refused(&[(CA_CERTIFICATES, "/etc/ca.pem")], "acme/caCertificates must be certificates in PEM");
        check_refused(&[(EAB_KEY, "AQI")], "acme/eab/keyId must be set with acme/eab/key");
        check_refused(&[(EAB_KEY_ID, "k")], "acme/eab/key must be set with acme/eab/keyId");
        check_refused(&[(EAB_KEY_ID, "k"), (EAB_KEY, "a b")], "acme/eab/key must be in base64url");
        check_refused(&[(ORDERS_PER_HOUR, "0")], "acme/ordersPerHour must be a number from 1 to 10000");
    }
}
