//! A statement with its values, in SQL that both engines understand.

use std::borrow::Cow;

use sqlx::{AssertSqlSafe, Encode, SqlSafeStr, SqlStr, Type};

/// What is bound to `$1`, `$2`, …: the two types that the schema has.
#[derive(Clone)]
pub(crate) enum Value {
    /// A text, or NULL.
    Text(Option<String>),
    /// A whole number.
    Number(i64),
}

/// How a query keeps others from the rows it reads until its transaction ended.
///
/// Means something on PostgreSQL alone: SQLite has one writer at a time, so rows stay as they were read.
#[derive(Clone, Copy)]
pub(crate) enum RowLock {
    /// Others may read and lock them likewise, but not change them.
    Share,
    /// Nobody else may lock or change them.
    Update,
}

/// A statement with its values.
#[derive(Clone)]
pub(crate) struct Query {
    sql: Cow<'static, str>,
    values: Vec<Value>,
    lock: Option<RowLock>,
}

/// `sql` with `$1`, `$2`, … still to be bound.
pub(crate) fn query(sql: impl Into<Cow<'static, str>>) -> Query {
    Query { sql: sql.into(), values: Vec::new(), lock: None }
}

/// `$2, $3, $4`: the places of three values from the second on.
pub(crate) fn places(first: usize, values: usize) -> String {
    let places: Vec<String> = (first..first + values).map(|place| format!("${place}")).collect();
    places.join(", ")
}

impl Query {
    /// The next value.
    pub(crate) fn bind(mut self, value: impl Into<Value>) -> Self {
        self.values.push(value.into());
        self
    }

    /// Locks the rows that it reads.
    pub(crate) fn locking(mut self, lock: RowLock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// For SQLite.
    pub(crate) fn sqlite(&self) -> sqlx::query::Query<'_, sqlx::Sqlite, sqlx::sqlite::SqliteArguments> {
        self.prepared(self.text())
    }

    /// For PostgreSQL.
    pub(crate) fn postgres(&self) -> sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments> {
        self.prepared(match self.lock {
            None => self.text(),
            Some(RowLock::Share) => AssertSqlSafe(format!("{} FOR SHARE", self.sql)).into_sql_str(),
            Some(RowLock::Update) => AssertSqlSafe(format!("{} FOR UPDATE", self.sql)).into_sql_str(),
        })
    }

    fn text(&self) -> SqlStr {
        match &self.sql {
            Cow::Borrowed(sql) => sql.into_sql_str(),
            Cow::Owned(sql) => AssertSqlSafe(sql.clone()).into_sql_str(),
        }
    }

    fn prepared<'q, D: sqlx::Database>(&'q self, sql: SqlStr) -> sqlx::query::Query<'q, D, D::Arguments>
    where
        D::Arguments: sqlx::IntoArguments<D>,
        Option<&'q str>: Encode<'q, D> + Type<D>,
        i64: Encode<'q, D> + Type<D>,
    {
        self.values.iter().fold(sqlx::query(sql), |query, value| match value {
            Value::Text(text) => query.bind(text.as_deref()),
            Value::Number(number) => query.bind(*number),
        })
    }
}

impl From<&str> for Value {
    /// PostgreSQL stores every character but NUL, which nothing that is stored here has a use for.
    fn from(text: &str) -> Self {
        Self::Text(Some(text.replace('\0', "\u{fffd}")))
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Option<&str>> for Value {
    fn from(text: Option<&str>) -> Self {
        text.map_or(Self::Text(None), Self::from)
    }
}

impl From<&Option<String>> for Value {
    fn from(text: &Option<String>) -> Self {
        text.as_deref().into()
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}
