//! Repositories: which copy of one counts, so that no builder acknowledges a push that another does not have.

use deis_api::internal::CopyChange;

use super::{Platform, Refusal};

/// The longest name of a copy, in bytes.
const MAX_NAME: usize = 100;

impl Platform {
    /// The copy that counts of the repository of the app of this UUID.
    pub async fn repository_copy(&self, uuid: &str) -> Result<Option<String>, Refusal> {
        Ok(self.database.repository_copy(uuid).await?)
    }

    /// Makes another copy the one that counts, if it was made from the one that does.
    pub async fn replace_repository_copy(&self, uuid: &str, change: CopyChange) -> Result<(), Refusal> {
        if change.copy.is_empty() || change.copy.len() > MAX_NAME {
            return Err(Refusal::field("copy", format!("Must have 1 to {MAX_NAME} characters.")));
        }
        let replaced = self.database.replace_repository_copy(uuid, change.was.as_deref(), &change.copy);
        match replaced.await? {
            true => Ok(()),
            false => Err(Refusal::Conflict("Another builder has taken a push meanwhile.".to_owned())),
        }
    }
}
