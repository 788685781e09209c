//! Settings of the platform, for operators.

use std::collections::BTreeMap;

use super::{Platform, Refusal};

/// The longest name of a target or key, in bytes, and the longest value.
const MAX_NAME_LENGTH: usize = 128;
const MAX_VALUE_LENGTH: usize = 64 * 1024;

impl Platform {
    /// All settings of `target`.
    pub async fn settings(&self, target: &str) -> Result<BTreeMap<String, String>, Refusal> {
        Ok(self.database.settings(target).await?)
    }

    /// Sets and, where the value is none, removes settings of `target`.
    pub async fn change_settings(
        &self,
        target: &str,
        changes: &BTreeMap<String, Option<String>>,
    ) -> Result<(), Refusal> {
        for (key, value) in changes {
            let fits = |name: &str| !name.is_empty() && name.len() <= MAX_NAME_LENGTH;
            if !fits(key)
                || !fits(target)
                || value.as_ref().is_some_and(|value| value.len() > MAX_VALUE_LENGTH)
            {
                return Err(Refusal::field(
                    "values",
                    format!("{key:.128} of {target:.128} is too long or has no name"),
                ));
            }
        }
        Ok(self.database.change_settings(target, changes).await?)
    }
}
