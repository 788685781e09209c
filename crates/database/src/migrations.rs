//! The schema, in the order in which it grew. A migration that was released never changes again.
//!
//! One set for both engines: tables and indexes of the types and words that both know.

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

const MIGRATIONS: [(i64, &str, &str); 7] = [
    (1, "state", include_str!("../migrations/0001_state.sql")),
    (2, "cluster", include_str!("../migrations/0002_cluster.sql")),
    (3, "repositories", include_str!("../migrations/0003_repositories.sql")),
    (4, "routing", include_str!("../migrations/0004_routing.sql")),
    (5, "acme", include_str!("../migrations/0005_acme.sql")),
    (6, "canary", include_str!("../migrations/0006_canary.sql")),
    (7, "renewal", include_str!("../migrations/0007_renewal.sql")),
];

/// The schema for SQLite.
pub(crate) fn for_sqlite() -> Migrator {
    migrator(str::to_owned)
}

/// The schema for PostgreSQL, which sorts texts by the server's language unless told otherwise: SQLite, and all that
/// compares names in this program, goes by their bytes.
pub(crate) fn for_postgres() -> Migrator {
    migrator(|sql| sql.replace(" TEXT", " TEXT COLLATE \"C\""))
}

fn migrator(dialect: fn(&str) -> String) -> Migrator {
    let migrations = MIGRATIONS.map(|(version, name, sql)| {
        let sql = AssertSqlSafe(dialect(sql)).into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(migrations.into())
}
