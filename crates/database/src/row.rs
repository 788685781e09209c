//! A row: typed reading of columns, and how values are written into them.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column as _, Row as _, TypeInfo as _, ValueRef as _};
use time::OffsetDateTime;

use deis_model::{AppId, ReleaseVersion};

use crate::DatabaseError;
use crate::query::Value;

/// One row of an answer.
pub(crate) enum Row {
    /// Of a file.
    Sqlite(SqliteRow),
    /// Of a server.
    Postgres(PgRow),
}

impl Row {
    /// A text.
    pub(crate) fn text(&self, column: &str) -> Result<String, DatabaseError> {
        self.optional_text(column)?.ok_or_else(|| broken(column, "it is NULL"))
    }

    /// A text that may be missing.
    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, DatabaseError> {
        let text = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => row.try_get(column),
        };
        text.map_err(|error| broken(column, error))
    }

    /// A whole number.
    pub(crate) fn number(&self, column: &str) -> Result<i64, DatabaseError> {
        let number = match self {
            Self::Sqlite(row) => row.try_get(column),
            Self::Postgres(row) => read_integer(row, column),
        };
        number.map_err(|error| broken(column, error))
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

    /// The names of its columns.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::Sqlite(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
            Self::Postgres(row) => row.columns().iter().map(|column| column.name().to_owned()).collect(),
        }
    }

    /// Whatever the column holds.
    pub(crate) fn value(&self, column: &str) -> Result<Value, DatabaseError> {
        let kind = match self {
            Self::Sqlite(row) => row.try_get_raw(column).map(|value| value.type_info().name().to_owned()),
            Self::Postgres(row) => row.try_get_raw(column).map(|value| value.type_info().name().to_owned()),
        };
        match kind.map_err(|error| broken(column, error))?.starts_with("INT") {
            true => self.number(column).map(Value::Number),
            false => self.optional_text(column).map(|text| Value::from(&text)),
        }
    }

    /// Anything that is stored as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, DatabaseError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| broken(column, error))
    }
}

/// A whole number of either width: SQLite knows one only.
fn read_integer(row: &PgRow, column: &str) -> Result<i64, sqlx::Error> {
    match row.try_get_raw(column)?.type_info().name() {
        "INT4" => row.try_get::<i32, _>(column).map(i64::from),
        _ => row.try_get(column),
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
