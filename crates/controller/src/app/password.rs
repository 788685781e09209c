//! Passwords: hashing with argon2id, a few at a time.

use std::sync::Arc;

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use tokio::sync::Semaphore;

use super::Refusal;

/// How many passwords are hashed at the same time: each takes 19 MiB and tens of milliseconds of a core.
const AT_ONCE: usize = 2;

/// How many more may wait for their turn; further ones are refused, so that a flood of logins cannot pile up.
const WAITING: usize = 100;

/// The longest password, in bytes.
const MAX_LENGTH: usize = 4096;

/// Hashes and verifies passwords on the blocking pool. Cheap to clone.
#[derive(Clone)]
pub(super) struct Passwords {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// What keeps equal passwords from having equal hashes.
pub(super) fn random_salt() -> [u8; 16] {
    rand::random()
}

impl Passwords {
    pub(super) fn new() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { places: semaphore(AT_ONCE + WAITING), turns: semaphore(AT_ONCE) }
    }

    /// The PHC string to store for `password`, which arrived as `field`.
    pub(super) async fn hash(&self, field: &str, password: String) -> Result<String, Refusal> {
        if password.is_empty() {
            return Err(Refusal::field(field, "This field may not be blank."));
        }
        if password.len() > MAX_LENGTH {
            return Err(Refusal::field(field, "Ensure this field has no more than 4096 characters."));
        }
        self.work(move || hash(&password)).await?
    }

    /// Whether `password` is the one that was stored as `hash`.
    pub(super) async fn verify(&self, password: String, hash: String) -> Result<bool, Refusal> {
        if password.len() > MAX_LENGTH {
            return Ok(false);
        }
        self.work(move || verify(&password, &hash)).await
    }

    /// Takes as long as [`Passwords::verify`], so that timing does not tell which users exist.
    pub(super) async fn verify_nobody(&self, password: String) -> Result<(), Refusal> {
        if password.len() <= MAX_LENGTH {
            self.work(move || drop(hash(&password))).await?;
        }
        Ok(())
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
        let place = self.places.try_acquire().map_err(|_| Refusal::Overloaded)?;
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(|error| Refusal::Internal(error.to_string()))?;
        let work = move || {
            let _turn = turn;
            work()
        };
        let done = tokio::task::spawn_blocking(work).await;
        drop(place);
        done.map_err(|error| Refusal::Internal(error.to_string()))
    }
}

fn hash(password: &str) -> Result<String, Refusal> {
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    hash.map(|hash| hash.to_string())
        .map_err(|error| Refusal::Internal(format!("failed to hash a password: {error}")))
}

fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_alone() {
        let passwords = Passwords::new();
        let hash = passwords.hash("password", "secret".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.verify("secret".to_owned(), hash.clone()).await.unwrap());
        assert!(!passwords.verify("Secret".to_owned(), hash).await.unwrap());
        assert!(!passwords.verify("secret".to_owned(), "none".to_owned()).await.unwrap());
    }

    #[tokio::test]
    async fn a_flood_of_logins_is_refused_and_then_forgotten() {
        let passwords = Passwords::new();
        let all = u32::try_from(AT_ONCE + WAITING).unwrap();
        let waiting = passwords.places.acquire_many(all).await.unwrap();
        assert!(matches!(passwords.work(|| ()).await, Err(Refusal::Overloaded)));
        drop(waiting);
        assert!(passwords.work(|| ()).await.is_ok());
    }
}
