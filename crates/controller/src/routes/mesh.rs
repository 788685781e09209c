//! What all routers are told beside the routes of apps: settings of the mesh, and keys of TLS session tickets.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use deis_api::internal::TicketKey;
use deis_database::{Database, DatabaseError, SealedTicketKey};
use deis_model::acme;
use deis_runtime::secrets::random_hex;
use time::{Duration, OffsetDateTime};
use tracing::warn;

use super::RouteBook;
use crate::Vault;
use crate::app::setting_purpose;

/// The target of `deisctl config` that is about routers.
const TARGET: &str = "router";
/// How long a ticket key seals, and how many are kept: what the oldest sealed is opened for at least a day.
const TICKET_KEY_AGE: Duration = Duration::hours(12);
const TICKET_KEYS: usize = 3;
/// The length of a ticket key's name, in hexadecimal digits.
const NAME_DIGITS: usize = 32;

/// Keeps what all routers are told as the database has it.
pub struct Mesh {
    database: Database,
    vault: Vault,
    book: Arc<RouteBook>,
    is_told: AtomicBool,
}

impl Mesh {
    /// What `database` has, whose secrets `vault` sealed, written into `book`.
    pub fn new(database: Database, vault: Vault, book: Arc<RouteBook>) -> Self {
        Self { database, vault, book, is_told: AtomicBool::new(false) }
    }

    /// Whether the database was ever read.
    pub fn is_told(&self) -> bool {
        self.is_told.load(Ordering::Acquire)
    }

    /// Reads everything again, and replaces the newest ticket key if it is old.
    pub async fn refresh(&self) {
        match self.read().await {
            Ok((settings, ticket_keys)) => {
                self.book.change_platform(|platform| {
                    platform.settings = settings;
                    platform.ticket_keys = ticket_keys;
                });
                self.is_told.store(true, Ordering::Release);
            }
            Err(error) => warn!(%error, "failed to read what all routers are told; they keep what they have"),
        }
    }

    async fn read(&self) -> Result<(BTreeMap<String, String>, Vec<TicketKey>), DatabaseError> {
        let mut settings = open_settings(&self.database, &self.vault).await?;
        // Controllers alone have to do with certificate authorities.
        settings.retain(|key, _| !key.starts_with(acme::PREFIX));
        Ok((settings, self.ticket_keys().await?))
    }

    async fn ticket_keys(&self) -> Result<Vec<TicketKey>, DatabaseError> {
        let mut keys = self.database.ticket_keys().await?;
        let now = OffsetDateTime::now_utc();
        if keys.first().is_none_or(|newest| now - newest.created >= TICKET_KEY_AGE) {
            keys = self.rotated(TICKET_KEY_AGE).await?;
        }
        // Sealed with a key that controllers had before.
        if keys.first().is_some_and(|newest| self.open_key(newest).is_none()) {
            keys = self.rotated(Duration::ZERO).await?;
        }
        Ok(keys.iter().filter_map(|key| self.open_key(key)).collect())
    }

    async fn rotated(&self, age: Duration) -> Result<Vec<SealedTicketKey>, DatabaseError> {
        let mut name = random_hex();
        name.truncate(NAME_DIGITS);
        let sealed_key = self.vault.seal(&ticket_purpose(&name), &random_hex());
        let next = SealedTicketKey { name, sealed_key, created: OffsetDateTime::now_utc() };
        self.database.rotate_ticket_keys(&next, age, TICKET_KEYS).await
    }

    fn open_key(&self, key: &SealedTicketKey) -> Option<TicketKey> {
        let opened = self.vault.unseal(&ticket_purpose(&key.name), &key.sealed_key).ok()?;
        Some(TicketKey { name: key.name.clone(), key: opened })
    }
}

/// The settings of the mesh, with secrets opened.
pub(crate) async fn open_settings(
    database: &Database,
    vault: &Vault,
) -> Result<BTreeMap<String, String>, DatabaseError> {
    let settings = database.settings(TARGET).await?;
    Ok(settings.into_iter().filter_map(|(key, value)| open_setting(vault, key, value)).collect())
}

