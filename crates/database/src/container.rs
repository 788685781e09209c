//! Containers as the API knows them: who they are. What they do is observed at the engine.

use std::collections::BTreeSet;

use time::OffsetDateTime;

use deis_model::{AppId, ProcessType, ReleaseVersion};

use crate::query::query;
use crate::row::{Row, microseconds, new_uuid, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// One container's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Lower-case hyphenated UUID.
    pub uuid: String,
    /// The release it runs.
    pub version: ReleaseVersion,
    /// Its process type.
    pub process: ProcessType,
    /// Its number within the process type.
    pub num: u32,
    /// When it was first wanted.
    pub created: OffsetDateTime,
    /// When it last changed.
    pub updated: OffsetDateTime,
}

type Identity = (ReleaseVersion, ProcessType, u32);

impl Database {
    /// The containers of an app, jobs included, oldest first.
    pub async fn containers(&self, app: &AppId) -> Result<Vec<Container>, DatabaseError> {
        let select = query("SELECT * FROM containers WHERE app = $1 ORDER BY created, process, num");
        let rows = self.rows(select.bind(app.as_str())).await?;
        rows.iter().map(read_container).collect()
    }

    /// Makes `wanted` the identities of the app's containers; those that stay keep their UUID. Jobs are left alone.
    ///
    /// Writes nothing if nothing changes. An app that is gone has no containers: that is success.
    pub async fn sync_containers(&self, app: &AppId, wanted: &[Identity]) -> Result<(), DatabaseError> {
        if identities(&self.containers(app).await?) == wanted.iter().cloned().collect() {
            return Ok(());
        }
        self.write(|mut transaction| async move {
            let exists = query("SELECT 1 FROM apps WHERE id = $1").bind(app.as_str());
            if transaction.row(exists).await?.is_none() {
                return Ok(());
            }
            replace(&mut transaction, app, wanted).await?;
            transaction.commit().await
        })
        .await
    }
}

/// Writes one container within a larger change.
pub(crate) async fn insert_container(
    transaction: &mut Transaction,
    app: &AppId,
    (version, process, num): &Identity,
) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO containers (uuid, app, version, process, num, created, updated) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let now = microseconds(now());
    let insert = query(insert)
        .bind(new_uuid())
        .bind(app.as_str())
        .bind(i64::from(version.number()))
        .bind(process.as_str())
        .bind(i64::from(*num))
        .bind(now)
        .bind(now);
    transaction.execute(insert).await.map(drop)
}

async fn replace(
    transaction: &mut Transaction,
    app: &AppId,
    wanted: &[Identity],
) -> Result<(), DatabaseError> {
    let select = query("SELECT * FROM containers WHERE app = $1").bind(app.as_str());
    let rows = transaction.rows(select).await?;
    let held: Vec<Container> = rows.iter().map(read_container).collect::<Result<_, _>>()?;
    let wanted: BTreeSet<Identity> = wanted.iter().cloned().collect();
    for container in held.iter().filter(|held| !is_job(held) && !wanted.contains(&identity(held))) {
        let delete = query("DELETE FROM containers WHERE uuid = $1").bind(container.uuid.clone());
        transaction.execute(delete).await?;
    }
    for missing in wanted.difference(&identities(&held)) {
        insert_container(transaction, app, missing).await?;
    }
    Ok(())
}

fn identities(containers: &[Container]) -> BTreeSet<Identity> {
    containers.iter().filter(|container| !is_job(container)).map(identity).collect()
}

fn identity(container: &Container) -> Identity {
    (container.version, container.process.clone(), container.num)
}

fn is_job(container: &Container) -> bool {
    container.process == ProcessType::run()
}

fn read_container(row: &Row) -> Result<Container, DatabaseError> {
    let bad_process = |error: deis_model::ProcessTypeError| DatabaseError::Column {
        column: "process".to_owned(),
        reason: error.to_string(),
    };
    Ok(Container {
        uuid: row.text("uuid")?,
        version: row.version("version")?,
        process: ProcessType::parse(&row.text("process")?).map_err(bad_process)?,
        num: row.count("num")?,
        created: row.time("created")?,
        updated: row.time("updated")?,
    })
}
