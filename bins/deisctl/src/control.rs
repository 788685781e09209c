//! The controller, asked with the rights of an operator: on this machine, or on whichever host of a cluster it answers.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Deref;
use std::time::Duration;

use http::{Method, StatusCode};

use deis_api::client::{CallError, InternalClient};
use deis_api::internal::SettingsPage;

use crate::fleet::{Fleet, Settings, State, Wishes};
use crate::operator::Operator;
use crate::unit::Unit;
use crate::unit::variable::{Effect, effect};
use crate::unit::workload::addresses;

/// How long one call may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The same for the question whether a controller answers at all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of the controller.
pub(crate) struct Control {
    client: InternalClient,
    /// As whom it calls hosts of a cluster.
    _operator: Option<Operator>,
}

impl Deref for Control {
    type Target = InternalClient;

    fn deref(&self) -> &InternalClient {
        &self.client
    }
}

impl Control {
    /// The controller of a platform on this machine.
    pub(crate) fn local(client: InternalClient) -> Self {
        Self { client, _operator: None }
    }

    /// The controllers of a cluster.
    pub(crate) fn of(state: &State) -> anyhow::Result<Self> {
        Self::at(state, addresses(state, Unit::Controller).split(','))
    }

    /// Succeeds when the controller at `address` (`host:port`) answers: it listens and reads its database.
    pub(crate) async fn answers(state: &State, address: &str) -> anyhow::Result<()> {
        let control = Self::at(state, [address])?;
        let request = control.request(Method::GET, "/internal/config/platform").timeout(ANSWER_TIMEOUT);
        control.send(request).await?;
        Ok(())
    }

    fn at<'a>(state: &State, addresses: impl IntoIterator<Item = &'a str>) -> anyhow::Result<Self> {
        let operator = Operator::of(state)?;
        Ok(Self { client: operator.client(Unit::Controller, addresses), _operator: Some(operator) })
    }

    /// Tells the controller what it was not told yet: settings that it takes while it runs, and hosts to forget.
    ///
    /// Says what has to wait when none answers; nothing when there is nothing to tell or none is to run.
    pub(crate) async fn settle(fleet: &Fleet, out: &mut dyn Write) -> anyhow::Result<()> {
        let state = State::read(fleet).await?;
        let Wishes { untold, forgotten, .. } = &state.wishes;
        let is_nothing = untold.is_empty() && forgotten.is_empty();
        if is_nothing || !state.wishes.started().contains(&Unit::Controller) {
            return Ok(());
        }
        if let Err(error) = Self::of(&state)?.tell(fleet, &state).await {
            writeln!(
                out,
                "No controller was told of settings and removed hosts ({error:#}); `deisctl start controller` tells it"
            )?;
        }
        Ok(())
    }

    async fn tell(&self, fleet: &Fleet, state: &State) -> anyhow::Result<()> {
        for target in &state.wishes.untold {
            self.replace(target, &kept_by_controller(&state.settings, target)).await?;
            forget_in(fleet, |wishes| wishes.untold.remove(target)).await?;
        }
        for host in &state.wishes.forgotten {
            self.forget(host).await?;
            forget_in(fleet, |wishes| wishes.forgotten.remove(host)).await?;
        }
        Ok(())
    }

    /// Makes the settings that the controller has of `target` the same as `values`.
    async fn replace(&self, target: &str, values: &Values<'_>) -> Result<(), CallError> {
        let path = format!("/internal/config/{target}");
        let page: SettingsPage = self.json(self.request(Method::GET, &path).timeout(TIMEOUT)).await?;
        let differs = |key: &str, value: &str| page.values.get(key).and_then(Option::as_deref) != Some(value);
        let gone = page.values.keys().filter(|key| !values.contains_key(key.as_str()));
        let mut changes: BTreeMap<_, _> = gone.map(|key| (key.clone(), None)).collect();
        let set = values.iter().filter(|(key, value)| differs(key, value));
        changes.extend(set.map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))));
        if changes.is_empty() {
            return Ok(());
        }
        let request = self.request(Method::POST, &path).json(&SettingsPage { values: changes });
        self.send(request.timeout(TIMEOUT)).await.map(drop)
    }

    /// Has the controller wait for nothing more from `host`.
    async fn forget(&self, host: &str) -> Result<(), CallError> {
        let path = format!("/internal/hosts/{host}");
        match self.send(self.request(Method::DELETE, &path).timeout(TIMEOUT)).await {
            Err(CallError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// Key → value.
type Values<'a> = BTreeMap<&'a str, &'a str>;

/// The settings of `target` that the controller takes while it runs.
fn kept_by_controller<'a>(settings: &'a Settings, target: &str) -> Values<'a> {
    let keys = settings.0.get(target).into_iter().flatten();
    let kept = keys.filter(|(key, _)| effect(target, key) == Effect::Controller);
    kept.map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

async fn forget_in(fleet: &Fleet, forget: impl Fn(&mut Wishes) -> bool) -> anyhow::Result<bool> {
    fleet.documents.change(|wishes| Ok(forget(wishes))).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::test_state;

    #[test]
    fn only_what_no_role_reads_at_its_start_is_the_controllers() {
        let mut state = test_state(&["lab1"]);
        state.settings.set("controller", "registrationMode", Some("disabled"));
        state.settings.set("controller", "readyTimeoutSeconds", Some("30"));
        let kept = |target: &str| kept_by_controller(&state.settings, target);
        assert_eq!(kept("controller"), BTreeMap::from([("registrationMode", "disabled")]));
        assert!(kept("store").is_empty() && kept("router").is_empty());
    }
}
