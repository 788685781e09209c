//! Marks of apps: whether anything is wanted otherwise than before, of all apps at once.

use std::collections::BTreeMap;

use deis_model::{AppId, Desired, Formation, ReleaseContent, ReleaseVersion};

use crate::query::query;
use crate::row::Row;
use crate::{Database, DatabaseError};

const APPS: &str = "SELECT id, uuid, owner, formation, routing, \
                    COALESCE((SELECT version FROM releases WHERE app = apps.id AND state = 'deployed' \
                              ORDER BY version DESC LIMIT 1), 0) AS deployed, \
                    COALESCE((SELECT version FROM releases WHERE app = apps.id \
                              AND state IN ('canary', 'promoted')), 0) AS canary, \
                    COALESCE((SELECT version FROM releases WHERE app = apps.id \
                              AND state IN ('pending', 'starting', 'promoted')), 0) AS under_way FROM apps";

/// What tells one state of [`Desired`] from another of the same app: what releases hold never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    uuid: String,
    owner: String,
    formation: Formation,
    deployed: Option<ReleaseVersion>,
    canary: Option<ReleaseVersion>,
    under_way: Option<ReleaseVersion>,
    domains: Vec<String>,
    routing: i64,
}

impl Mark {
    /// The mark of what is wanted.
    pub fn of(desired: &Desired) -> Self {
        Self {
            uuid: desired.uuid.clone(),
            owner: desired.owner.clone(),
            formation: desired.formation.clone(),
            deployed: version(&desired.deployed),
            canary: version(&desired.canary),
            under_way: version(&desired.pending).or(version(&desired.trial)),
            domains: desired.domains.clone(),
            routing: desired.routing,
        }
    }

    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            uuid: row.text("uuid")?,
            owner: row.text("owner")?,
            formation: row.json("formation")?,
            deployed: ReleaseVersion::new(row.count("deployed")?),
            canary: ReleaseVersion::new(row.count("canary")?),
            under_way: ReleaseVersion::new(row.count("under_way")?),
            domains: Vec::new(),
            routing: row.number("routing")?,
        })
    }
}

fn version(release: &Option<ReleaseContent>) -> Option<ReleaseVersion> {
    release.as_ref().map(|release| release.version)
}

impl Database {
    /// The marks of all apps.
    pub async fn marks(&self) -> Result<BTreeMap<AppId, Mark>, DatabaseError> {
        self.snapshot(|mut snapshot| async move {
            let mut marks = BTreeMap::new();
            for row in snapshot.rows(query(APPS)).await? {
                marks.insert(row.app("id")?, Mark::read(&row)?);
            }
            for row in snapshot.rows(query("SELECT app, host FROM domains ORDER BY host")).await? {
                if let Some(mark) = marks.get_mut(&row.app("app")?) {
                    mark.domains.push(row.text("host")?);
                }
            }
            Ok(marks)
        })
        .await
    }
}
