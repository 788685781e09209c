//! Why a use case did not do what was asked.

use deis_database::DatabaseError;
use deis_model::FieldErrors;

use super::DeployError;

/// A refusal, or a failure of something that a use case needs. Texts are what clients show.
#[derive(Debug)]
pub enum Refusal {
    /// Who asks is not known, and why.
    Unauthenticated(&'static str),
    /// The caller may not do this.
    Forbidden,
    /// Nobody may do this, and why.
    ForbiddenBecause(String),
    /// There is no such thing.
    NotFound,
    /// Fields of the request are wrong.
    Fields(FieldErrors),
    /// The request makes no sense as a whole.
    Invalid(String),
    /// The request's body is of this media type, which no call takes.
    UnsupportedMedia(String),
    /// The request's body is larger than any call needs.
    TooLarge,
    /// Something stands in the way.
    Conflict(String),
    /// Another change of the app is under way.
    Busy(String),
    /// Too many ask for the same at this moment.
    Overloaded,
    /// What was asked for was tried on the engine and failed.
    Deploy(DeployError),
    /// The database failed.
    Database(DatabaseError),
    /// Something else inside the platform failed; the text is for operators.
    Internal(String),
}

impl Refusal {
    /// One message about one field.
    pub fn field(field: &str, message: impl ToString) -> Self {
        Self::Fields(FieldErrors::of(field, message))
    }

    /// The refusal where a value must be unique but is not.
    pub fn not_unique(field: &str) -> Self {
        Self::field(field, "This field must be unique.")
    }
}

impl From<DatabaseError> for Refusal {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Missing => Self::NotFound,
            error @ (DatabaseError::Busy { .. } | DatabaseError::LastAdmin { .. }) => {
                Self::Conflict(error.to_string())
            }
            DatabaseError::OwnsApps { username } => Self::Conflict(format!(
                "{username} still has applications assigned. Delete or transfer ownership"
            )),
            error => Self::Database(error),
        }
    }
}

impl From<DeployError> for Refusal {
    fn from(error: DeployError) -> Self {
        match error {
            DeployError::Gone => Self::NotFound,
            error => Self::Deploy(error),
        }
    }
}

impl From<FieldErrors> for Refusal {
    fn from(errors: FieldErrors) -> Self {
        Self::Fields(errors)
    }
}
