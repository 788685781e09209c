//! Users: registering, logging in, leaving; administrators.

use deis_database::{DatabaseError, Listing, NewUser, Slice};
use deis_model::User;
use deis_model::user::{check_email, check_username};

use super::access::permit_admin;
use super::token::{digest, new_token};
use super::{Platform, Refusal};

/// The longest first and last name, in characters.
const MAX_NAME_LENGTH: usize = 30;

const BAD_CREDENTIALS: &str = "Unable to log in with provided credentials.";

/// What a new user says. No `Debug`: it holds a password.
pub struct Registration {
    /// Login name.
    pub username: String,
    /// In the clear.
    pub password: String,
    /// May be empty.
    pub email: String,
    /// May be empty.
    pub first_name: String,
    /// May be empty.
    pub last_name: String,
}

/// A change of password. No `Debug`: it holds passwords.
pub struct NewPassword {
    /// Whose, if not the caller's.
    pub username: Option<String>,
    /// The one before.
    pub password: Option<String>,
    /// The one from now on.
    pub new_password: String,
}

impl Platform {
    /// Makes a user, if the registration mode lets `caller`: the first one becomes administrator.
    pub async fn register(&self, caller: Option<&User>, new: Registration) -> Result<User, Refusal> {
        self.check_registration_mode(caller).await?;
        check_registration(&new)?;
        self.create_user(new).await
    }

    async fn create_user(&self, new: Registration) -> Result<User, Refusal> {
        if self.database.user(&new.username).await?.is_some() {
            return Err(Refusal::not_unique("username"));
        }
        let password_hash = self.passwords.hash("password", new.password).await?;
        let user = NewUser {
            username: new.username,
            email: new.email,
            first_name: new.first_name,
            last_name: new.last_name,
            password_hash,
        };
        match self.database.create_user(user).await {
            Err(DatabaseError::Taken) => Err(Refusal::not_unique("username")),
            made => Ok(made?),
        }
    }

    async fn check_registration_mode(&self, caller: Option<&User>) -> Result<(), Refusal> {
        let mode = self.database.setting("controller", "registrationMode").await?;
        match mode.as_deref().unwrap_or("enabled") {
            "enabled" => Ok(()),
            "disabled" => Err(Refusal::ForbiddenBecause("Registration is disabled".to_owned())),
            "admin_only" => caller.map_or(Err(Refusal::Forbidden), permit_admin),
            other => Err(Refusal::Internal(format!(
                "{other:?} is not a registration mode: set controller/registrationMode to enabled, disabled or admin_only"
            ))),
        }
    }

    /// Checks the password and returns a new token; earlier ones stay valid.
    pub async fn log_in(&self, username: &str, password: String) -> Result<String, Refusal> {
        let refused = || Refusal::field("non_field_errors", BAD_CREDENTIALS);
        let Some((user, hash)) = self.database.credentials(username).await? else {
            self.passwords.verify_nobody(password).await?;
            return Err(refused());
        };
        if !self.passwords.verify(password, hash).await? {
            return Err(refused());
        }
        if !user.is_active {
            return Err(Refusal::field("non_field_errors", "User account is disabled."));
        }
        let token = new_token();
        self.database.add_token(&user.username, &digest(&token)).await?;
        Ok(token)
    }

    /// Replaces a password. Only an administrator may leave out the one before.
    pub async fn change_password(&self, caller: &User, change: NewPassword) -> Result<(), Refusal> {
        let username = change.username.as_deref().unwrap_or(&caller.username);
        let target = self.account(caller, username).await?.username;
        if change.password.is_some() || !caller.is_admin {
            let credentials = self.database.credentials(&target).await?;
            let (_, hash) = credentials.ok_or(Refusal::NotFound)?;
            if !self.passwords.verify(change.password.unwrap_or_default(), hash).await? {
                return Err(Refusal::Invalid("Current password does not match".to_owned()));
            }
        }
        let hash = self.passwords.hash("new_password", change.new_password).await?;
        Ok(self.database.set_password(&target, &hash).await?)
    }

    /// Deletes the caller, or `username` where an administrator asks. Users who own apps stay.
    pub async fn cancel(&self, caller: &User, username: Option<&str>) -> Result<(), Refusal> {
        let target = self.account(caller, username.unwrap_or(&caller.username)).await?;
        match self.database.delete_user(&target.username).await? {
            true => Ok(()),
            false => Err(Refusal::NotFound),
        }
    }

    /// All users, for administrators.
    pub async fn users(&self, caller: &User, slice: Slice) -> Result<Listing<User>, Refusal> {
        permit_admin(caller)?;
        Ok(self.database.users(slice).await?)
    }

    /// All administrators, for administrators.
    pub async fn admins(&self, caller: &User, slice: Slice) -> Result<Listing<User>, Refusal> {
        permit_admin(caller)?;
        Ok(self.database.admins(slice).await?)
    }

    /// Makes `username` an administrator, or no longer one; the last one stays.
    pub async fn set_admin(&self, caller: &User, username: &str, is_admin: bool) -> Result<(), Refusal> {
        permit_admin(caller)?;
        Ok(self.database.set_admin(username, is_admin).await?)
    }

    /// Creates an administrator, or makes an existing user one with, if given, a new password. For operators.
    pub async fn ensure_admin(
        &self,
        username: &str,
        password: Option<String>,
        email: String,
    ) -> Result<(), Refusal> {
        match (self.database.user(username).await?, password) {
            (Some(_), None) => {}
            (Some(_), Some(password)) => {
                let hash = self.passwords.hash("password", password).await?;
                self.database.set_password(username, &hash).await?;
            }
            (None, None) => return Err(Refusal::field("password", "This field is required.")),
            (None, Some(password)) => {
                let (username, no_name) = (username.to_owned(), String::new());
                let new = Registration {
                    username,
                    password,
                    email,
                    first_name: no_name.clone(),
                    last_name: no_name,
                };
                check_registration(&new)?;
                self.create_user(new).await?;
            }
        }
        Ok(self.database.set_admin(username, true).await?)
    }
}

fn check_registration(new: &Registration) -> Result<(), Refusal> {
    let mut errors = deis_model::FieldErrors::default();
    if let Err(error) = check_username(&new.username) {
        errors.add("username", error);
    }
    if let Err(error) = check_email(&new.email) {
        errors.add("email", error);
    }
    for (field, name) in [("first_name", &new.first_name), ("last_name", &new.last_name)] {
        if name.chars().count() > MAX_NAME_LENGTH {
            errors.add(field, format!("Ensure this field has no more than {MAX_NAME_LENGTH} characters."));
        }
    }
    Ok(errors.into_result(())?)
}
