//! The states of releases, and how they change.

use deis_model::{AppId, ReleaseState, ReleaseVersion};

use crate::DatabaseError;
use crate::query::{places, query};
use crate::row::{microseconds, now};
use crate::transaction::Transaction;

/// Moves the release out of one of the states `from`; tells whether it was in one.
pub(crate) async fn settle(
    transaction: &mut Transaction,
    app: &AppId,
    version: ReleaseVersion,
    from: &[ReleaseState],
    state: ReleaseState,
    failure: Option<&str>,
) -> Result<bool, DatabaseError> {
    let update = format!(
        "UPDATE releases SET state = $3, failure = $4, updated = $5 \
         WHERE app = $1 AND version = $2 AND state IN ({})",
        places(6, from.len())
    );
    let update = query(update)
        .bind(app.as_str())
        .bind(i64::from(version.number()))
        .bind(state_text(state))
        .bind(failure)
        .bind(microseconds(now()));
    let update = from.iter().fold(update, |update, state| update.bind(state_text(*state)));
    let settled = transaction.execute(update).await? > 0;
    if settled {
        transaction.touch(app);
    }
    Ok(settled)
}

/// Every state, as it is stored.
const STATES: [(ReleaseState, &str); 7] = [
    (ReleaseState::Pending, "pending"),
    (ReleaseState::Starting, "starting"),
    (ReleaseState::Canary, "canary"),
    (ReleaseState::Promoted, "promoted"),
    (ReleaseState::Deployed, "deployed"),
    (ReleaseState::Failed, "failed"),
    (ReleaseState::Ended, "ended"),
];

/// How a state is stored.
pub(crate) fn state_text(state: ReleaseState) -> &'static str {
    let found = STATES.iter().find(|(known, _)| *known == state);
    found.expect("every state has its text").1
}

/// Reads it.
pub(super) fn read_state(text: &str) -> Result<ReleaseState, DatabaseError> {
    let unknown = || DatabaseError::Column {
        column: "state".to_owned(),
        reason: format!("{text:?} is not a state of releases"),
    };
    STATES.iter().find(|(_, known)| *known == text).map(|(state, _)| *state).ok_or_else(unknown)
}
