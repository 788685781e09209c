//! Everything that decides what the platform's workloads are.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use deis_scheduler::{ClusterHost, HostState};

use crate::plane::Plane;
use crate::unit::Unit;

use super::{Document, Fleet, Identities, Secrets, UnitWish, Wishes};

/// The settings of every target: target → key → value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Settings(pub(crate) BTreeMap<String, BTreeMap<String, String>>);

impl Settings {
    /// The value of a key, if it was set.
    pub(crate) fn value(&self, target: &str, key: &str) -> Option<&str> {
        self.0.get(target)?.get(key).map(String::as_str)
    }

    /// Sets a key, or takes it away.
    pub(crate) fn set(&mut self, target: &str, key: &str, value: Option<&str>) {
        match value {
            Some(value) => {
                self.0.entry(target.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
            }
            None => {
                self.0.get_mut(target).map(|keys| keys.remove(key));
            }
        }
    }
}

impl Document for Settings {
    const NAME: &'static str = "deis-settings";
}

/// The platform as the operator wants it, and the hosts there are for it.
pub(crate) struct State {
    pub(crate) settings: Settings,
    pub(crate) secrets: Secrets,
    pub(crate) identities: Identities,
    pub(crate) wishes: Wishes,
    /// By name.
    pub(crate) hosts: Vec<ClusterHost>,
}

impl State {
    /// Reads all of it. Identities that end before long are issued anew, secrets that are missing made.
    pub(crate) async fn read(fleet: &Fleet) -> anyhow::Result<Self> {
        const MISSING: &str = "this cluster knows of no platform; make it one with `deisctl init`";
        let settings = fleet.documents.read::<Settings>().await?.context(MISSING)?;
        fleet.documents.read::<Secrets>().await?.context(MISSING)?;
        let complete = |secrets: &mut Secrets| {
            secrets.complete();
            Ok(secrets.clone())
        };
        let secrets = fleet.documents.change(complete).await?;
        let wishes = fleet.documents.read::<Wishes>().await?.context(MISSING)?;
        fleet.documents.read::<Identities>().await?.context(MISSING)?;
        let renew = |identities: &mut Identities| identities.renew(SystemTime::now());
        fleet.documents.change(renew).await?;
        let identities = fleet.documents.read::<Identities>().await?.context(MISSING)?;
        Ok(Self { settings, secrets, identities, wishes, hosts: fleet.cluster.hosts().await? })
    }

    /// The hosts that `unit` may be on, whatever their state.
    pub(crate) fn hosts_of(&self, unit: Unit) -> impl Iterator<Item = &ClusterHost> {
        self.hosts.iter().filter(move |host| unit.plane().is_none_or(|plane| is_of(host, plane)))
    }

    /// Those of them that take work.
    pub(crate) fn ready(&self, unit: Unit) -> impl Iterator<Item = &ClusterHost> {
        self.hosts_of(unit).filter(|host| host.state == HostState::Ready)
    }

    /// What is wanted of `unit`, if it is installed.
    pub(crate) fn wish(&self, unit: Unit) -> Option<&UnitWish> {
        self.wishes.units.get(&unit)
    }

    /// Whether the database is kept by somebody else.
    pub(crate) fn has_external_database(&self) -> bool {
        self.settings.value("database", "url").is_some()
    }
}

/// Whether `host` belongs to `plane`.
pub(crate) fn is_of(host: &ClusterHost, plane: Plane) -> bool {
    host.labels.get(plane.label()).is_some_and(|value| value == "true")
}

/// A platform on hosts of these names, all of them of every plane, that is installed and not started.
#[cfg(test)]
pub(crate) fn test_state(hosts: &[&str]) -> State {
    let labels: BTreeMap<_, _> =
        Plane::ALL.map(|plane| (plane.label().to_owned(), "true".to_owned())).into_iter().collect();
    let host = |(index, name): (usize, &&str)| ClusterHost {
        id: format!("id-{name}"),
        name: (*name).to_owned(),
        address: std::net::Ipv4Addr::new(10, 0, 0, u8::try_from(index + 1).expect("few")).into(),
        labels: labels.clone(),
        manager: true,
        leader: index == 0,
        state: HostState::Ready,
        engine: "20.10.24".to_owned(),
    };
    let mut settings = Settings::default();
    settings.set("platform", "domain", Some("example.com"));
    settings.set("store", "url", Some("s3://KEY:SECRET@deis?endpoint=http://10.0.0.9"));
    let units = Unit::ALL.map(|unit| (unit, UnitWish::default())).into_iter().collect();
    State {
        settings,
        secrets: Secrets::generate(),
        identities: Identities::create().expect("made"),
        wishes: Wishes { units, image: "deis/platform:1-abc".to_owned(), ..Wishes::default() },
        hosts: hosts.iter().enumerate().map(host).collect(),
    }
}
