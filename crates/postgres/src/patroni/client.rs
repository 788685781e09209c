//! The few things that this role asks Patroni on its own host.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::Config;
use crate::error::DatabaseError;
use crate::http::{Http, address};

/// One member as Patroni tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct PatroniMember {
    pub(crate) name: String,
    /// `leader`, `sync_standby`, `replica` and others.
    pub(crate) role: String,
    /// `running`, `streaming`, `stopped`, `start failed` and others.
    pub(crate) state: String,
    /// How far behind it is, in bytes; Patroni says `unknown` of those who do not answer.
    pub(crate) lag: Value,
}

impl PatroniMember {
    pub(crate) fn is_primary(&self) -> bool {
        matches!(self.role.as_str(), "leader" | "master" | "primary")
    }

    /// Whether it copies the primary at the moment.
    pub(crate) fn follows(&self) -> bool {
        !self.is_primary() && matches!(self.state.as_str(), "running" | "streaming")
    }
}

#[derive(Deserialize)]
struct Cluster {
    #[serde(default)]
    members: Vec<PatroniMember>,
}

/// Asks Patroni on this host.
#[derive(Clone)]
pub(crate) struct PatroniClient {
    http: Http,
    base: String,
}

impl PatroniClient {
    pub(crate) fn new(http: &Http, config: &Config) -> Self {
        let base = address(config.scheme(), config.this_member().address, config.ports.patroni);
        Self { http: http.clone(), base }
    }

    pub(crate) async fn members(&self) -> Result<Vec<PatroniMember>, DatabaseError> {
        let cluster: Cluster = self.http.get("ask Patroni", &format!("{}/cluster", self.base)).await?;
        Ok(cluster.members)
    }

    /// What holds for all members now.
    pub(crate) async fn dynamic(&self) -> Result<Value, DatabaseError> {
        self.http.get("read the settings of all members", &format!("{}/config", self.base)).await
    }

    /// Changes what holds for all members.
    pub(crate) async fn change(&self, settings: &Value) -> Result<(), DatabaseError> {
        let action = "change the settings of all members";
        self.http.order(action, &format!("{}/config", self.base), true, settings).await
    }

    /// Hands the primary's place over in good order.
    pub(crate) async fn switch_over(&self, from: &str, to: &str) -> Result<(), DatabaseError> {
        let order = json!({ "leader": from, "candidate": to });
        self.http.order("hand over", &format!("{}/switchover", self.base), false, &order).await
    }

    /// Has Patroni read its certificates and settings again.
    pub(crate) async fn reload(&self) -> Result<(), DatabaseError> {
        self.http.order("reload Patroni", &format!("{}/reload", self.base), false, &json!({})).await
    }
}
