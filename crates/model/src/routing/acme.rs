//! Settings of automatic certificates.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::error::SettingError;
use super::setting::{Scope, Setter, Setting};
use super::value::{Must, count, put, switch, word};
use crate::acme::settings::LETS_ENCRYPT;
use crate::acme::{AcmeSettings, ExternalAccount, Proof};

pub(super) const SETTINGS: &[Setting] = &[
    Setting::mesh(
        "acme/enabled",
        "off",
        "on: certificates are had by ACME, and you agree to the certificate authority's terms of service",
        |mesh, value| put(&mut mesh.acme.enabled, switch(value)),
    ),
    Setting {
        name: "tls/auto",
        scope: Scope::Both,
        default: "on",
        meaning: "off: the app's domains get no certificates by themselves; without effect unless acme/enabled is on",
        is_secret: false,
        set: Setter::Either(
            |mesh, value| put(&mut mesh.acme.auto, switch(value)),
            |_, value| switch(value).map(drop),
        ),
    },
    Setting::mesh(
        "acme/directory",
        LETS_ENCRYPT,
        "the URL of the certificate authority's directory; certificates of another one are replaced",
        |mesh, value| put(&mut mesh.acme.directory, url(value)),
    ),
    Setting::mesh(
        "acme/email",
        "",
        "where the certificate authority writes to when something is wrong",
        |mesh, value| put(&mut mesh.acme.email, optional(value, is_email, "an e-mail address")),
    ),
    Setting::mesh(
        "acme/challenge",
        "http-01",
        "how hosts are proved to be yours: http-01 (port 80), tls-alpn-01 (port 443) or dns-01; wildcards always by dns-01",
        |mesh, value| put(&mut mesh.acme.proof, proof(value)),
    ),
    Setting::mesh(
        "acme/dnsHook",
        "",
        "a program where controllers run that sets and clears DNS records: HOOK set NAME VALUE, HOOK clear NAME VALUE",
        |mesh, value| {
            put(&mut mesh.acme.dns_hook, optional(value, is_path, "the absolute path of a program"))
        },
    ),
    Setting::mesh(
        "acme/caCertificates",
        "",
        "certificates that may vouch for the authority's own, beside those the system trusts, PEM",
        |mesh, value| put(&mut mesh.acme.ca_certificates, optional(value, is_pem, "certificates in PEM")),
    ),
    Setting::mesh(
        "acme/eab/keyId",
        "",
        "the id of the key that binds the platform's account to one at the authority, with acme/eab/key",
        |mesh, value| {
            mesh.acme.external_account.get_or_insert_default().key_id = value.trim().to_owned();
            Ok(())
        },
    ),
    Setting::mesh("acme/eab/key", "", "that key, in base64url", |mesh, value| {
        let key = BASE64_URL_SAFE_NO_PAD.decode(value.trim().trim_end_matches('='));
        let key = key.map_err(|_| Must::be("a key in base64url"));
        put(&mut mesh.acme.external_account.get_or_insert_default().key, key)
    })
    .secret(),
    Setting::mesh(
        "acme/platformNames",
        "off",
        "on: <app>.<platform domain> gets a certificate too, where the platform's own does not cover it",
        |mesh, value| put(&mut mesh.acme.platform_names, switch(value)),
    ),
    Setting::mesh(
        "acme/ordersPerHour",
        "60",
        "how many certificates are asked for within an hour at most; Let's Encrypt allows 300 within three",
        |mesh, value| put(&mut mesh.acme.orders_per_hour, count(value, 1..=10_000)),
    ),
];

/// Takes away what is half there, which is an error.
pub(super) fn complete(acme: &mut AcmeSettings) -> Option<SettingError> {
    if acme.proof == Proof::Dns01 && acme.dns_hook.is_none() {
        acme.proof = Proof::Http01;
        return Some(SettingError::Incomplete { key: "acme/challenge", missing: "acme/dnsHook" });
    }
    let ExternalAccount { key_id, key } = acme.external_account.as_ref()?;
    let missing = match (key_id.is_empty(), key.is_empty()) {
        (false, false) => return None,
        (true, true) => None,
        (true, false) => Some(SettingError::Incomplete { key: "acme/eab/key", missing: "acme/eab/keyId" }),
        (false, true) => Some(SettingError::Incomplete { key: "acme/eab/keyId", missing: "acme/eab/key" }),
    };
    acme.external_account = None;
    missing
}

