//! Copying a whole database into an empty one: how one machine's state moves to a server that several can share.

use crate::query::{places, query};
use crate::row::Row;
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// The tables, each after those that it refers to, with what orders its rows.
///
/// Leases and receipts stay behind: they are about processes that use the old database.
const TABLES: [(&str, &str); 21] = [
    ("users", "id"),
    ("tokens", "digest"),
    ("keys", "uuid"),
    ("apps", "id"),
    ("configs", "uuid"),
    ("builds", "uuid"),
    ("releases", "app, version"),
    ("containers", "uuid"),
    ("job_numbers", "app"),
    ("domains", "host"),
    ("app_settings", "app, key"),
    ("certificates", "id"),
    ("certificate_names", "certificate, name"),
    ("ticket_keys", "name"),
    ("perms", "app, username"),
    ("pushes", "uuid"),
    ("repositories", "app"),
    ("settings", "target, key"),
    ("hosts", "name"),
    ("acme_accounts", "directory"),
    ("acme_certificates", "host"),
];

/// How many rows travel at once. A row has at most 14 values, a statement of PostgreSQL at most 65,535.
const BATCH: usize = 500;

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The tables and how many rows each has, in both databases.
    pub tables: Vec<(&'static str, u64)>,
}

/// Copies all rows of `from` to `to`, all or nothing; `NotEmpty` if there are any in `to`.
///
/// What others write to `from` meanwhile stays behind: stop them first.
pub async fn copy(from: &Database, to: &Database) -> Result<Copied, DatabaseError> {
    to.write(|mut target| async move {
        for (table, _) in TABLES {
            if count(&mut target, table).await? > 0 {
                return Err(DatabaseError::NotEmpty { database: to.name().to_owned(), table });
            }
        }
        let mut source = from.begin_snapshot().await?;
        let mut tables = Vec::new();
        for (table, order) in TABLES {
            tables.push((table, copy_table(&mut source, &mut target, table, order).await?));
        }
        target.touch_all();
        target.commit().await?;
        Ok(Copied { tables })
    })
    .await
}

/// Copies one table and returns how many rows it has.
async fn copy_table(
    source: &mut Transaction,
    target: &mut Transaction,
    table: &'static str,
    order: &str,
) -> Result<u64, DatabaseError> {
    let mut offset = 0;
    loop {
        let page = format!("SELECT * FROM {table} ORDER BY {order} LIMIT {BATCH} OFFSET {offset}");
        let rows = source.rows(query(page)).await?;
        if !rows.is_empty() {
            insert(target, table, &rows).await?;
        }
        if rows.len() < BATCH {
            break;
        }
        offset += BATCH;
    }
    let (expected, copied) = (count(source, table).await?, count(target, table).await?);
    match copied == expected {
        true => Ok(copied),
        false => Err(DatabaseError::Incomplete { table, expected, copied }),
    }
}

/// Writes rows as they were read: the schemas are the same.
async fn insert(target: &mut Transaction, table: &str, rows: &[Row]) -> Result<(), DatabaseError> {
    let Some(columns) = rows.first().map(Row::columns) else { return Ok(()) };
    let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let values: Vec<String> =
        (0..rows.len()).map(|row| placeholders(row * columns.len(), columns.len())).collect();
    let sql = format!("INSERT INTO {table} ({}) VALUES {}", names.join(", "), values.join(", "));
    let mut insert = query(sql);
    for row in rows {
        for column in &columns {
            insert = insert.bind(row.value(column)?);
        }
    }
    target.execute(insert).await.map(drop)
}

/// `($4, $5, $6)` for three values after the first three.
fn placeholders(before: usize, values: usize) -> String {
    format!("({})", places(before + 1, values))
}

async fn count(transaction: &mut Transaction, table: &str) -> Result<u64, DatabaseError> {
    let row = transaction.row(query(format!("SELECT COUNT(*) AS total FROM {table}"))).await?;
    let total = row.ok_or(DatabaseError::Missing)?.number("total")?;
    Ok(u64::try_from(total).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_table_of_the_schema_is_copied_or_left_on_purpose() {
        let database = Database::open("sqlite::memory:").await.expect("memory suffices");
        let tables = query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name");
        let tables = database.rows(tables).await.expect("the schema can be read");
        let left = ["_sqlx_migrations", "leases", "receipts"];
        let mut known: Vec<&str> = TABLES.map(|(table, _)| table).into_iter().chain(left).collect();
        known.sort_unstable();
        let found: Vec<String> = tables.iter().map(|row| row.text("name").expect("it has a name")).collect();
        assert_eq!(found, known);
    }
}
