//! What is wanted of one app, in one consistent read.

use deis_model::{AppId, Desired, Release, ReleaseContent, ReleaseState};

use crate::app::read_app;
use crate::app_setting::app_settings;
use crate::canary::find_canary;
use crate::query::query;
use crate::release::{content, find_deployed, find_under_way};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

impl Database {
    /// What is wanted of `app`; none if it does not exist.
    pub async fn desired(&self, app: &AppId) -> Result<Option<Desired>, DatabaseError> {
        self.snapshot(|mut snapshot| async move {
            let row = snapshot.row(query("SELECT * FROM apps WHERE id = $1").bind(app.as_str())).await?;
            let Some(record) = row.as_ref().map(read_app).transpose()? else { return Ok(None) };
            let routing = row.map_or(Ok(0), |row| row.number("routing"))?;
            let deployed = find_deployed(&mut snapshot, app).await?;
            let canary = find_canary(&mut snapshot, app).await?;
            let under_way = find_under_way(&mut snapshot, app).await?;
            let is_trial = |release: &Release| release.state == ReleaseState::Starting;
            let (trial, pending) = match under_way {
                Some(release) if is_trial(&release) => (Some(release), None),
                pending => (None, pending),
            };
            Ok(Some(Desired {
                app: record.id,
                uuid: record.uuid,
                owner: record.owner,
                formation: record.formation,
                deployed: with_content(&mut snapshot, deployed).await?,
                pending: with_content(&mut snapshot, pending).await?,
                trial: with_content(&mut snapshot, trial).await?,
                canary: with_content(&mut snapshot, canary).await?,
                domains: domains(&mut snapshot, app).await?,
                settings: app_settings(&mut snapshot, app).await?,
                certificates: Vec::new(),
                routing,
            }))
        })
        .await
    }
}

async fn with_content(
    snapshot: &mut Transaction,
    release: Option<Release>,
) -> Result<Option<ReleaseContent>, DatabaseError> {
    match release {
        Some(release) => content(snapshot, release).await.map(Some),
        None => Ok(None),
    }
}

async fn domains(snapshot: &mut Transaction, app: &AppId) -> Result<Vec<String>, DatabaseError> {
    let select = query("SELECT host FROM domains WHERE app = $1 ORDER BY host").bind(app.as_str());
    snapshot.rows(select).await?.iter().map(|row| row.text("host")).collect()
}
