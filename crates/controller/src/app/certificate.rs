//! Certificates: what users upload to have their domains served with TLS.

use std::collections::BTreeSet;

use deis_database::{DatabaseError, Listing, NewCertificate, Slice};
use deis_model::acme::covers;
use deis_model::permission::{Action, Object};
use deis_model::{AppId, Certificate, User};
use deis_runtime::key_pair::{self, CheckedPair};
use time::OffsetDateTime;

use super::access::permit;
use super::{Platform, Refusal};

/// The longest name of a certificate, in characters, and how many host names one may be for.
const MAX_NAME_LENGTH: usize = 255;
const MAX_NAMES: usize = 1000;
/// How many apps' routers are waited for when a certificate changes; those of further ones follow on their own.
const AWAITED_APPS: usize = 8;

impl Platform {
    /// The caller's certificates.
    pub async fn certificates(&self, caller: &User, slice: Slice) -> Result<Listing<Certificate>, Refusal> {
        Ok(self.database.certificates(&caller.username, slice).await?)
    }

    /// One of the caller's certificates.
    pub async fn certificate(&self, caller: &User, name: &str) -> Result<Certificate, Refusal> {
        let found = self.database.certificate(&caller.username, name).await?.ok_or(Refusal::NotFound)?;
        permit(caller, Action::Manage, Object::Certificate { owner: &found.owner })?;
        Ok(found)
    }

    /// Adds a certificate to the caller's, called `name` or like the host in it, and waits until routers serve it.
    ///
    /// It serves the hosts that it is for, of apps on which the caller may work. What it is called changes nothing about
    /// that: visitors would not believe it.
    pub async fn add_certificate(
        &self,
        caller: &User,
        chain: &str,
        key: &str,
        name: Option<&str>,
    ) -> Result<Certificate, Refusal> {
        let checked = key_pair::check(chain, key, OffsetDateTime::now_utc()).map_err(|error| {
            let field = if error.is_about_key() { "key" } else { "certificate" };
            Refusal::field(field, error)
        })?;
        let name = called(name, &checked)?;
        let names = names(&checked)?;
        self.check_domain(&name, &names).await?;
        let new = NewCertificate {
            owner: &caller.username,
            common_name: &name,
            chain: &checked.pair.chain,
            sealed_key: &self.vault.seal(&purpose(&name), &checked.pair.key),
            names: &names,
            expires: checked.expires,
        };
        let (certificate, served) = match self.database.add_certificate(new, &self.domain).await {
            Err(DatabaseError::Taken) => return Err(Refusal::not_unique("common_name")),
            added => added?,
        };
        self.await_routers_of(&served).await;
        Ok(certificate)
    }

    /// Removes the caller's certificate, and waits until routers serve it no longer.
    pub async fn delete_certificate(&self, caller: &User, name: &str) -> Result<(), Refusal> {
        let certificate = self.certificate(caller, name).await?;
        let deleted =
            self.database.delete_certificate(&certificate.owner, &certificate.common_name, &self.domain);
        let served = deleted.await?.ok_or(Refusal::NotFound)?;
        self.await_routers_of(&served).await;
        Ok(())
    }

    /// Refuses to call a certificate like a domain that it is not for: whoever does so means it to serve that domain.
    async fn check_domain(&self, name: &str, names: &[String]) -> Result<(), Refusal> {
        let host = name.to_ascii_lowercase();
        let is_for = names.iter().any(|name| covers(name, &host));
        if is_for || self.database.domain_app(&host).await?.is_none() {
            return Ok(());
        }
        let message = format!("The certificate is not for {name}: visitors would not believe it.");
        Err(Refusal::field("common_name", message))
    }

    async fn await_routers_of(&self, apps: &BTreeSet<AppId>) {
        apps.iter().for_each(|app| self.deploys.wake(app));
        let awaited = apps.iter().take(AWAITED_APPS).map(|app| self.await_routers(app));
        futures::future::join_all(awaited).await;
    }
}

/// What the key of the certificate that is called `name` is sealed for.
pub(crate) fn purpose(name: &str) -> String {
    format!("key of certificate {name}")
}

/// What a certificate is called: `given`, or its common name, or the first host that it is for.
fn called(given: Option<&str>, checked: &CheckedPair) -> Result<String, Refusal> {
    let given = given.map(str::trim).filter(|given| !given.is_empty());
    let name = given.or(checked.common_name.as_deref());
    let exact = || checked.names.iter().find(|name| !name.starts_with('*'));
    let name = name.or_else(|| exact().or(checked.names.first()).map(String::as_str));
    let Some(name) = name else {
        return Err(Refusal::field("common_name", "The certificate has no name: give it one."));
    };
    let length = name.chars().count();
    match name.chars().any(|c| c.is_control() || c == '/') {
        _ if length > MAX_NAME_LENGTH => Err(Refusal::field(
            "common_name",
            format!("Ensure this field has no more than {MAX_NAME_LENGTH} characters."),
        )),
        true => Err(Refusal::field("common_name", "A name has no slashes and no control characters.")),
        false => Ok(name.to_owned()),
    }
}

/// The hosts that a certificate is for.
fn names(checked: &CheckedPair) -> Result<Vec<String>, Refusal> {
    let hosts: Vec<String> = checked.names.iter().filter(|name| is_host(name)).cloned().collect();
    match hosts.len() > MAX_NAMES {
        true => Err(Refusal::field("certificate", format!("It is for more than {MAX_NAMES} hosts."))),
        false => Ok(hosts),
    }
}

/// Whether a domain could be called so.
fn is_host(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    host.len() <= MAX_NAME_LENGTH && host.split('.').all(|label| !label.is_empty() && label.chars().all(fits))
}
