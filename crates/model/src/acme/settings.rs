//! What operators say about automatic certificates. Read by [`crate::routing`] from the settings of the mesh.

use super::Proof;

/// The setting by which an app has automatic certificates or not, whatever holds for all apps.
pub const AUTO: &str = "tls/auto";

/// What the names of all other settings of automatic certificates begin with.
pub const PREFIX: &str = "acme/";

/// Let's Encrypt's directory.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// Well below what Let's Encrypt allows: 300 new orders of an account within three hours.
pub const ORDERS_PER_HOUR: u32 = 60;

/// What operators say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeSettings {
    /// Whether certificates are ordered at all. Whoever switches that on agrees to the authority's terms of service.
    pub enabled: bool,
    /// Whether apps that say nothing about it get certificates.
    pub auto: bool,
    /// The URL of the authority's directory.
    pub directory: String,
    /// Where the authority writes to when something is wrong.
    pub email: Option<String>,
    /// How it is proved that a name is the platform's. Wildcards are always proved by DNS.
    pub proof: Proof,
    /// The absolute path of the program that sets and clears DNS records.
    pub dns_hook: Option<String>,
    /// Certificates, in PEM, that may vouch for the authority's own, besides those that the system trusts.
    pub ca_certificates: Option<String>,
    /// The account that the platform has at the authority by other means.
    pub external_account: Option<ExternalAccount>,
    /// Whether `<app>.<platform domain>` gets a certificate where the platform's own does not cover it.
    pub platform_names: bool,
    /// How many orders begin within an hour at most.
    pub orders_per_hour: u32,
}

/// An account at the authority that the platform's is bound to. Source: RFC 8555 section 7.3.4. Shown without the key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ExternalAccount {
    /// What the authority calls the key.
    pub key_id: String,
    /// The key.
    pub key: Vec<u8>,
}

impl std::fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExternalAccount").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Default for AcmeSettings {
    fn default() -> Self {
        let (email, dns_hook, ca_certificates, external_account) = Default::default();
        Self {
            enabled: false,
            auto: true,
            directory: LETS_ENCRYPT.to_owned(),
            email,
            proof: Proof::Http01,
            dns_hook,
            ca_certificates,
            external_account,
            platform_names: false,
            orders_per_hour: ORDERS_PER_HOUR,
        }
    }
}