fn open_setting(vault: &Vault, key: String, value: String) -> Option<(String, String)> {
    let Some(purpose) = setting_purpose(TARGET, &key) else { return Some((key, value)) };
    match vault.unseal(&purpose, &value) {
        Ok(value) => Some((key, value)),
        Err(error) => {
            warn!(key, %error, "failed to open a setting of the routers; set it again");
            None
        }
    }
}

fn ticket_purpose(name: &str) -> String {
    format!("ticket key {name}")
}

#[cfg(test)]
mod tests {
    use deis_api::internal::PlatformRoutes;

    use super::*;

    async fn mesh(database: &Database, digit: &str) -> (Mesh, Arc<RouteBook>) {
        let book = RouteBook::new("e".to_owned(), PlatformRoutes::default(), std::time::Duration::ZERO);
        let (vault, book) = (Vault::open(&digit.repeat(64)).expect("a key"), Arc::new(book));
        (Mesh::new(database.clone(), vault, Arc::clone(&book)), book)
    }

    fn told(book: &RouteBook) -> PlatformRoutes {
        book.nothing_new().platform
    }

    #[tokio::test]
    async fn whoever_leads_next_goes_on_with_the_same_ticket_keys() {
        let database = Database::open("sqlite::memory:").await.expect("memory suffices");
        let (first, book) = mesh(&database, "a").await;
        assert!(!first.is_told());
        first.refresh().await;
        let keys = told(&book).ticket_keys;
        assert_eq!((first.is_told(), keys.len()), (true, 1));
        assert_eq!((keys[0].name.len(), keys[0].key.len()), (32, 64));
        let generation = book.generation();
        first.refresh().await;
        assert_eq!(book.generation(), generation, "nothing changed");
        let (next, book) = mesh(&database, "a").await;
        next.refresh().await;
        assert!(told(&book).ticket_keys == keys);
    }

    #[tokio::test]
    async fn three_ticket_keys_are_kept_the_newest_first() {
        let database = Database::open("sqlite::memory:").await.expect("memory suffices");
        let (mesh, _) = mesh(&database, "a").await;
        let mut made = Vec::new();
        for _ in 0..4 {
            made.insert(0, mesh.rotated(Duration::ZERO).await.expect("rotated")[0].name.clone());
        }
        let kept = mesh.ticket_keys().await.expect("they can be read");
        let kept: Vec<String> = kept.into_iter().map(|key| key.name).collect();
        assert_eq!(kept, made[..3]);
    }

    #[tokio::test]
    async fn ticket_keys_that_cannot_be_opened_are_replaced() {
        let database = Database::open("sqlite::memory:").await.expect("memory suffices");
        mesh(&database, "a").await.0.refresh().await;
        let (other, book) = mesh(&database, "b").await;
        other.refresh().await;
        let keys = told(&book).ticket_keys;
        assert_eq!(keys.len(), 1);
        other.refresh().await;
        assert!(told(&book).ticket_keys == keys);
    }

    #[tokio::test]
    async fn settings_are_told_with_their_secrets_opened() {
        let database = Database::open("sqlite::memory:").await.expect("memory suffices");
        let (mesh, book) = mesh(&database, "a").await;
        let purpose = setting_purpose(TARGET, "sslKey").expect("it is secret");
        let sealed = mesh.vault.seal(&purpose, "secret");
        let (off, on) = ("off".to_owned(), "on".to_owned());
        let changes = [("sslKey", Some(sealed)), ("gzip", Some(off)), ("acme/enabled", Some(on))];
        let changes = changes.map(|(key, value)| (key.to_owned(), value)).into();
        database.change_settings(TARGET, &changes).await.expect("written");
        mesh.refresh().await;
        let expected = [("gzip", "off"), ("sslKey", "secret")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(told(&book).settings, expected.into());
    }
}
