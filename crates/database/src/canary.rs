//! Canaries: releases that are tried out, promoted or ended. At most one of an app, beside one that is about to take its
//! place.

use deis_model::{AppId, Release, ReleaseState, ReleaseVersion, canary};

use crate::app_setting::app_settings;
use crate::next_release::{Released, refuse_busy};
use crate::query::{places, query};
use crate::release::{content, find_under_way, read_release, settle, state_text};
use crate::row::{microseconds, now};
use crate::transaction::Transaction;
use crate::{Database, DatabaseError};

/// What an app tries out, and is about to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Canaries {
    /// Gets its part of the requests.
    pub canary: Option<Release>,
    /// Is being started, and takes the place of the other one.
    pub trial: Option<Release>,
}

impl Database {
    /// What `app` tries out.
    pub async fn canaries(&self, app: &AppId) -> Result<Canaries, DatabaseError> {
        self.snapshot(|mut snapshot| async move {
            let canary = find_canary(&mut snapshot, app).await?;
            let under_way = find_under_way(&mut snapshot, app).await?;
            let trial = under_way.filter(|release| release.state == ReleaseState::Starting);
            Ok(Canaries { canary, trial })
        })
        .await
    }

    /// Notes that the release `version` is tried out from now on, in place of another one; tells whether it is.
    ///
    /// Does nothing if it is not to be tried out any more.
    pub async fn mark_tried(&self, app: &AppId, version: ReleaseVersion) -> Result<bool, DatabaseError> {
        self.write(|mut transaction| async move {
            let under_way = find_under_way(&mut transaction, app).await?;
            let starting = ReleaseState::Starting;
            if !under_way.is_some_and(|found| found.version == version && found.state == starting) {
                return Ok(false);
            }
            let reason = format!("{version} is tried out in its place");
            end_canaries(&mut transaction, app, &[ReleaseState::Canary], &reason).await?;
            settle(&mut transaction, app, version, &[starting], ReleaseState::Canary, None).await?;
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Has the release that is tried out deployed for all. `Busy` while another one is under way; `Missing` if none is
    /// tried out.
    pub async fn promote(&self, app: &AppId) -> Result<Released, DatabaseError> {
        self.write(|mut transaction| async move {
            refuse_busy(&mut transaction, app).await?;
            let canary = find_canary(&mut transaction, app).await?.ok_or(DatabaseError::Missing)?;
            let (version, from) = (canary.version, [ReleaseState::Canary]);
            settle(&mut transaction, app, version, &from, ReleaseState::Promoted, None).await?;
            let release = Release { state: ReleaseState::Promoted, ..canary.clone() };
            let content = content(&mut transaction, canary).await?;
            transaction.commit().await?;
            Ok(Released { release, build: content.build, config: content.config })
        })
        .await
    }

    /// Ends the release `version` for this `reason` if it is tried out, or about to be, and new releases get no requests;
    /// tells whether it did. What was promoted meanwhile goes on, and so does what gets requests again.
    pub async fn end_without_requests(
        &self,
        app: &AppId,
        version: ReleaseVersion,
        reason: &str,
    ) -> Result<bool, DatabaseError> {
        const TRIED: [ReleaseState; 2] = [ReleaseState::Starting, ReleaseState::Canary];
        self.write(|mut transaction| async move {
            if canary::weight(&app_settings(&mut transaction, app).await?) > 0 {
                return Ok(false);
            }
            let ended = ReleaseState::Ended;
            let is_ended = settle(&mut transaction, app, version, &TRIED, ended, Some(reason)).await?;
            transaction.commit().await?;
            Ok(is_ended)
        })
        .await
    }

    /// Ends what `app` tries out, is about to try out, or promotes, for this `reason`; tells whether there was anything.
    pub async fn end_canaries(&self, app: &AppId, reason: &str) -> Result<bool, DatabaseError> {
        const TRIED: [ReleaseState; 3] =
            [ReleaseState::Starting, ReleaseState::Canary, ReleaseState::Promoted];
        self.write(|mut transaction| async move {
            let ended = end_canaries(&mut transaction, app, &TRIED, reason).await?;
            transaction.commit().await?;
            Ok(ended)
        })
        .await
    }
}

/// Ends releases of these states, within a larger change; tells whether there were any.
pub(crate) async fn end_canaries(
    transaction: &mut Transaction,
    app: &AppId,
    states: &[ReleaseState],
    reason: &str,
) -> Result<bool, DatabaseError> {
    let update = format!(
        "UPDATE releases SET state = $2, failure = $3, updated = $4 WHERE app = $1 AND state IN ({})",
        places(5, states.len())
    );
    let update = query(update)
        .bind(app.as_str())
        .bind(state_text(ReleaseState::Ended))
        .bind(reason)
        .bind(microseconds(now()));
    let update = states.iter().fold(update, |update, state| update.bind(state_text(*state)));
    let ended = transaction.execute(update).await? > 0;
    if ended {
        transaction.touch(app);
    }
    Ok(ended)
}

/// The release that is tried out, promoted or not, within a larger read or change.
pub(crate) async fn find_canary(
    transaction: &mut Transaction,
    app: &AppId,
) -> Result<Option<Release>, DatabaseError> {
    let select = query("SELECT * FROM releases WHERE app = $1 AND state IN ('canary', 'promoted')");
    let row = transaction.row(select.bind(app.as_str())).await?;
    row.as_ref().map(read_release).transpose()
}
