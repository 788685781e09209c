//! Tokens: what clients authenticate with after they logged in.

use rand::RngCore;
use sha2::{Digest, Sha256};

use deis_model::User;

use super::access::permit_admin;
use super::{Platform, Refusal};

impl Platform {
    /// Whose token it is; refused if it is nobody's or its user may not log in.
    pub async fn authenticate(&self, token: &str) -> Result<User, Refusal> {
        let user = self.database.token_user(&digest(token)).await?;
        let user = user.ok_or(Refusal::Unauthenticated("Invalid token"))?;
        match user.is_active {
            true => Ok(user),
            false => Err(Refusal::Unauthenticated("User inactive or deleted")),
        }
    }

    /// Replaces all tokens of the caller, or of `username` where an administrator asks, by a new one.
    pub async fn regenerate_token(&self, caller: &User, username: Option<&str>) -> Result<String, Refusal> {
        let owner = match username {
            None => caller.username.clone(),
            Some(username) => {
                permit_admin(caller)?;
                self.known_user(username).await?.username
            }
        };
        let token = new_token();
        self.database.replace_tokens(&owner, &digest(&token)).await?;
        Ok(token)
    }

    /// Ends every login on the platform, the caller's too.
    pub async fn regenerate_all_tokens(&self, caller: &User) -> Result<(), Refusal> {
        permit_admin(caller)?;
        Ok(self.database.delete_all_tokens().await?)
    }
}

/// 20 random bytes as 40 hex digits.
pub(super) fn new_token() -> String {
    let mut bytes = [0_u8; 20];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// What is stored of a token. It is random, so a plain hash cannot be turned back.
pub(super) fn digest(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}
