//! The platform's account at an authority: one for all controllers, made when it is first needed.

use deis_model::acme::AcmeSettings;
use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use tracing::{info, warn};

use super::authority::Authority;
use super::failure::Failure;
use super::{AcmeParts, account_purpose};

/// Opens the account at the authority of `settings`, which is called by `authority`.
///
/// One at a time, or several orders that begin together would make an account each.
pub(super) async fn open(
    parts: &AcmeParts,
    settings: &AcmeSettings,
    authority: &Authority,
) -> Result<Account, Failure> {
    let email = settings.email.clone().unwrap_or_default();
    let kept = parts.database.acme_account(&settings.directory).await?;
    let was = kept.as_ref().map(|account| account.email.clone()).unwrap_or_default();
    let Some(credentials) = kept.and_then(|account| unseal(parts, settings, account.sealed_credentials?))
    else {
        return make(parts, settings, authority, &email).await;
    };
    let failure = |error| Failure::of(error, authority.wait(), (parts.clock)()).of_no_name();
    let builder = Account::builder_with_http(Box::new(authority.clone()));
    let account = builder.from_credentials(credentials).await.map_err(failure)?;
    if was != email {
        account.update_contacts(&refer(&contacts(&email))).await.map_err(failure)?;
        parts.database.note_acme_email(&settings.directory, &email).await?;
    }
    Ok(account)
}

async fn make(
    parts: &AcmeParts,
    settings: &AcmeSettings,
    authority: &Authority,
    email: &str,
) -> Result<Account, Failure> {
    let bound = settings.external_account.as_ref();
    let bound = bound.map(|account| ExternalAccountKey::new(account.key_id.clone(), &account.key));
    let contacts = contacts(email);
    let new =
        NewAccount { contact: &refer(&contacts), terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_http(Box::new(authority.clone()));
    let made = builder.create(&new, settings.directory.clone(), bound.as_ref()).await;
    let (account, credentials) =
        made.map_err(|error| Failure::of(error, authority.wait(), (parts.clock)()).of_no_name())?;
    let text = serde_json::to_string(&credentials).map_err(Failure::later)?;
    let sealed = parts.vault.seal(&account_purpose(&settings.directory), &text);
    parts.database.save_acme_account(&settings.directory, Some(&sealed), email).await?;
    info!(
        directory = settings.directory,
        account = account.id(),
        "made an account at the certificate authority"
    );
    Ok(account)
}

fn unseal(parts: &AcmeParts, settings: &AcmeSettings, sealed: String) -> Option<AccountCredentials> {
    let text = parts.vault.unseal(&account_purpose(&settings.directory), &sealed);
    let text = text.inspect_err(|error| {
        warn!(%error, "failed to unseal the account at the certificate authority; making another");
    });
    serde_json::from_str(&text.ok()?).ok()
}

fn contacts(email: &str) -> Vec<String> {
    if email.is_empty() { Vec::new() } else { vec![format!("mailto:{email}")] }
}

fn refer(contacts: &[String]) -> Vec<&str> {
    contacts.iter().map(String::as_str).collect()
}
