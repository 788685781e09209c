//! How a unit's containers end, and what the engine is told of that.

use std::str::FromStr;

use anyhow::anyhow;
use deis_model::{Ending, SecondsError};

use crate::fleet::State;
use crate::unit::Unit;

/// How the containers of `unit` end: routers as operators say, all others as is usual.
pub(crate) fn ending(state: &State, unit: Unit) -> anyhow::Result<Ending> {
    let usual = Ending::default();
    if unit != Unit::Router {
        return Ok(usual);
    }
    Ok(Ending {
        notice: seconds(state, "noticeSeconds", usual.notice)?,
        drain: seconds(state, "drainSeconds", usual.drain)?,
    })
}

/// How many seconds the engine waits for a router before it kills it. Of the others it is told once and for all.
pub(super) fn stop_grace_seconds(state: &State, unit: Unit) -> anyhow::Result<Option<u32>> {
    let grace = ending(state, unit)?.grace().as_secs();
    Ok(u32::try_from(grace).ok().filter(|_| unit == Unit::Router))
}

/// The setting `key` of routers. What an earlier version took may be beyond the bound.
fn seconds<T: FromStr<Err = SecondsError>>(state: &State, key: &str, usual: T) -> anyhow::Result<T> {
    let Some(text) = state.settings.value("router", key) else { return Ok(usual) };
    text.parse().map_err(|error| {
        anyhow!("{key} = {text} is refused: {error}; use: deisctl config router set {key}=<seconds>")
    })
}
