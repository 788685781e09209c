//! A row: typed reading of columns, and how values are written into them.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use time::OffsetDateTime;

use deis_model::{AppId, ReleaseVersion};

use crate::DatabaseError;

/// One row of an answer.
pub(crate) struct Row(pub(crate) SqliteRow);

impl Row {
    /// A text.
    pub(crate) fn text(&self, column: &str) -> Result<String, DatabaseError> {
        self.0.try_get(column).map_err(|error| broken(column, error))
    }

    /// A text that may be missing.
    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, DatabaseError> {
        self.0.try_get(column).map_err(|error| broken(column, error))
    }

    /// A whole number.
    pub(crate) fn number(&self, column: &str) -> Result<i64, DatabaseError> {
        self.0.try_get(column).map_err(|error| broken(column, error))
    }

    /// A number of things.
    pub(crate) fn count(&self, column: &str) -> Result<u32, DatabaseError> {
        u32::try_from(self.number(column)?).map_err(|error| broken(column, error))
    }

    /// A flag.
    pub(crate) fn flag(&self, column: &str) -> Result<bool, DatabaseError> {
        Ok(self.number(column)? != 0)
    }

    /// A time.
    pub(crate) fn time(&self, column: &str) -> Result<OffsetDateTime, DatabaseError> {
        let microseconds = i128::from(self.number(column)?);
        OffsetDateTime::from_unix_timestamp_nanos(microseconds * 1000).map_err(|error| broken(column, error))
    }

    /// An app id.
    pub(crate) fn app(&self, column: &str) -> Result<AppId, DatabaseError> {
        AppId::parse(&self.text(column)?).map_err(|error| broken(column, error))
    }

    /// A release's number.
    pub(crate) fn version(&self, column: &str) -> Result<ReleaseVersion, DatabaseError> {
        ReleaseVersion::new(self.count(column)?).ok_or_else(|| broken(column, "releases count from 1"))
    }

    /// Anything that is stored as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, DatabaseError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| broken(column, error))
    }
}

/// `value` as it is stored.
pub(crate) fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("maps of text to text and numbers always serialize")
}

/// `time` as it is stored: Unix microseconds.
pub(crate) fn microseconds(time: OffsetDateTime) -> i64 {
    i64::try_from(time.unix_timestamp_nanos() / 1000)
        .expect("years up to 9999 fit in 64 bits of microseconds")
}

/// Now, as precise as it is stored.
pub(crate) fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_microsecond(now.microsecond()).expect("a time's own microsecond is in range")
}

/// A new random UUID, lower case with hyphens.
pub(crate) fn new_uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}

fn broken(column: &str, reason: impl Display) -> DatabaseError {
    DatabaseError::Column { column: column.to_owned(), reason: reason.to_string() }
}