/// What a switch's value says; none if it is not one.
pub fn parse_switch(value: &str) -> Option<bool> {
    switch(value).ok()
}

fn proof(value: &str) -> Result<Proof, Must> {
    let proofs = [Proof::Http01, Proof::TlsAlpn01, Proof::Dns01];
    word(value, proofs.map(|proof| (proof.as_str(), proof)))
}

/// An empty value takes it away.
fn optional(value: &str, allowed: fn(&str) -> bool, must: &str) -> Result<Option<String>, Must> {
    match value.trim() {
        "" => Ok(None),
        value if allowed(value) => Ok(Some(value.to_owned())),
        _ => Err(Must::be(must)),
    }
}

fn url(value: &str) -> Result<String, Must> {
    let rest = value.trim().strip_prefix("https://").filter(|rest| !rest.is_empty() && is_visible(rest));
    rest.map(|rest| format!("https://{rest}")).ok_or_else(|| Must::be("a URL that begins with https://"))
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
    use crate::routing::{AppSettings, MeshSettings};

    fn parse(settings: &[(&str, &str)]) -> Result<AcmeSettings, SettingError> {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        MeshSettings::parse(&settings.collect()).map(|mesh| mesh.acme)
    }

    fn check_refused(settings: &[(&str, &str)], expected: &str) {
        let refused = parse(settings).expect_err(expected).to_string();
        assert!(refused.contains(expected), "{refused}");
    }

    #[test]
    fn nothing_is_ordered_until_an_operator_says_so() {
        let settings = parse(&[]).unwrap();
        assert!(!settings.enabled && settings.auto && !settings.platform_names);
        assert_eq!((settings.directory.as_str(), settings.proof), (LETS_ENCRYPT, Proof::Http01));
    }

    #[test]
    fn settings_are_read_and_empty_ones_are_none() {
        let settings = parse(&[
            ("acme/enabled", "true"),
            ("acme/directory", " https://ca.example.com/dir "),
            ("acme/email", "ops@example.com"),
            ("acme/challenge", "dns-01"),
            ("acme/dnsHook", "/usr/local/bin/hook"),
            ("acme/caCertificates", ""),
            ("acme/eab/keyId", "kid-1"),
            ("acme/eab/key", "AQI="),
            ("acme/ordersPerHour", "5"),
        ]);
        let settings = settings.unwrap();
        assert!(settings.enabled && settings.proof == Proof::Dns01 && settings.ca_certificates.is_none());
        assert_eq!(
            (settings.directory.as_str(), settings.orders_per_hour),
            ("https://ca.example.com/dir", 5)
        );
        assert!(!format!("{settings:?}").contains("[1, 2]"), "the key is not shown");
        assert_eq!(settings.external_account.unwrap().key, [1, 2]);
        assert_eq!(parse(&[("acme/eab/keyId", ""), ("acme/eab/key", "")]).unwrap().external_account, None);
    }

    #[test]
    fn what_breaks_a_rule_is_refused_with_the_rule() {
        check_refused(&[("acme/enabled", "maybe")], "on or off");
        check_refused(&[("acme/directory", "http://ca")], "begins with https://");
        check_refused(&[("acme/email", "ops@localhost")], "an e-mail address");
        check_refused(&[("acme/challenge", "tls-sni-01")], "http-01 or tls-alpn-01 or dns-01");
        check_refused(&[("acme/challenge", "dns-01")], "no effect without acme/dnsHook");
        check_refused(&[("acme/dnsHook", "hook")], "the absolute path of a program");
        check_refused(&[("acme/caCertificates", "/etc/ca.pem")], "certificates in PEM");
        check_refused(&[("acme/eab/key", "AQI")], "no effect without acme/eab/keyId");
        check_refused(&[("acme/eab/keyId", "k")], "no effect without acme/eab/key");
        check_refused(&[("acme/eab/keyId", "k"), ("acme/eab/key", "a b")], "base64url");
        check_refused(&[("acme/ordersPerHour", "0")], "from 1 to 10000");
    }

    #[test]
    fn apps_choose_only_whether() {
        let set = |key: &str, value: &str| AppSettings::parse(&[(key.to_owned(), value.to_owned())].into());
        assert!(set("tls/auto", "off").is_ok());
        assert!(set("tls/auto", "sometimes").is_err());
        assert!(set("acme/enabled", "on").is_err());
    }
}
