//! Configs: environment, limits and tags, one row per change.

use deis_model::{AppId, Config};

use crate::query::query;
use crate::row::{Row, json, microseconds};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

impl Database {
    /// The config of the app's current release: the newest that neither failed nor was ended.
    pub async fn config(&self, app: &AppId) -> Result<Option<Config>, DatabaseError> {
        let current = "SELECT configs.* FROM configs JOIN releases ON releases.config = configs.uuid \
             WHERE releases.app = $1 AND releases.state NOT IN ('failed', 'ended') \
             ORDER BY releases.version DESC LIMIT 1";
        let row = self.row(query(current).bind(app.as_str())).await?;
        row.as_ref().map(read_config).transpose()
    }
}

/// Writes a new config within a larger change.
pub(crate) async fn insert_config(
    transaction: &mut Transaction,
    app: &AppId,
    config: &Config,
) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO configs (uuid, app, owner, \"values\", memory, cpu, tags, created, updated) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let insert = query(insert)
        .bind(&config.uuid)
        .bind(app.as_str())
        .bind(&config.owner)
        .bind(json(&config.values))
        .bind(json(&config.memory))
        .bind(json(&config.cpu))
        .bind(json(&config.tags))
        .bind(microseconds(config.created))
        .bind(microseconds(config.updated));
    transaction.execute(insert).await.map(drop)
}

/// The config with `uuid`, within a larger read or change.
pub(crate) async fn find_config(transaction: &mut Transaction, uuid: &str) -> Result<Config, DatabaseError> {
    let row = transaction.row(query("SELECT * FROM configs WHERE uuid = $1").bind(uuid)).await?;
    read_config(&row.ok_or(DatabaseError::Missing)?)
}

fn read_config(row: &Row) -> Result<Config, DatabaseError> {
    Ok(Config {
        uuid: row.text("uuid")?,
        owner: row.text("owner")?,
        values: row.json("values")?,
        memory: row.json("memory")?,
        cpu: row.json("cpu")?,
        tags: row.json("tags")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
