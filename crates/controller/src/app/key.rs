//! Keys: SSH public keys of users.

use deis_database::{DatabaseError, Listing, Slice};
use deis_model::key::{MAX_KEY_ID_LENGTH, fingerprint};
use deis_model::permission::{Action, Object};
use deis_model::{FieldErrors, Key, User};

use super::access::permit;
use super::{Platform, Refusal};

impl Platform {
    /// The caller's keys.
    pub async fn keys(&self, caller: &User, slice: Slice) -> Result<Listing<Key>, Refusal> {
        Ok(self.database.keys(&caller.username, slice).await?)
    }

    /// Adds a key to the caller's.
    pub async fn add_key(&self, caller: &User, id: &str, public: &str) -> Result<Key, Refusal> {
        let mut errors = FieldErrors::default();
        if id.is_empty() {
            errors.add("id", "This field may not be blank.");
        }
        if id.chars().count() > MAX_KEY_ID_LENGTH {
            errors.add("id", format!("Ensure this field has no more than {MAX_KEY_ID_LENGTH} characters."));
        }
        let fingerprint =
            fingerprint(public).map_err(|error| errors.add("public", error)).unwrap_or_default();
        errors.into_result(())?;
        match self.database.add_key(&caller.username, id, public.trim(), &fingerprint).await {
            Err(DatabaseError::Taken) => Err(Refusal::not_unique("public")),
            added => Ok(added?),
        }
    }

    /// One of the caller's keys; `id` may have got a slash at its end from the URL.
    pub async fn key(&self, caller: &User, id: &str) -> Result<Key, Refusal> {
        let mut found = self.database.key(&caller.username, id).await?;
        if let (None, Some(id)) = (&found, id.strip_suffix('/')) {
            found = self.database.key(&caller.username, id).await?;
        }
        let key = found.ok_or(Refusal::NotFound)?;
        permit(caller, Action::Manage, Object::Key { owner: &key.owner })?;
        Ok(key)
    }

    /// Removes the caller's key, or keys, with that id.
    pub async fn delete_key(&self, caller: &User, id: &str) -> Result<(), Refusal> {
        let key = self.key(caller, id).await?;
        self.database.delete_key(&key.owner, &key.id).await.map(drop)?;
        Ok(())
    }

    /// The key with that fingerprint, for the builder.
    pub async fn key_by_fingerprint(&self, fingerprint: &str) -> Result<Key, Refusal> {
        self.database.key_by_fingerprint(fingerprint).await?.ok_or(Refusal::NotFound)
    }
}
